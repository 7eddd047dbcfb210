//! `husorden firewall`: rule sets that say what is let in at public addresses. A rule is told by its place in the list, counted from 1.

use crate::api::{Ask, segment, to_value};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{self, Row};
use husorden_wire::api::{Firewall, FirewallChange, FirewallCreate, FirewallRule};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use ureq::http::Method;

/// What can be done with firewalls.
#[derive(Debug, clap::Subcommand)]
pub enum Verb {
    /// List firewalls
    #[command(visible_alias = "ls")]
    List,
    /// Show one: its rules, and the solutions it holds for
    Show {
        /// Its name or id
        firewall: String,
    },
    /// Make one
    Create {
        /// Its name
        name: String,
        #[command(flatten)]
        holds: Holds,
    },
    /// Add a rule: what is let in, and from where
    Add {
        /// Its name or id
        firewall: String,
        /// What: tcp, udp, or icmp, which is its echo
        protocol: String,
        /// A port such as 443, or a range such as 8000-8100; icmp has none
        #[arg(default_value = "")]
        ports: String,
        /// From where: an address or a range, again and again; `any` is everybody
        #[arg(long, required = true)]
        from: Vec<String>,
        /// Why, for people
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Take a rule away; connections that nothing else lets in are cut
    Remove {
        /// Its name or id
        firewall: String,
        /// The rule's place in the list, from 1
        rule: usize,
    },
    /// Say which solutions it holds for, in the place of what was said before
    Apply {
        /// Its name or id
        firewall: String,
        #[command(flatten)]
        holds: Holds,
    },
    /// Delete one; what it alone opened is closed
    Delete {
        /// Its name or id
        firewall: String,
    },
}

/// Which solutions a firewall holds for.
#[derive(Debug, clap::Args)]
pub struct Holds {
    /// A label they have, again and again; all of them are asked for
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// One of them, by name or id, again and again
    #[arg(long = "solution", value_name = "SOLUTION")]
    solutions: Vec<String>,
}

impl Holds {
    fn labels(&self) -> BTreeMap<String, String> {
        self.labels.iter().cloned().collect()
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write a label as name=value")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn path(firewall: &str) -> String {
    format!("/v1/firewalls/{}", segment(firewall))
}

/// Both families, where everybody is meant.
fn sources(from: Vec<String>) -> Vec<String> {
    let each = |one: String| if one == "any" { vec!["0.0.0.0/0".to_owned(), "::/0".to_owned()] } else { vec![one] };
    from.into_iter().flat_map(each).collect()
}

impl Verb {
    pub(crate) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => output::list(context.format, &context.api.all::<Firewall>("/v1/firewalls")?),
            Self::Show { firewall } => {
                let one: Firewall = context.api.get(&path(&firewall))?;
                output::one(context.format, &one.name, &one)
            }
            Self::Create { name, holds } => {
                let form = FirewallCreate {
                    name,
                    labels: holds.labels(),
                    solutions: holds.solutions,
                    ..FirewallCreate::default()
                };
                let one: Firewall = context.api.post("/v1/firewalls", &form)?;
                done(
                    context,
                    &one,
                    context.word("er lavet; den slipper ingen ind endnu", "was made; it lets nobody in yet"),
                )
            }
            Self::Add { firewall, protocol, ports, from, note } => {
                let ports = Some(ports).filter(|ports| !ports.is_empty());
                let rule = FirewallRule { protocol, ports, from: sources(from), note };
                rules(context, &firewall, |mut rules| {
                    rules.push(rule);
                    Ok(rules)
                })
            }
            Self::Remove { firewall, rule } => rules(context, &firewall, |mut rules| {
                if !(1..=rules.len()).contains(&rule) {
                    let text = context.word("er ikke en regel i den.", "is no rule of it.");
                    return Err(Failure::Usage(format!("{rule} {text}")));
                }
                rules.remove(rule - 1);
                Ok(rules)
            }),
            Self::Apply { firewall, holds } => {
                let (labels, solutions) = (Some(holds.labels()), Some(holds.solutions));
                let change = FirewallChange { labels, solutions, ..FirewallChange::default() };
                let one: Firewall =
                    context.api.ask(&Ask::new(Method::PATCH, &path(&firewall)).with(&to_value(&change)?))?;
                done(context, &one, context.word("gælder nu for", "holds now for"))
            }
            Self::Delete { firewall } => {
                context.confirm(&format!(
                    "{firewall}: {}",
                    context.word(
                        "Slet firewallen? Det, den alene slipper ind, afvises, og åbne forbindelser lukkes.",
                        "Delete the firewall? What it alone lets in is refused, and open connections are cut."
                    )
                ))?;
                let _: Value = context.api.ask(&Ask::new(Method::DELETE, &path(&firewall)))?;
                let text = format!("{firewall} {}", context.word("er slettet", "was deleted"));
                output::done(context.format, &firewall, &json!({ "name": firewall }), &text)
            }
        }
    }
}

/// Changes the rules of one as they were read, so that nobody's change is lost.
fn rules(
    context: &Context,
    firewall: &str,
    change: impl FnOnce(Vec<FirewallRule>) -> Result<Vec<FirewallRule>, Failure>,
) -> Result<(), Failure> {
    let before: Firewall = context.api.get(&path(firewall))?;
    let rules = Some(to_value(&change(before.rules)?)?);
    let body = to_value(&FirewallChange { rules, ..FirewallChange::default() })?;
    let one: Firewall =
        context.api.ask(&Ask::new(Method::PATCH, &path(&before.id)).with(&body).if_match(before.generation))?;
    done(context, &one, context.word("er ændret; den gælder for", "was changed; it holds for"))
}

fn done(context: &Context, one: &Firewall, what: &str) -> Result<(), Failure> {
    let open: Vec<&str> = one.holds_for.iter().map(|holder| holder.name.as_str()).collect();
    let closed: Vec<&str> =
        one.holds_for.iter().filter(|holder| holder.addresses.is_empty()).map(|holder| holder.name.as_str()).collect();
    let mut text = format!("{} {what} {}", one.name, if open.is_empty() { "–".to_owned() } else { open.join(", ") });
    if !closed.is_empty() {
        let (names, why) = (
            closed.join(", "),
            context.word(
                "har ingen offentlig adresse, så dér åbner den intet",
                "has no public address, so it opens nothing there",
            ),
        );
        text = format!("{text}\n{names}: {why}");
    }
    for finding in &one.findings {
        text = format!("{text}\n{}: {}", finding.title, finding.advice);
    }
    output::done(context.format, &one.name, one, &text)
}

impl Row for Firewall {
    const COLUMNS: &'static [&'static str] = &["name", "rules", "labels", "holds for", "findings"];

    fn cells(&self) -> Vec<String> {
        let labels: Vec<String> = self.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let holders: Vec<&str> = self.holds_for.iter().map(|holder| holder.name.as_str()).collect();
        let findings: Vec<&str> = self.findings.iter().map(|finding| finding.title.as_str()).collect();
        vec![self.name.clone(), self.rules.len().to_string(), labels.join(" "), holders.join(" "), findings.join("; ")]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_both_families() {
        let from = ["192.0.2.0/24", "any"].map(str::to_owned).to_vec();
        assert_eq!(sources(from), ["192.0.2.0/24", "0.0.0.0/0", "::/0"]);
        assert_eq!(label("role=web"), Ok(("role".to_owned(), "web".to_owned())));
        assert!(label("role").is_err());
    }
}
