//! The demo: an account, its token and one site, made by the API as anybody would. Made twice, it is made once.
//!
//! What is ordered stands in `demo.json`, for it is data: no kind is named here.

use crate::base;
use crate::place::{Place, Settings};
use crate::prepare;
use crate::progress::{Progress, line};
use crate::status::State;
use crate::users::Ids;
use crate::visit;
use anyhow::{Context, Result, bail};
use husorden_base::{AccountId, Domain, Language, Secret};
use husorden_cli::Failure;
use husorden_cli::api::Client;
use husorden_control::bootstrap::NewLogIn;
use husorden_wire::api::{
    Account, Capabilities, Grant, Me, Page, Plan, PlanCreate, Role, Scope, Solution, SolutionCreate, SolutionCreated,
    StaffRole, Subscription, Token,
};
use nix::unistd::{Gid, Uid};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long the first site may take: on the first start its runtimes are built.
const SITE_WAIT: Duration = Duration::from_secs(40 * 60);
/// How long trouble may last before it counts; what a pass cannot do now, the next may.
const TROUBLE_WAIT: Duration = Duration::from_secs(120);
/// Letters of a log-in's password.
const PASSWORD_CHARS: usize = 20;
/// What is ordered.
const ORDER: &str = include_str!("demo.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Demo {
    account: String,
    plans: Vec<PlanCreate>,
    /// The plan that the account has.
    subscribe: String,
    owner: Named,
    staff: Named,
    order: SolutionCreate,
    admin_path: String,
}

/// How much of it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Extent {
    /// The account, its people and its plan.
    Account,
    /// All of it.
    Site,
}

/// Who gets a log-in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    email: String,
    name: String,
}

/// What the demo made, kept in the home for whoever looks around: this is a demo.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// The API's address.
    pub(crate) api: String,
    /// A staff token.
    pub(crate) staff: Held,
    /// A token of the demo account.
    pub(crate) account: Held,
    /// A person who owns the demo account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) owner: Option<LogIn>,
    /// A person of staff, with every role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) staff_person: Option<LogIn>,
    /// The site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) site: Option<Site>,
}

/// A person's log-in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LogIn {
    /// As whom.
    pub(crate) email: String,
    password: Secret,
    /// The secret of the second factor, as an authenticator app takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    totp: Option<Secret>,
}

/// A token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    token: Secret,
    /// The account it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
}

/// The site.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Site {
    /// The solution's name.
    pub(crate) name: String,
    /// Its main name.
    pub(crate) domain: String,
    /// Where to log in.
    pub(crate) admin_url: String,
    /// As whom.
    pub(crate) admin_user: String,
    /// With what.
    pub(crate) admin_password: Secret,
}

impl Credentials {
    /// Where they lie.
    pub(crate) fn path(place: &Place) -> PathBuf {
        place.demo().join("credentials.toml")
    }

    /// Reads them.
    pub(crate) fn read(place: &Place) -> Result<Self> {
        let path = Self::path(place);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} does not hold", path.display()))
    }

    fn write(&self, place: &Place) -> Result<()> {
        let root = Ids { uid: Uid::from_raw(0), gid: Gid::from_raw(0) };
        prepare::folder(&place.demo(), root, 0o700)?;
        prepare::put(&Self::path(place), &toml::to_string(self)?, 0o600, root)?;
        for (name, held) in [("staff.token", &self.staff), ("account.token", &self.account)] {
            prepare::put(&place.demo().join(name), &format!("{}\n", held.token.reveal()), 0o600, root)?;
        }
        Ok(())
    }
}

/// Makes what of the demo is not there, and waits until its site answers over HTTPS.
pub(crate) fn make(place: &Place, settings: &Settings, extent: Extent, progress: &mut Progress) -> Result<Credentials> {
    let demo: Demo = serde_json::from_str(ORDER).context("the demo's order does not hold")?;
    let state = State::read(place)?;
    progress.begin();
    let mut held = tokens(place, settings, &state, &demo)?;
    progress.done(&format!("demo account {} with its token", demo.account));
    people(place, settings, &demo, &mut held)?;
    progress.done(&format!("log-ins {} and, for staff, {}", demo.owner.email, demo.staff.email));
    plans(&state.api, &held.staff.token, &demo)?;
    if extent == Extent::Site {
        site(place, &state, &demo, &mut held, progress)?;
    }
    Ok(held)
}

/// The site.
fn site(place: &Place, state: &State, demo: &Demo, held: &mut Credentials, progress: &mut Progress) -> Result<()> {
    let client = client(&state.api, &held.account.token)?;
    let domain = first_domain(&demo.order)?;
    let path = format!("/v1/solutions/{}", demo.order.name);
    let there: Option<Solution> = found(client.get(&path))?;
    if there.is_none() {
        let made: SolutionCreated = client.post("/v1/solutions", &demo.order).map_err(told)?;
        let shown = made.credentials.first().context("the platform gave no admin password")?;
        let password = shown.password.as_ref().context("the admin password was shown to somebody else")?;
        held.site = Some(Site {
            name: demo.order.name.clone(),
            domain: domain.to_string(),
            admin_url: format!("https://{domain}{}", demo.admin_path),
            admin_user: shown.username.clone(),
            admin_password: Secret::new(password),
        });
        held.write(place)?;
        progress.done(&format!("site {} ordered", demo.order.name));
        line(&format!(
            "              admin user {}, password {password}   (kept in the credentials file)",
            shown.username
        ));
    }
    wait(&client, &path, progress)?;
    progress.done(&format!("site {} is running", demo.order.name));
    answer(state, &domain, progress)?;
    progress.done(&format!("https://{domain}/ answers"));
    Ok(())
}

/// The tokens: those of before where they still hold, else fresh ones.
fn tokens(place: &Place, settings: &Settings, state: &State, demo: &Demo) -> Result<Credentials> {
    let before = Credentials::read(place).ok();
    let holds = |held: &Held| -> Result<bool> { Ok(client(&state.api, &held.token)?.get::<Me>("/v1/me").is_ok()) };
    let staff = match &before {
        Some(before) if holds(&before.staff)? => before.staff.clone(),
        // The first staff token can come from nobody who has one: root makes it in the database.
        _ => Held { token: base::staff_token(place, settings, "demo staff")?, id: None },
    };
    let account = match &before {
        Some(before) if holds(&before.account)? => before.account.clone(),
        _ => account(&state.api, &staff.token, demo)?,
    };
    let (owner, staff_person, site) =
        before.map_or((None, None, None), |before| (before.owner, before.staff_person, before.site));
    let made = Credentials { api: state.api.clone(), staff, account, owner, staff_person, site };
    made.write(place)?;
    Ok(made)
}

/// The log-ins: those of before, else fresh ones. Root makes them, for there is nobody yet who could invite them.
fn people(place: &Place, settings: &Settings, demo: &Demo, held: &mut Credentials) -> Result<()> {
    let log_in = |named: &Named, account, staff: &[StaffRole]| -> Result<LogIn> {
        let password = Secret::generate(PASSWORD_CHARS);
        let made = base::person(
            place,
            settings,
            &NewLogIn {
                email: &named.email,
                name: &named.name,
                language: Language::En,
                password: &password,
                account,
                staff,
                second_factor: !staff.is_empty(),
            },
        )?;
        Ok(LogIn { email: named.email.clone(), password, totp: made.totp })
    };
    if held.owner.is_none() {
        let account = held.account.id.as_deref().context("the demo's account is not known")?;
        let account: AccountId = account.parse().context("the demo account's id is none")?;
        held.owner = Some(log_in(&demo.owner, Some((account, Role::Owner)), &[])?);
    }
    if held.staff_person.is_none() {
        held.staff_person = Some(log_in(&demo.staff, None, &StaffRole::ALL)?);
    }
    held.write(place)
}

fn account(api: &str, staff: &Secret, demo: &Demo) -> Result<Held> {
    let client = client(api, staff)?;
    let all: Page<Account> = client.get("/v1/accounts").map_err(told)?;
    let account = match all.items.into_iter().find(|account| account.name == demo.account) {
        Some(account) => account,
        None => client.post("/v1/accounts", &json!({ "name": demo.account, "language": "en" })).map_err(told)?,
    };
    let form = json!({
        "label": "demo account",
        "account": account.id,
        "scope": Scope { capabilities: Capabilities::of_account(), ..Scope::default() },
    });
    // Staff act in an account's name under a grant only, and nobody of a new account is there to give one.
    let glass = json!({ "account": account.id, "break_glass": "The first token of the demo account" });
    let _: Grant = client.post("/v1/grants", &glass).map_err(told)?;
    let token: Token = client.post("/v1/tokens", &form).map_err(told)?;
    let token = token.token.context("the platform made a token and did not show it")?;
    Ok(Held { token: Secret::new(token), id: Some(account.id) })
}

/// The plans that are sold, and the account's subscription to one of them.
fn plans(api: &str, staff: &Secret, demo: &Demo) -> Result<()> {
    let staff = client(api, staff)?;
    let sold: Page<Plan> = staff.get("/v1/plans").map_err(told)?;
    for plan in demo.plans.iter().filter(|plan| sold.items.iter().all(|there| there.code != plan.code)) {
        let _: Plan = staff.post("/v1/plans", plan).map_err(told)?;
    }
    let there: Page<Subscription> = staff.get(&format!("/v1/subscriptions?account={}", demo.account)).map_err(told)?;
    if there.items.is_empty() {
        let form = json!({ "plan": demo.subscribe, "account": demo.account });
        let _: Subscription = staff.post("/v1/subscriptions", &form).map_err(told)?;
    }
    Ok(())
}

fn client(api: &str, token: &Secret) -> Result<Client> {
    Client::new(api, Some(token.clone()), Language::En, None).map_err(told)
}

fn first_domain(order: &SolutionCreate) -> Result<Domain> {
    let first = order.spec.pointer("/domains/0").and_then(|domain| domain.as_str());
    first.context("the demo's order has no domain")?.parse().map_err(anyhow::Error::msg)
}

/// A failure in words, for `up` has no flags to point to.
fn told(failure: Failure) -> anyhow::Error {
    let text = failure.text(Language::En, &|pointer| pointer.to_owned());
    anyhow::Error::msg(text.trim_start_matches("error: ").trim_end().to_owned())
}

fn found<T>(answer: Result<T, Failure>) -> Result<Option<T>> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(Failure::Refused(problem)) if problem.status == 404 => Ok(None),
        Err(failure) => Err(told(failure)),
    }
}

/// Waits until the site is as wished, and tells what is being done meanwhile.
fn wait(client: &Client, path: &str, progress: &Progress) -> Result<()> {
    let began = Instant::now();
    let (mut last, mut told_at) = (String::new(), Instant::now());
    let mut trouble: Option<Instant> = None;
    loop {
        // Control may be started again under us; only a refusal is an answer.
        match client.get::<Solution>(path) {
            Ok(site) => {
                let settled = site.seen_generation >= site.generation;
                if site.state == "running" && settled {
                    return Ok(());
                }
                let text = site.message.clone().unwrap_or_else(|| site.state.clone());
                if site.state == "trouble" {
                    if trouble.get_or_insert_with(Instant::now).elapsed() > TROUBLE_WAIT {
                        bail!("the demo site does not come up: {text}");
                    }
                } else {
                    trouble = None;
                }
                if matches!(site.state.as_str(), "stopped" | "closed" | "deleting" | "deleted") {
                    bail!("the demo site is {}: {text}", site.state);
                }
                if text != last || told_at.elapsed() > Duration::from_secs(30) {
                    progress.meanwhile(&text);
                    (last, told_at) = (text, Instant::now());
                }
            }
            Err(Failure::Unreachable { .. }) => {}
            Err(failure) => return Err(told(failure)),
        }
        if began.elapsed() > SITE_WAIT {
            bail!("the demo site is not there after {} minutes; last said: {last}", SITE_WAIT.as_secs() / 60);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Waits until the site answers as a visitor sees it.
fn answer(state: &State, domain: &Domain, progress: &Progress) -> Result<()> {
    let edge = SocketAddr::new(state.edge.parse().context("the edge's address is none")?, state.https);
    let began = Instant::now();
    let mut last = String::new();
    loop {
        let said = match visit::page(edge, domain.as_str(), "/", Path::new(&state.ca)) {
            Ok(200) => return Ok(()),
            Ok(status) => format!("https://{domain}/ answers {status}"),
            Err(error) => format!("https://{domain}/: {}", crate::progress::told(&error)),
        };
        if said != last {
            progress.meanwhile(&said);
            last.clone_from(&said);
        }
        if began.elapsed() > Duration::from_secs(120) {
            bail!("the demo site does not answer: {said}");
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}
