//! What the platform can host: one folder per kind, all on the same four walls.
//!
//! A kind is pure. It reads a form into a spec, says what names it claims, and plans: from an [`Order`] (what is wished) and
//! a [`Sight`] (what a look at the machine showed) it makes a [`Plan`] of [`Step`]s, which are verbs of the walls and nothing
//! else. The node carries steps out; it makes no choices. A kind states its aim a second time in [`Kind::reached`], so that
//! a plan which forgets a step is found out by the tests that cut it anywhere.
//!
//! To add a kind: a folder, a `mod` line and an entry in [`KINDS`].

pub mod allow;
pub mod attach;
pub mod builds;
pub mod console;
mod database;
mod disk_image;
pub mod fake;
pub mod figure;
pub mod finding;
pub mod firewall;
pub mod form;
#[cfg(test)]
mod harness;
pub mod hole;
pub mod host;
pub mod mail_out;
mod mariadb;
pub mod network;
pub mod opening;
pub mod order;
pub mod own_image;
mod package;
pub mod page;
pub mod pass;
pub mod probe;
pub mod public;
pub mod quiesce;
pub mod sandbox;
pub mod schema;
pub mod scheme;
pub mod segments;
mod server;
pub mod sight;
pub mod step;
pub mod tap;
pub mod update;
pub mod virtualisation;
mod website;
pub mod window;

pub use attach::{Attach, Guest, Protocol, Served, Used};
pub use builds::{Builds, Move};
pub use console::Console;
pub use finding::{Finding, Severity};
pub use firewall::{Passage, Rule};
pub use host::{Halt, Host, Trouble};
pub use mail_out::MailOut;
pub use network::{Membership, NetworkNumber};
pub use opening::{Look, Noting, Opening, Said};
pub use order::{Aim, Credential, Login, Order, Standing};
pub use page::{CardRow, Glyph, Log, Offer, Snippet, Whereabouts};
pub use pass::{Outcome, pass};
pub use probe::Probe;
pub use public::Public;
pub use quiesce::{Consistent, Quiesce};
pub use sandbox::{
    Bind, Brake, Fill, Io, LIVE, Limits, Live, Network, ON_TRIAL, Place, Reach, Role, Sandbox, Service, TRIAL_OF, Task,
    TaskName, same_but_live,
};
pub use scheme::Scheme;
pub use segments::{Keeping, Segments, Sign};
pub use sight::{RuntimeSight, ServiceSight, ServiceState, Sight, TaskSight, VolumeSight};
pub use step::{Allow, Door, Plan, Port, Route, Step, Waiting, Way};
pub use virtualisation::Virtualisation;
pub use window::Window;

use husorden_base::{Bytes, FieldError, RuntimeName, Text};
use serde_json::Value;
use std::collections::BTreeMap;

/// Every kind there is. A closed list: what does not stand here does not exist.
pub static KINDS: [&dyn Kind; 4] = [&website::Website, &database::Database, &server::Server, &disk_image::DiskImage];

/// The kind with this name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static dyn Kind> {
    KINDS.into_iter().find(|kind| kind.name() == name)
}

/// What a solution may take at most, as plans count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Disk.
    pub disk: Bytes,
    /// Memory.
    pub memory: Bytes,
    /// Processor, in percent of one core.
    pub cpu_percent: u32,
}

/// A format of what is handed out as one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFormat {
    /// Its word in the API.
    pub word: &'static str,
    /// What names of such files end with, without a dot first.
    pub ending: &'static str,
    /// Its media type.
    pub media: &'static str,
    /// About how large a stream is, in percent of the data as the solution holds it. Nothing rests on it but how far a first one seems.
    pub share_percent: u32,
}

/// Something the platform can host.
pub trait Kind: Sync {
    /// Its name in the API, the CLI and the database.
    fn name(&self) -> &'static str;

    /// What people call it.
    fn title(&self) -> Text;

    /// JSON Schema (2020-12) of its spec, with titles and descriptions; the OpenAPI text, the CLI's help and the panel's
    /// form come from it.
    fn schema(&self) -> Value;

    /// Reads a form into a spec with every default filled in. `before` is the spec that is changed, none at creation.
    /// Unknown fields are refused; every field that is wrong is named at once, with a pointer relative to the spec.
    ///
    /// # Errors
    /// The fields that are wrong.
    fn parse(&self, form: &Value, before: Option<&Value>) -> Result<Value, Vec<FieldError>>;

    /// The image that it is made from, where it is made from one.
    fn image(&self, _spec: &Value) -> Option<RuntimeName> {
        None
    }

    /// The kind whose data it is made of; none for one that begins with nothing.
    fn made_of(&self) -> Option<&'static str> {
        None
    }

    /// The spec of one that is made of data of that kind with this spec.
    fn spec_made_of(&self, _other: &Value) -> Option<Value> {
        None
    }

    /// The disk that it gives others of its account to be made from: the folder of its volume that holds it, and how large it is.
    fn gives_disk(&self, _marks: &BTreeMap<String, String>) -> Option<(&'static str, Bytes)> {
        None
    }

    /// Whether anything runs of it; what is kept alone has no power to take.
    fn runs(&self) -> bool {
        true
    }

    /// What is wrong with the name of a solution, where the kind asks for more than a name has to be.
    fn name_wrong(&self, _name: &str) -> Option<Text> {
        None
    }

    /// What must be the solution's alone in the whole installation, as (space, key), such as `("domain", "www.shop.example")`.
    fn claims(&self, spec: &Value) -> Vec<(&'static str, String)>;

    /// The most its volume may hold.
    fn volume(&self, spec: &Value) -> Bytes;

    /// What it takes of a plan: disk, memory and processor at most.
    fn demand(&self, spec: &Value) -> Demand {
        Demand { disk: self.volume(spec), ..Demand::default() }
    }

    /// Passwords that are made with the solution and shown once.
    fn credentials(&self, spec: &Value) -> Vec<Login>;

    /// Whether a solution is reached by its own name and a port, beside the edge.
    fn host(&self) -> bool {
        false
    }

    /// Whether an agreement may open its way to TCP port 25 outside.
    fn mails_out(&self) -> bool {
        false
    }

    /// What it can be attached to, by what it speaks; nothing for a kind that uses no others.
    fn accepts(&self) -> &'static [Protocol] {
        &[]
    }

    /// Of what it can be attached to, that in which its own data can lie.
    fn holds_in(&self) -> &'static [Protocol] {
        &[]
    }

    /// What it offers to be attached to; none for a kind that nobody uses.
    fn serves(&self, _spec: &Value) -> Option<Served> {
        None
    }

    /// Where an uploaded archive is unpacked: the folder of the volume that holds the customer's files, and one for scratch
    /// beside it. None when the kind takes no archives.
    fn intake(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Whether it is always backed up. Where it is not, its owner may turn that off.
    fn backup_required(&self) -> bool {
        true
    }

    /// What of it is handed out as one stream and taken in again, each by its name, such as its databases.
    fn parts(&self, _spec: &Value) -> Vec<String> {
        Vec::new()
    }

    /// The formats of such streams, the usual one first; none for a kind without parts.
    fn formats(&self, _spec: &Value) -> &'static [StreamFormat] {
        &[]
    }

    /// The figure that says how many bytes of data all parts have together; none where nobody measures it.
    fn parts_figure(&self) -> Option<&'static str> {
        None
    }

    /// The task whose standard output is a part of it. None where there is no such part to be read now.
    fn dump(&self, _order: &Order, _marks: &BTreeMap<String, String>, _part: &str, _format: &str) -> Option<Task> {
        None
    }

    /// Whether it can be taken away as a package.
    fn packs(&self) -> bool {
        false
    }

    /// The task whose standard output is all of it, as a tar with a page that says how it comes back on a plain Debian. None where nothing is
    /// there to be packed now.
    fn package(&self, _order: &Order, _marks: &BTreeMap<String, String>) -> Option<Task> {
        None
    }

    /// The task that takes a part in from its standard input. Whoever starts it takes a snapshot first.
    fn load(&self, _order: &Order, _marks: &BTreeMap<String, String>, _part: &str, _format: &str) -> Option<Task> {
        None
    }

    /// The same for a part that takes the place of what there is: what the part holds now goes first.
    fn put_back(&self, _order: &Order, _marks: &BTreeMap<String, String>, _part: &str, _format: &str) -> Option<Task> {
        None
    }

    /// The task that says whether it serves as it stands, by asking its services what people ask of them. Its mark is set by
    /// whoever has it run. None where nothing runs.
    fn proof(&self, _order: &Order, _sight: &Sight) -> Option<Task> {
        None
    }

    /// Whether what runs of it may stand still through a measure, or go on behind a closed port, and be as it was afterwards. Of other
    /// kinds it ends, whatever a decision says.
    fn stands_still(&self) -> bool {
        false
    }

    /// The task that boots a guest on the machine's own virtualisation, and says so as a look says what it found. None for a kind without
    /// guests.
    fn trial(&self) -> Option<Task> {
        None
    }

    /// What its owner should know of the machine that it lies on.
    fn findings_of_machine(&self, _virtualisation: &Virtualisation) -> Vec<Finding> {
        Vec::new()
    }

    /// What is noted of it when a backup is written.
    fn noting(&self, _order: &Order, _marks: &BTreeMap<String, String>) -> Noting {
        Noting::default()
    }

    /// How what was restored of it is opened for a proof. None where there is nothing to be opened.
    fn opening(&self, _order: &Order, _marks: &BTreeMap<String, String>) -> Option<Opening> {
        None
    }

    /// What a probe asks to see from outside whether it is closed. None when strangers reach nothing of it.
    fn probe(&self, spec: &Value) -> Option<Probe>;

    /// The ready-made starts that the page of new solutions offers; without any, the whole form is offered.
    fn offers(&self) -> Vec<Offer> {
        let (title, about) = (self.title(), Text::new("", ""));
        vec![Offer { name: self.name(), title, about, glyph: Glyph::Box, spec: Value::Object(serde_json::Map::new()) }]
    }

    /// The card of one solution: its addresses and what else its owner looks for first.
    fn card(&self, _at: &Whereabouts, _spec: &Value) -> Vec<CardRow> {
        Vec::new()
    }

    /// How one of its logins connects, ready to paste.
    fn snippets(&self, _at: &Whereabouts, _spec: &Value, _login: &str) -> Vec<Snippet> {
        Vec::new()
    }

    /// What is lawful in its spec and yet unwise. A kind that says more adds to what its allow-list says.
    fn findings(&self, spec: &Value) -> Vec<Finding> {
        allow::findings(spec)
    }

    /// What is measured of it while it runs, beside what the walls measure of all ([`figure::common`]).
    fn figures(&self) -> Vec<figure::Figure> {
        Vec::new()
    }

    /// How what runs of it is asked for the numbers of its figures; who sleeps is not asked.
    fn gauges(&self, _spec: &Value) -> Vec<figure::Gauge> {
        Vec::new()
    }

    /// How the log of its data is kept, so that a copy can be had as of any second. None while there is no data, or no log of it.
    fn segments(&self, _order: &Order, _marks: &BTreeMap<String, String>) -> Option<Segments> {
        None
    }

    /// What such a copy holds, for whoever chooses the second.
    fn as_of(&self) -> Text {
        Text::new(
            "Alt, der skrives, gemmes også som en log. Vælg et tidspunkt, og få data, som de var da.",
            "Everything that is written is kept as a log too. Choose a time, and have the data as it was then.",
        )
    }

    /// Where it keeps what its services say. None where nothing is kept.
    fn log(&self) -> Option<Log> {
        None
    }

    /// How its console is reached. None for a kind without a screen.
    fn console(&self, _spec: &Value) -> Option<Console> {
        None
    }

    /// How what runs of it is asked to hold still while a snapshot is taken. None where a snapshot needs nobody's word.
    fn quiesce(&self, _spec: &Value) -> Option<Quiesce> {
        None
    }

    /// What comes of it when its volume is full.
    fn when_full(&self) -> Text {
        Text::new("Når den er fuld, kan der ikke skrives mere.", "When it is full, nothing more can be written.")
    }

    /// The spec as its data has it, where what is wished has not come true yet: a change is read as one of this.
    fn held(&self, spec: &Value, _marks: &BTreeMap<String, String>) -> Value {
        spec.clone()
    }

    /// Whether changing `before` into `after` may lose something, so that a snapshot is made first.
    fn destructive(&self, before: &Value, after: &Value) -> bool;

    /// The fields of the spec with which all of its data is made anew from what it was made from; none for a kind whose data has no such
    /// beginning.
    fn rebuilt(&self, _spec: &Value) -> Option<Value> {
        None
    }

    /// What to do next. Pure: the same order and sight give the same plan. An empty plan that waits for nothing says settled.
    fn plan(&self, order: &Order, sight: &Sight) -> Plan;

    /// Whether the aim is reached, stated independently of [`Kind::plan`].
    ///
    /// # Errors
    /// What is missing, for the tests' reader.
    fn reached(&self, order: &Order, sight: &Sight) -> Result<(), String>;
}
