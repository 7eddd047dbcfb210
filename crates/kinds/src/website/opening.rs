//! How a site is opened for a proof, and what is noted of it: its files by folder, its database, and its front page.

use super::engine::{self, DB, GENERATED, WWW, mark};
use super::spec::{Runtime, Spec};
use crate::opening::{COUNT_MS_MAX, still, task};
use crate::{Bind, Look, Noting, Opening, Order, Place, Task};
use husorden_base::{Bytes, RuntimeName, Text};
use std::collections::BTreeMap;

const START_S: u32 = 3_600;
const READ_S: u32 = 4 * 3_600;
/// Seconds that noting may take in all, and a front page.
const NOTE_S: u32 = 120;
const PAGE_S: u32 = 60;

/// What the volume holds, as its marks say.
struct Held {
    spec: Spec,
    database: Option<RuntimeName>,
    serving: Option<RuntimeName>,
    /// Its page asks something that is not on the volume.
    attached: bool,
}

pub(super) fn noting(order: &Order, marks: &BTreeMap<String, String>) -> Noting {
    let Some(held) = Held::read(order, marks) else { return Noting::default() };
    let count = held.database.as_ref().map(|database| count(&held.spec, database, COUNT_MS_MAX, NOTE_S));
    Noting { around: count.into_iter().chain(held.page()).collect(), still: vec![still(held.files())] }
}

pub(super) fn opening(order: &Order, marks: &BTreeMap<String, String>) -> Option<Opening> {
    let held = Held::read(order, marks)?;
    let mut opening = Opening::default();
    let mut look = |what: Text, task: Task, first: bool| opening.looks.push(Look { what, task, first });
    look(Text::new("Filerne tælles mappe for mappe", "The files are counted folder by folder"), held.files(), false);
    if let Some(database) = &held.database {
        look(
            Text::new(
                format!("{database} starter på det genskabte, som efter en strømafbrydelse"),
                format!("{database} starts on what was restored, as after a power cut"),
            ),
            asking(&held.spec, database, "start", crate::mariadb::LOOK, START_S),
            true,
        );
        look(
            Text::new("Alle tabeller læses efter med CHECK TABLE", "All tables are checked with CHECK TABLE"),
            asking(&held.spec, database, "check", crate::mariadb::CHECK, READ_S),
            false,
        );
        look(
            Text::new("Rækkerne i alle tabeller tælles", "The rows of all tables are counted"),
            count(&held.spec, database, 0, READ_S),
            false,
        );
        opening.services.insert(DB.to_owned(), engine::db_opened(&held.spec, database));
    }
    if let Some(page) = held.page() {
        let what = Text::new("Forsiden hentes fra det genskabte", "The front page is asked of what was restored");
        opening.looks.push(Look { what, task: page, first: false });
    }
    Some(opening)
}

impl Held {
    fn read(order: &Order, marks: &BTreeMap<String, String>) -> Option<Self> {
        // Data that a log is still to be carried out on is not yet what is asked for.
        if crate::segments::due(marks).is_some() {
            return None;
        }
        let spec = Spec::stored(&order.spec).ok()?;
        let away = marks.get(mark::AWAY).is_some_and(|place| place != super::attached::NONE);
        let database = engine::held(marks).filter(|_| !away).and_then(|(database, _)| database.catalogue());
        let serving = marks.get(mark::RUNTIME).and_then(|name| Runtime::named(name)).and_then(Runtime::catalogue);
        let serving = serving.filter(|_| spec.runtime != Runtime::Static);
        let attached = away || spec.attach.is_some();
        Some(Self { spec, database, serving, attached })
    }

    /// Counts files; of a site of files alone the front page is one of them.
    fn files(&self) -> Task {
        let tools = self.serving.clone().unwrap_or_else(|| engine::toolbox(&self.spec));
        let mut sandbox = self.tools(&tools, "look.php", include_str!("files/look.php"));
        sandbox.binds = vec![Bind { from: Place::Folder("www".to_owned()), to: WWW.to_owned(), write: false }];
        let page = if self.spec.runtime == Runtime::Static { "file" } else { "script" };
        sandbox.env.insert("PAGE".to_owned(), page.to_owned());
        sandbox.limits.memory = Bytes::mib(128);
        task("files", sandbox, NOTE_S)
    }

    /// The front page, where everything that it asks lies on the volume.
    fn page(&self) -> Option<Task> {
        let runtime = self.serving.as_ref().filter(|_| !self.attached)?;
        let mut sandbox = self.tools(runtime, "page.php", include_str!("files/page.php"));
        engine::script(&mut sandbox, "page.sh", include_str!("files/page.sh"));
        sandbox.env.extend([
            ("PHP".to_owned(), engine::version(runtime).to_owned()),
            ("MEMORY".to_owned(), format!("{}M", self.spec.php.memory_mb)),
            ("SITE".to_owned(), self.spec.domains[0].to_string()),
        ]);
        Some(task("page", sandbox, PAGE_S))
    }

    /// A sandbox of PHP that runs one of our own scripts.
    fn tools(&self, runtime: &RuntimeName, name: &str, text: &str) -> crate::Sandbox {
        let mut sandbox = engine::php_sandbox(&self.spec, runtime);
        let path = format!("{GENERATED}/{name}");
        sandbox.argv = engine::words(&[&format!("/usr/bin/php{}", engine::version(runtime)), &path]);
        sandbox.files.insert(path, text.to_owned());
        sandbox.files.insert(format!("{GENERATED}/title.php"), include_str!("files/title.php").to_owned());
        sandbox.env.insert("ROOT".to_owned(), engine::inner_root(&self.spec));
        sandbox
    }
}

fn count(spec: &Spec, database: &RuntimeName, limit_ms: u32, limit_s: u32) -> Task {
    let mut task = asking(spec, database, "count", crate::mariadb::COUNT, limit_s);
    task.sandbox.env.insert("LIMIT_MS".to_owned(), limit_ms.to_string());
    task
}

/// A task that asks the database by its socket, and sees nothing else.
fn asking(spec: &Spec, database: &RuntimeName, name: &str, text: &str, limit_s: u32) -> Task {
    let mut sandbox = engine::db_sandbox(spec, database);
    engine::script(&mut sandbox, &format!("{name}.sh"), text);
    sandbox.binds = vec![engine::sockets()];
    engine::SOCKETS.clone_into(&mut sandbox.cwd);
    sandbox.limits.memory = Bytes::mib(128);
    sandbox.limits.pids = 32;
    task(name, sandbox, limit_s)
}
