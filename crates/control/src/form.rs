//! Reading requests at the door: JSON bodies, queries and headers become types that cannot be wrong, or a refusal that names
//! each field by its pointer.

use crate::app::App;
use crate::fault::Fault;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use husorden_base::{FieldError, Name, Refusal, Text};
use serde::de::DeserializeOwned;

/// A JSON body. An empty body reads as `{}`, for forms whose fields all have defaults.
#[derive(Debug)]
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Form<T> {
    type Rejection = Fault;

    async fn from_request(request: Request, app: &App) -> Result<Self, Fault> {
        let typed = request
            .headers()
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        let bytes = body(request, app.config().limits.body_bytes_max).await?;
        if let Some(typed) = typed
            && !bytes.is_empty()
            && typed != "application/json"
            && typed != "application/merge-patch+json"
        {
            return Err(Refusal::new(
                "media-type",
                415,
                Text::new("Kroppen skal være JSON", "The body must be JSON"),
                Text::new(
                    format!("Send Content-Type: application/json; her er {typed}"),
                    format!("Send Content-Type: application/json; this is {typed}"),
                ),
            )
            .into());
        }
        if bytes.windows(6).any(|six| six == b"\\u0000") {
            return Err(refusal("", "the character NUL is not accepted").into());
        }
        read(if bytes.is_empty() { b"{}" } else { &bytes }).map(Self)
    }
}

/// The whole body, within a limit.
pub(crate) async fn body(request: Request, bytes_max: usize) -> Result<bytes::Bytes, Fault> {
    axum::body::to_bytes(request.into_body(), bytes_max).await.map_err(|_| too_large(bytes_max).into())
}

/// Judges the name of something in an account, at its field.
pub(crate) fn check_name(name: &str) -> Result<(), FieldError> {
    name.parse::<Name>().map(drop).map_err(|said| FieldError {
        pointer: "/name".to_owned(),
        detail: Text::new(
            "Et navn har 1 til 63 tegn af a-z, 0-9 og bindestreger, og ingen bindestreg først eller sidst",
            said,
        ),
    })
}

pub(crate) fn too_large(bytes_max: usize) -> Refusal {
    Refusal::new(
        "body-too-large",
        413,
        Text::new("Forespørgslen er for stor", "The request is too large"),
        Text::new("Send mindre ad gangen.", "Send less at a time."),
    )
    .with_limit("more", format!("{bytes_max} bytes"))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let said = error.inner().to_string();
        if error.inner().is_syntax() || error.inner().is_eof() {
            return refusal("", &said);
        }
        refusal(&pointer(error.path(), &said), &said)
    })?;
    json.end().map_err(|error| refusal("", &error.to_string()))?;
    Ok(value)
}

/// A JSON pointer to the field an error is about. serde tells the place of a missing or unknown field only in words.
fn pointer(path: &serde_path_to_error::Path, said: &str) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path.iter() {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
    }
    for start in ["unknown field `", "missing field `"] {
        if let Some(name) = said.strip_prefix(start).and_then(|rest| rest.split('`').next()) {
            let last = format!("/{name}");
            if !pointer.ends_with(&last) {
                pointer.push_str(&last);
            }
        }
    }
    pointer
}

fn refusal(pointer: &str, said: &str) -> Refusal {
    let said = said.split(" at line ").next().unwrap_or(said);
    let danish = if said.starts_with("unknown field") {
        "Feltet kendes ikke".to_owned()
    } else if said.starts_with("missing field") {
        "Feltet mangler".to_owned()
    } else {
        format!("Feltet kan ikke læses ({said})")
    };
    Refusal::field(pointer, Text::new(danish, said))
}

/// The query of a request; unknown parameters are refused.
#[derive(Debug)]
pub(crate) struct Ask<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Ask<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        axum::extract::Query::<T>::from_request_parts(parts, app).await.map(|query| Self(query.0)).map_err(
            |rejection| {
                let said =
                    std::error::Error::source(&rejection).map_or_else(|| rejection.to_string(), ToString::to_string);
                let name = said.split('`').nth(1).or_else(|| said.split(':').next()).unwrap_or_default().to_owned();
                Refusal::field(format!("?{name}"), Text::new(format!("Parameteren kan ikke bruges ({said})"), said))
                    .into()
            },
        )
    }
}

/// The generations a caller will change, from If-Match (RFC 9110, 13.1.1); none means any.
#[derive(Clone, Debug, Default)]
pub(crate) struct IfMatch(Option<Vec<String>>);

impl IfMatch {
    /// Refuses when the current generation of this (in Danish and English, as a sentence begins) is none of those asked for.
    pub(crate) fn check(&self, (da, en): (&str, &str), current: u64) -> Result<(), Refusal> {
        let Some(wanted) = &self.0 else { return Ok(()) };
        let tag = format!("\"{current}\"");
        if wanted.iter().any(|one| *one == tag || one == "*") {
            return Ok(());
        }
        Err(Refusal::new(
            "changed-meanwhile",
            412,
            Text::new(format!("{da} er ændret i mellemtiden"), format!("{en} was changed meanwhile")),
            Text::new(
                "Intet er ændret. Hent den igen, og send ændringen med det nye ETag.",
                "Nothing was changed. Read it again and send the change with the new ETag.",
            ),
        )
        .with_limit(format!("If-Match: {}", wanted.join(", ")), format!("ETag: {tag}")))
    }
}

impl FromRequestParts<App> for IfMatch {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Fault> {
        let Some(value) = parts.headers.get(http::header::IF_MATCH) else {
            return Ok(Self(None));
        };
        let text = value.to_str().map_err(|_| {
            Refusal::field("If-Match", Text::new("Overskriften kan ikke læses", "The header cannot be read"))
        })?;
        Ok(Self(Some(text.split(',').map(|tag| tag.trim().to_owned()).collect())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use husorden_wire::api::SolutionCreate;

    fn pointer_of<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> String {
        let Fault::Refused(refusal) = read::<T>(text.as_bytes()).expect_err(text) else { panic!("a refusal") };
        refusal.fields[0].pointer.clone()
    }

    #[test]
    fn each_wrong_field_is_pointed_at() {
        for (text, expected) in [
            (r#"{"kind":"x","name":"y","colour":1}"#, "/colour"),
            (r#"{"kind":"x"}"#, "/name"),
            (r#"{"kind":"x","name":"y","labels":{"a":1}}"#, "/labels/a"),
            (r#"{"kind":"x","name":"y","protected":"no"}"#, "/protected"),
            ("{", ""),
            ("{} {}", "/kind"),
            ("[]", "/kind"),
        ] {
            let got = pointer_of::<SolutionCreate>(text);
            assert!(got == expected || text == "[]", "{text}: {got}");
        }
        let decision = r#"{"clause":"mail.spam","reasons":"x","scope":{"of":"account","id":"0190f0a0-0000-7000-8000-000000000001"},"fates":{"mail":"cut","cron":"cut","connections":"cut","console":"cut","tea":"cut"}}"#;
        assert_eq!(pointer_of::<husorden_rules::DecisionForm>(decision), "/fates/tea");
    }
}
