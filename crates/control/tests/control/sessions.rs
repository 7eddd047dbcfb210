//! The session machine on the real store, against a model that is told in other words: the model remembers when each proof was
//! given and computes from the history. Acts go through the API; the clock is moved by moving what the database remembers.

use crate::house::House;
use crate::people::{Browser, PASSWORD, Phone};
use husorden_base::PersonId;
use husorden_wire::api::Role;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Value, json};

const CASES: u32 = 24;
const CODE_WAIT_S: i64 = 600;
const IDLE_S: i64 = 2 * 3600;
const WHOLE_S: i64 = 12 * 3600;
const STEP_UP_S: i64 = 900;
const TRIES: u32 = 5;

#[derive(Clone, Copy, Debug)]
enum Act {
    LogIn,
    Code(usize),
    WrongCode(usize),
    StepUp(usize),
    LogOut(usize),
    Everywhere(usize),
    PasswordChange(usize),
    Reset,
    Enrol(usize),
    RemoveFactor(usize),
    Require(bool),
    OtherRole,
    Wait(i64),
}

fn act() -> impl Strategy<Value = Act> {
    let one = 0..5_usize;
    prop_oneof![
        4 => Just(Act::LogIn),
        4 => one.clone().prop_map(Act::Code),
        2 => one.clone().prop_map(Act::WrongCode),
        3 => one.clone().prop_map(Act::StepUp),
        1 => one.clone().prop_map(Act::LogOut),
        1 => one.clone().prop_map(Act::Everywhere),
        1 => one.clone().prop_map(Act::PasswordChange),
        1 => Just(Act::Reset),
        3 => one.clone().prop_map(Act::Enrol),
        1 => one.prop_map(Act::RemoveFactor),
        2 => any::<bool>().prop_map(Act::Require),
        1 => Just(Act::OtherRole),
        // On both sides of each limit, and far enough from it that the time the test takes decides nothing.
        4 => prop_oneof![Just(5), Just(540), Just(660), Just(840), Just(960), Just(7_100), Just(7_300), Just(43_000), Just(43_400)].prop_map(Act::Wait),
    ]
}

/// What the model knows of one session: its history.
#[derive(Clone, Debug)]
struct Story {
    begun: i64,
    waits_for_code: bool,
    coded: bool,
    proven: Vec<i64>,
    used: i64,
    wrong: u32,
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Ended,
    Code,
    Enrol { stepped_up: bool },
    Open { stepped_up: bool },
}

impl Story {
    fn stands(&self, world: &World) -> Stands {
        let life = if self.waits_for_code && !self.coded { CODE_WAIT_S } else { WHOLE_S };
        let stepped_up = self.proven.iter().any(|at| world.now - at < STEP_UP_S);
        if self.over || world.now - self.begun >= life || world.now - self.used >= IDLE_S {
            Stands::Ended
        } else if world.has && !self.coded {
            Stands::Code
        } else if world.required && !world.has {
            Stands::Enrol { stepped_up }
        } else {
            Stands::Open { stepped_up }
        }
    }

    fn proves(&mut self, now: i64) {
        self.proven.push(now);
        (self.used, self.wrong) = (now, 0);
    }
}

/// What is true of the person, as the model has it.
#[derive(Debug, Default)]
struct World {
    now: i64,
    has: bool,
    required: bool,
}

/// One run: a person of its own in the house, its browsers, and their stories.
struct Run<'a> {
    house: &'a House,
    email: String,
    person: String,
    phone: Option<Phone>,
    password: String,
    browsers: Vec<Browser<'a>>,
    stories: Vec<Story>,
    world: World,
    spent: Vec<String>,
}

impl<'a> Run<'a> {
    async fn new(house: &'a House) -> Self {
        let email = format!("{}@ours.example", PersonId::new());
        let person = house.person(&email, Some((house.ours, Role::Technical)), &[]).await;
        house.sql("update account set two_factor_required = false").await;
        let (browsers, stories) = (Vec::new(), Vec::new());
        let (phone, password, spent) = (None, PASSWORD.to_owned(), Vec::new());
        Self { house, email, person, phone, password, browsers, stories, world: World::default(), spent }
    }

    async fn sql(&self, sql: &str) {
        self.house.sql(&sql.replace("$person", &format!("'{}'", self.person))).await;
    }

    /// A code that is right now, whatever was used before: that none counts twice is held elsewhere.
    async fn code(&self) -> String {
        self.sql("update person set totp_step = 0 where id = $person").await;
        let step = jiff::Timestamp::now().as_second() / 30;
        self.phone.as_ref().map_or_else(|| "000000".to_owned(), |phone| phone.code_of(step))
    }

    /// Says something that moves the session on when the model says it may, and is refused when not.
    async fn says(&mut self, n: usize, method: &str, path: &str, body: Value, may: bool) -> Result<Value, String> {
        let before = self.browsers[n].session.clone();
        let said = self.browsers[n].say(method, path, body).await;
        if said.status.is_success() != may {
            return Err(format!("{method} {path} in session {n}: {} {}", said.status, said.body));
        }
        if !may && said.status.is_server_error() {
            return Err(format!("{method} {path}: {}", said.body));
        }
        let opened = if said.body["session"].is_object() { &said.body["session"] } else { &said.body };
        if let Some(secret) = opened["session"].as_str().filter(|_| may) {
            self.browsers[n].session = secret.to_owned();
            self.spent.push(before);
        }
        Ok(said.body)
    }

    async fn act(&mut self, act: Act) -> Result<(), String> {
        self.house.sql("delete from throttle").await;
        let now = self.world.now;
        let chosen = match act {
            Act::Code(n)
            | Act::WrongCode(n)
            | Act::StepUp(n)
            | Act::LogOut(n)
            | Act::Everywhere(n)
            | Act::PasswordChange(n)
            | Act::Enrol(n)
            | Act::RemoveFactor(n) => Some(n),
            Act::LogIn | Act::Reset | Act::Require(_) | Act::OtherRole | Act::Wait(_) => None,
        };
        if chosen.is_some_and(|n| n >= self.browsers.len()) {
            return Ok(());
        }
        let stands = chosen.map_or(Stands::Ended, |n| self.stories[n].stands(&self.world));
        let stepped_up = matches!(stands, Stands::Enrol { stepped_up: true } | Stands::Open { stepped_up: true });
        let is_in = matches!(stands, Stands::Enrol { .. } | Stands::Open { .. });
        match act {
            Act::LogIn if self.browsers.len() < 5 => {
                let mut browser = Browser::new(self.house, "192.0.2.10");
                let opened = browser.try_log_in(&self.email, &self.password, "account").await;
                browser.session = opened.body["session"].as_str().ok_or_else(|| opened.body.to_string())?.to_owned();
                self.browsers.push(browser);
                let has = self.world.has;
                let proven = if has { vec![] } else { vec![now] };
                self.stories.push(Story {
                    begun: now,
                    waits_for_code: has,
                    coded: false,
                    proven,
                    used: now,
                    wrong: 0,
                    over: false,
                });
            }
            Act::LogIn => {}
            Act::Code(n) => {
                let (code, may) = (self.code().await, stands == Stands::Code);
                self.says(n, "POST", "/v1/session/second-factor", json!({ "code": code }), may).await?;
                if may {
                    self.stories[n].coded = true;
                    self.stories[n].proves(now);
                }
            }
            Act::WrongCode(n) => {
                let path = if stands == Stands::Code { "/v1/session/second-factor" } else { "/v1/session/step-up" };
                let body = if self.world.has {
                    json!({ "code": "nonsense" })
                } else {
                    json!({ "password": "nonsense nonsense" })
                };
                self.says(n, "POST", path, body, false).await?;
                if stands == Stands::Code || is_in {
                    self.stories[n].wrong += 1;
                    self.stories[n].over |= self.stories[n].wrong >= TRIES;
                }
            }
            Act::StepUp(n) => {
                let body = if self.world.has {
                    json!({ "code": self.code().await })
                } else {
                    json!({ "password": self.password })
                };
                self.says(n, "POST", "/v1/session/step-up", body, is_in).await?;
                if is_in {
                    self.stories[n].proves(now);
                }
            }
            Act::LogOut(n) => {
                self.says(n, "DELETE", "/v1/session", Value::Null, stands != Stands::Ended).await?;
                self.stories[n].over = true;
            }
            Act::Everywhere(n) => {
                self.says(n, "DELETE", "/v1/sessions", Value::Null, is_in).await?;
                self.stories.iter_mut().for_each(|story| story.over |= is_in);
            }
            Act::PasswordChange(n) => {
                let may = matches!(stands, Stands::Open { .. });
                let fresh = fresh_password();
                let body = json!({ "old": self.password, "new": fresh });
                self.says(n, "POST", "/v1/person/password", body, may).await?;
                if may {
                    self.password = fresh;
                    self.stories.iter_mut().enumerate().for_each(|(other, story)| story.over |= other != n);
                    self.stories[n].proves(now);
                }
            }
            Act::Reset => {
                let wish = json!({ "email": self.email, "realm": "account" });
                let stranger = Browser::new(self.house, "198.51.100.9");
                let before = self.house.mails(&self.email, "password-reset").await.len();
                stranger.say("POST", "/v1/password-resets", wish).await.is(202);
                let secret = self.house.awaited_mails(&self.email, "password-reset", before + 1).await.pop();
                let fresh = fresh_password();
                let form = json!({ "secret": secret, "password": fresh });
                stranger.say("POST", "/v1/password-resets/use", form).await.is(200);
                self.password = fresh;
                self.stories.iter_mut().for_each(|story| story.over = true);
            }
            Act::Enrol(n) => {
                let begun = self.says(n, "POST", "/v1/person/totp", json!({}), stepped_up).await?;
                if stepped_up {
                    let phone = Phone::new(begun["secret"].as_str().ok_or("no secret")?);
                    let code = phone.code_of(jiff::Timestamp::now().as_second() / 30);
                    self.says(n, "POST", "/v1/person/totp/confirm", json!({ "code": code }), true).await?;
                    (self.phone, self.world.has) = (Some(phone), true);
                    self.stories[n].coded = true;
                    self.stories[n].proves(now);
                }
            }
            Act::RemoveFactor(n) => {
                let may = stands == (Stands::Open { stepped_up: true }) && !self.world.required;
                self.says(n, "DELETE", "/v1/person/totp", Value::Null, may).await?;
                self.world.has &= !may;
            }
            Act::Require(required) => {
                self.house.sql(&format!("update account set two_factor_required = {required}")).await;
                self.world.required = required;
            }
            Act::OtherRole => {
                let other = "update member set role = case role when 'billing' then 'technical' else 'billing' end where person = $person";
                self.sql(other).await;
                self.stories.iter_mut().for_each(|story| story.over = true);
            }
            Act::Wait(seconds) => {
                self.sql(&format!(
                    "update session set begun = begun - interval '{seconds} s', seen = seen - interval '{seconds} s',
                        ends = ends - interval '{seconds} s', stepped_up = stepped_up - interval '{seconds} s',
                        second_factor = second_factor - interval '{seconds} s' where person = $person",
                ))
                .await;
                self.world.now += seconds;
            }
        }
        Ok(())
    }

    /// Every session stands as the model says; the look itself is a use. What was given up opens nothing.
    async fn look(&mut self) -> Result<(), String> {
        for n in 0..self.browsers.len() {
            let expected = self.stories[n].stands(&self.world);
            let said = self.browsers[n].say("GET", "/v1/session", Value::Null).await;
            let needs = |need: &str| said.body["needs"].as_array().is_some_and(|all| all.contains(&json!(need)));
            let stepped_up = said.body["stepped_up_until"].is_string();
            let found = match said.status.as_u16() {
                401 => Stands::Ended,
                200 if needs("second-factor") => Stands::Code,
                200 if needs("second-factor-enrol") => Stands::Enrol { stepped_up },
                200 => Stands::Open { stepped_up },
                other => return Err(format!("session {n}: {other} {}", said.body)),
            };
            if found != expected {
                return Err(format!("session {n} stands {found:?}, the model says {expected:?}: {}", said.body));
            }
            let opens = self.browsers[n].say("GET", "/v1/solutions", Value::Null).await.status.is_success();
            if opens != matches!(expected, Stands::Open { .. }) {
                return Err(format!("session {n} stands {expected:?} and opens what is the account's: {opens}"));
            }
            if expected != Stands::Ended {
                self.stories[n].used = self.world.now;
            }
        }
        for secret in &self.spent {
            let old = Browser { session: secret.clone(), ..Browser::new(self.house, "192.0.2.10") };
            let status = old.say("GET", "/v1/session", Value::Null).await.status;
            if status != 401 {
                return Err(format!("a secret that was replaced opens something: {status}"));
            }
        }
        Ok(())
    }
}

/// A password in which no word stands by chance, for one that names its owner is refused.
fn fresh_password() -> String {
    const LETTERS: &[u8; 16] = b"bcdfghjkmpqvwxzB";
    let letters = uuid::Uuid::new_v4().into_bytes();
    letters.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|at| char::from(LETTERS[usize::from(at)])).collect()
}

async fn holds(house: &House, acts: &[Act]) -> Result<(), String> {
    let mut run = Run::new(house).await;
    for (at, act) in acts.iter().enumerate() {
        run.act(*act).await.map_err(|why| format!("act {at}, {act:?}: {why}"))?;
        run.look().await.map_err(|why| format!("after act {at}, {act:?}: {why}"))?;
    }
    Ok(())
}

#[tokio::test]
async fn the_store_does_what_the_model_says() {
    let house = House::new().await;
    let config = Config { failure_persistence: None, rng_seed: RngSeed::Random, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let many = prop::collection::vec(act(), 8..40);
    for _ in 0..CASES {
        let mut tree = many.new_tree(&mut runner).expect("acts");
        let Err(mut why) = holds(&house, &tree.current()).await else { continue };
        // The smallest story that still goes wrong is the one to read.
        let mut acts = tree.current();
        for _ in 0..60 {
            if !tree.simplify() {
                break;
            }
            match holds(&house, &tree.current()).await {
                Err(smaller) => (why, acts) = (smaller, tree.current()),
                Ok(()) => {
                    if !tree.complicate() {
                        break;
                    }
                }
            }
        }
        panic!("{why}\n{acts:#?}");
    }
    house.running.stop().await;
}
