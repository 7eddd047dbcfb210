//! `husorden notification`: which events come to a member as mail.

use crate::api::{Ask, segment, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_wire::api::{MailChange, MailChoice, Member, Page, Topic};
use ureq::http::Method;

/// What can be done with mails by event.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// Show which events come to a member as mail
    #[command(visible_alias = "ls")]
    List {
        /// The member: e-mail address or id
        member: String,
    },
    /// Choose which events come to a member as mail
    Set {
        /// The member: e-mail address or id
        member: String,
        /// Topics: `trouble=on work=off`
        #[arg(required = true, value_name = "TOPIC=on|off", value_parser = choice)]
        choices: Vec<(Topic, bool)>,
    },
}

fn choice(text: &str) -> Result<(Topic, bool), String> {
    let (topic, word) = text.split_once('=').ok_or("write a topic and on or off, such as trouble=on")?;
    let mail = match word {
        "on" => true,
        "off" => false,
        other => return Err(format!("{other:?} is neither on nor off")),
    };
    Ok((topic.parse()?, mail))
}

/// Where a member's choices are; a member is named by its address or its id.
fn path(context: &Context, member: &str) -> Result<String, Failure> {
    let id = if member.contains('@') {
        let all: Vec<Member> = context.api.all("/v1/members")?;
        let found = all.into_iter().find(|one| one.email.eq_ignore_ascii_case(member));
        found.map_or_else(|| member.to_owned(), |one| one.person)
    } else {
        member.to_owned()
    };
    Ok(format!("/v1/members/{}/notifications", segment(&id)))
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        let page: Page<MailChoice> = match self {
            Self::List { member } => context.api.get(&path(context, &member)?)?,
            Self::Set { member, choices } => {
                let body = to_value(&MailChange { mail: choices.into_iter().collect() })?;
                context.api.ask(&Ask::new(Method::PATCH, &path(context, &member)?).with(&body))?
            }
        };
        output::list(context.format, &page.items)
    }
}

impl Row for MailChoice {
    const COLUMNS: &'static [&'static str] = &["topic", "mail", "usual", "about"];

    fn cells(&self) -> Vec<String> {
        let word = |on: bool| if on { "on" } else { "off" }.to_owned();
        let mail = if self.fixed { "always".to_owned() } else { word(self.mail) };
        vec![self.topic.to_string(), mail, word(self.usual), self.topic.about().get(crate::language()).to_owned()]
    }

    fn name(&self) -> String {
        self.topic.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_words() {
        for (text, expected) in [
            ("trouble=on", Some((Topic::Trouble, true))),
            ("work=off", Some((Topic::Work, false))),
            ("work=maybe", None),
            ("tea=on", None),
            ("work", None),
        ] {
            assert_eq!(choice(text).ok(), expected, "{text}");
        }
    }
}
