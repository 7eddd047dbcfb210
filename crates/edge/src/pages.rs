//! The edge's own pages, in Danish and English. They tell a stranger what is so, never why.

use bytes::Bytes;
use http::StatusCode;
use husorden_base::{Language, Text};

/// A page, and with it a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The site is closed by a measure.
    Closed {
        /// What a stranger may see of it.
        case: String,
    },
    /// The site is stopped by its owner.
    Stopped,
    /// The site is being set up.
    Preparing,
    /// The site cannot be served.
    Troubled {
        /// Why, as far as visitors may know.
        text: Text,
    },
    /// No site answers to the name.
    UnknownHost,
    /// The connection was made for another site.
    Misdirected,
    /// The request cannot be understood.
    BadRequest,
    /// There is nothing at the path, or nothing that is served.
    Missing,
    /// The path takes other methods.
    MethodNotAllowed,
    /// The client was too slow to send its body.
    ClientSlow,
    /// An `If-Match` or `If-Unmodified-Since` does not hold.
    PreconditionFailed,
    /// The request body is larger than the site takes.
    BodyTooLarge,
    /// The request target is too long.
    TargetTooLong,
    /// The range lies outside the file.
    RangeOutside,
    /// The header fields are too large.
    HeaderTooLarge,
    /// The edge itself failed.
    Failed,
    /// The site's program gave no answer that can be passed on.
    BadAnswer,
    /// The site has too much to do, or is just starting.
    Busy,
    /// The site's program was too slow.
    SiteSlow,
}

struct Words {
    da: [&'static str; 2],
    en: [&'static str; 2],
}

const fn words(da: [&'static str; 2], en: [&'static str; 2]) -> Words {
    Words { da, en }
}

impl Page {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Closed { .. } => StatusCode::FORBIDDEN,
            Self::Stopped | Self::Preparing | Self::Troubled { .. } | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::UnknownHost | Self::Missing => StatusCode::NOT_FOUND,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::ClientSlow => StatusCode::REQUEST_TIMEOUT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::RangeOutside => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
            Self::BadAnswer => StatusCode::BAD_GATEWAY,
            Self::SiteSlow => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// After how many seconds it is worth to ask again.
    pub(crate) fn retry_after_s(&self) -> Option<u16> {
        match self {
            Self::Preparing | Self::Busy => Some(5),
            _ => None,
        }
    }

    fn words(&self) -> Words {
        match self {
            Self::Closed { .. } => words(
                ["Siden er lukket", "Er det din side, står afgørelsen og hvordan du klager, hvor du styrer den."],
                ["This site is closed", "If it is yours, the decision and how to complain are where you manage it."],
            ),
            Self::Stopped => words(
                ["Siden er stoppet", "Den er sat på pause af sin ejer."],
                ["This site is stopped", "Its owner has put it on pause."],
            ),
            Self::Preparing => words(
                ["Siden gøres klar", "Den kommer om lidt. Denne side prøver igen af sig selv."],
                ["This site is being made ready", "It will be here shortly. This page tries again by itself."],
            ),
            Self::Troubled { .. } => {
                words(["Siden kan ikke vises lige nu", ""], ["This site cannot be shown right now", ""])
            }
            Self::UnknownHost => words(
                ["Her er ingen side", "Ingen side svarer på dette navn her."],
                ["There is no site here", "No site answers to this name here."],
            ),
            Self::Misdirected => words(
                ["Forkert forbindelse", "Forbindelsen blev åbnet til en anden side. Prøv igen."],
                ["Wrong connection", "The connection was opened for another site. Try again."],
            ),
            Self::BadRequest => words(
                ["Forespørgslen kan ikke forstås", "Adressen eller forespørgslen er ikke gyldig."],
                ["The request cannot be understood", "The address or the request is not valid."],
            ),
            Self::Missing => words(
                ["Findes ikke", "Der er intet på denne adresse."],
                ["Not found", "There is nothing at this address."],
            ),
            Self::MethodNotAllowed => words(
                ["Ikke muligt her", "Adressen tager ikke imod den slags forespørgsler."],
                ["Not possible here", "This address does not take that kind of request."],
            ),
            Self::ClientSlow => words(
                ["Det tog for lang tid", "Forespørgslen blev ikke sendt færdig i tide."],
                ["That took too long", "The request was not sent to its end in time."],
            ),
            Self::PreconditionFailed => words(
                ["Ændret imens", "Filen er en anden end den, forespørgslen gælder."],
                ["Changed meanwhile", "The file is not the one that the request is about."],
            ),
            Self::BodyTooLarge => words(
                ["For stort", "Det sendte er større, end siden tager imod."],
                ["Too large", "What was sent is larger than the site accepts."],
            ),
            Self::TargetTooLong => words(
                ["Adressen er for lang", "Den er længere, end her tages imod."],
                ["The address is too long", "It is longer than is accepted here."],
            ),
            Self::RangeOutside => words(
                ["Uden for filen", "Den ønskede del findes ikke i filen."],
                ["Outside the file", "The part asked for is not in the file."],
            ),
            Self::HeaderTooLarge => words(
                [
                    "For mange oplysninger",
                    "Forespørgslens felter fylder for meget. Det kan hjælpe at slette sidens cookies.",
                ],
                [
                    "Too many details",
                    "The request's header fields are too large. Deleting the site's cookies may help.",
                ],
            ),
            Self::Failed => words(
                ["Noget gik galt", "Fejlen er vores. Prøv igen om lidt."],
                ["Something went wrong", "The fault is ours. Try again in a moment."],
            ),
            Self::BadAnswer => words(
                ["Siden svarer ikke rigtigt", "Sidens program gav intet brugbart svar."],
                ["The site does not answer properly", "The site's program gave no usable answer."],
            ),
            Self::Busy => {
                words(["Siden har travlt", "Prøv igen om et øjeblik."], ["The site is busy", "Try again in a moment."])
            }
            Self::SiteSlow => words(
                ["Siden svarer ikke", "Sidens program nåede ikke at svare."],
                ["The site does not answer", "The site's program did not answer in time."],
            ),
        }
    }

    /// The page itself.
    pub(crate) fn html(&self, language: Language) -> Bytes {
        let words = self.words();
        let (code, [title, line]) = match language {
            Language::Da => ("da", words.da),
            Language::En => ("en", words.en),
        };
        let line = match self {
            Self::Troubled { text } => escape(text.get(language)),
            _ => line.to_owned(),
        };
        let case = match (self, language) {
            (Self::Closed { case }, Language::Da) => {
                format!("<p class=\"case\">Sagsnummer <b>{}</b></p>", escape(case))
            }
            (Self::Closed { case }, Language::En) => {
                format!("<p class=\"case\">Case number <b>{}</b></p>", escape(case))
            }
            _ => String::new(),
        };
        let refresh = if *self == Self::Preparing { "<meta http-equiv=\"refresh\" content=\"5\">" } else { "" };
        Bytes::from(format!(
            "<!doctype html>\n<html lang=\"{code}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"robots\" content=\"noindex\">{refresh}<title>{title}</title><style>{STYLE}</style></head>\
             <body><main><h1>{title}</h1>{case}<p>{line}</p></main></body></html>\n"
        ))
    }
}

const STYLE: &str = ":root{color-scheme:light dark;--ground:#f4f3ef;--sheet:#fff;--ink:#22262b;--soft:#5b636d;--line:#dcdad2}\
@media(prefers-color-scheme:dark){:root{--ground:#15181c;--sheet:#1e2227;--ink:#eceef0;--soft:#a4acb6;--line:#333a42}}\
*{box-sizing:border-box}body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--ground);\
color:var(--ink);font:1.0625rem/1.55 system-ui,sans-serif}main{width:100%;max-width:34rem;padding:2.25rem;background:var(--sheet);\
border:1px solid var(--line);border-radius:.75rem}h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25;text-wrap:balance}\
p{margin:.5rem 0 0;color:var(--soft)}.case{color:var(--ink)}b{font-variant-numeric:tabular-nums;overflow-wrap:anywhere}\
@media(max-width:30rem){body{padding:1rem}main{padding:1.5rem}}";

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_page_shows_the_case_and_nothing_that_could_run() {
        let page = Page::Closed { case: "2026-00017 <b>".to_owned() };
        let danish = String::from_utf8(page.html(Language::Da).to_vec()).expect("UTF-8");
        assert!(danish.contains("lang=\"da\"") && danish.contains("Sagsnummer <b>2026-00017 &lt;b&gt;</b>"));
        let english = String::from_utf8(page.html(Language::En).to_vec()).expect("UTF-8");
        assert!(english.contains("This site is closed") && english.contains("Case number"));
        assert!(!english.contains("<script") && !english.contains("http://") && !english.contains("https://"));
    }
}
