//! What a node must remember: wishes, measures, numbers, routes, ended verbs and its own lines of evidence.
//!
//! One file (redb) that survives a kill at any moment. What is acknowledged to anybody was synced first. Reads come from
//! memory; 10,000 wishes are some tens of megabytes.

mod builds;
pub(crate) mod copies;
mod lines;
#[cfg(test)]
mod tests;
mod turn;

use husorden_base::{AccountId, MeasureId, Number, OrderId, SolutionId};
use husorden_evidence::Hash;
use husorden_kinds::{Attach, Builds, Route};
use husorden_rules::{Held, Measure, hold};
use husorden_wire::node::{VerbState, Wish};
use jiff::Timestamp;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use turn::Turns;

const WISH: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("wish");
const MEASURE: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("measure");
const NUMBER: TableDefinition<'_, u32, u128> = TableDefinition::new("number");
const ROUTE: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("route");
const VERB: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("verb");
const EVIDENCE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("evidence");
const GONE: TableDefinition<'_, u128, (u64, u64)> = TableDefinition::new("gone");
const CHAIN: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("chain");
/// What each solution runs on.
const BUILDS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("builds");
/// Of each solution, which backup at which target was made of which snapshot.
const COPIES: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("copies");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// Pages of the file that are kept in memory, in bytes. What is read stands in [`Memory`] anyway; this is for writes.
const CACHE_BYTES_MAX: usize = 8 << 20;

/// How the register fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file could not be opened.
    #[error("opening the node's register {path}")]
    Open {
        /// Where it lies.
        path: String,
        /// Why.
        #[source]
        source: Box<redb::Error>,
    },
    /// A read or write failed.
    #[error("the node's register: {0}")]
    Store(#[source] Box<redb::Error>),
    /// A row does not read as what it should be.
    #[error("a row of the node's register does not read")]
    Row(#[from] serde_json::Error),
}

fn store(error: impl Into<redb::Error>) -> Error {
    Error::Store(Box::new(error.into()))
}

/// Why a wish was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WishError {
    /// The node holds a newer one.
    #[error("epoch {epoch} generation {generation} is held already")]
    Older {
        /// Epoch held.
        epoch: u64,
        /// Generation held.
        generation: u64,
    },
    /// The number belongs to another solution, so uid, addresses and volume would be shared.
    #[error("number {number} was given to {solution} before")]
    NumberTaken {
        /// The number.
        number: Number,
        /// Whose it is.
        solution: SolutionId,
    },
    /// The kind is not one of this version.
    #[error("kind {0:?} is unknown to this node")]
    UnknownKind(String),
}

#[derive(Default)]
struct Memory {
    wishes: HashMap<SolutionId, Wish>,
    /// Who is attached to whom: the one that is used, and the one that uses it.
    attached: BTreeSet<(SolutionId, SolutionId)>,
    measures: BTreeMap<MeasureId, Measure>,
    routes: BTreeMap<Number, Route>,
    numbers: HashMap<Number, SolutionId>,
    /// Epoch and generation of what was destroyed, so that an older wish does not bring an empty one back.
    gone: HashMap<SolutionId, (u64, u64)>,
    meta: HashMap<String, u64>,
    builds: HashMap<SolutionId, Builds>,
    /// The hash of the last line of evidence, which the next one carries.
    chain: Option<Hash>,
}

impl Memory {
    /// Puts a wish in the place of what there was of its solution.
    fn put(&mut self, wish: Wish) {
        self.take(wish.solution);
        if let Some(attach) = Attach::of(&wish.spec) {
            self.attached.insert((attach.solution, wish.solution));
        }
        self.wishes.insert(wish.solution, wish);
    }

    fn take(&mut self, solution: SolutionId) {
        let Some(wish) = self.wishes.remove(&solution) else { return };
        if let Some(attach) = Attach::of(&wish.spec) {
            self.attached.remove(&(attach.solution, solution));
        }
    }
}

/// The register. Its memory changes only in its writer's turn, and is locked for moments: who reads never waits for the disk.
pub(crate) struct Register {
    database: Database,
    turns: Turns,
    memory: Mutex<Memory>,
}

impl Register {
    /// Opens the register, making it when there is none.
    ///
    /// # Errors
    /// When the file can't be read as a register.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let open = |source: redb::Error| Error::Open { path: path.display().to_string(), source: Box::new(source) };
        let database =
            Database::builder().set_cache_size(CACHE_BYTES_MAX).create(path).map_err(|error| open(error.into()))?;
        let transaction = database.begin_write().map_err(|error| open(error.into()))?;
        {
            transaction.open_table(WISH).map_err(store)?;
            transaction.open_table(MEASURE).map_err(store)?;
            transaction.open_table(NUMBER).map_err(store)?;
            transaction.open_table(ROUTE).map_err(store)?;
            transaction.open_table(VERB).map_err(store)?;
            transaction.open_table(EVIDENCE).map_err(store)?;
            transaction.open_table(GONE).map_err(store)?;
            transaction.open_table(META).map_err(store)?;
            transaction.open_table(CHAIN).map_err(store)?;
            transaction.open_table(BUILDS).map_err(store)?;
            transaction.open_table(COPIES).map_err(store)?;
        }
        transaction.commit().map_err(store)?;
        let memory = Self::load(&database)?;
        Ok(Self { database, turns: Turns::default(), memory: Mutex::new(memory) })
    }

    fn load(database: &Database) -> Result<Memory, Error> {
        let read = database.begin_read().map_err(store)?;
        let mut memory = Memory::default();
        for row in read.open_table(WISH).map_err(store)?.iter().map_err(store)? {
            let wish: Wish = parse(row.map_err(store)?.1.value())?;
            memory.put(wish);
        }
        for row in read.open_table(MEASURE).map_err(store)?.iter().map_err(store)? {
            let measure: Measure = parse(row.map_err(store)?.1.value())?;
            memory.measures.insert(measure.id, measure);
        }
        for row in read.open_table(NUMBER).map_err(store)?.iter().map_err(store)? {
            let (number, solution) = row.map_err(store)?;
            if let Some(number) = Number::new(number.value()) {
                memory.numbers.insert(number, SolutionId(uuid::Uuid::from_u128(solution.value())));
            }
        }
        for row in read.open_table(ROUTE).map_err(store)?.iter().map_err(store)? {
            let (number, route) = row.map_err(store)?;
            if let Some(number) = Number::new(number.value()) {
                memory.routes.insert(number, parse(route.value())?);
            }
        }
        for row in read.open_table(GONE).map_err(store)?.iter().map_err(store)? {
            let (solution, last) = row.map_err(store)?;
            memory.gone.insert(SolutionId(uuid::Uuid::from_u128(solution.value())), last.value());
        }
        for row in read.open_table(META).map_err(store)?.iter().map_err(store)? {
            let (key, value) = row.map_err(store)?;
            memory.meta.insert(key.value().to_owned(), value.value());
        }
        for row in read.open_table(BUILDS).map_err(store)?.iter().map_err(store)? {
            let (solution, builds) = row.map_err(store)?;
            memory.builds.insert(SolutionId(uuid::Uuid::from_u128(solution.value())), parse(builds.value())?);
        }
        let chain = read.open_table(CHAIN).map_err(store)?;
        memory.chain = chain.get("evidence").map_err(store)?.and_then(|hash| Hash::from_slice(hash.value()));
        Ok(memory)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(
        &self,
        durability: Durability,
        work: impl FnOnce(&redb::WriteTransaction) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut transaction = self.database.begin_write().map_err(store)?;
        transaction.set_durability(durability).map_err(store)?;
        work(&transaction)?;
        transaction.commit().map_err(store)
    }

    /// Takes one wish.
    #[cfg(test)]
    pub(crate) fn take_wish(&self, wish: Wish) -> Result<bool, WishError> {
        self.take_wishes(vec![wish]).expect("it is written").remove(0)
    }

    /// Takes wishes in their order, each if it is newer than what is held, and says of each whether anything changed. When
    /// this returns, those that were taken survive everything.
    ///
    /// # Errors
    /// When they can't be written; then none is taken.
    pub(crate) fn take_wishes(&self, wishes: Vec<Wish>) -> Result<Vec<Result<bool, WishError>>, Error> {
        let _turn = self.turns.take();
        let mut fresh: HashMap<SolutionId, Wish> = HashMap::new();
        let mut numbers: HashMap<Number, SolutionId> = HashMap::new();
        let mut said = Vec::with_capacity(wishes.len());
        let memory = self.memory();
        for wish in wishes {
            let held = fresh.get(&wish.solution).or_else(|| memory.wishes.get(&wish.solution));
            let owner = numbers.get(&wish.number).or_else(|| memory.numbers.get(&wish.number)).copied();
            let gone = memory.gone.get(&wish.solution).copied();
            let judged = judge(&wish, held, gone, owner);
            if matches!(judged, Ok(true)) {
                numbers.insert(wish.number, wish.solution);
                fresh.insert(wish.solution, wish);
            }
            said.push(judged);
        }
        drop(memory);
        if !fresh.is_empty() {
            self.write(Durability::Immediate, |transaction| {
                let mut table = transaction.open_table(WISH).map_err(store)?;
                let mut given = transaction.open_table(NUMBER).map_err(store)?;
                for wish in fresh.values() {
                    let solution = wish.solution.0.as_u128();
                    table.insert(solution, text(wish)?.as_slice()).map_err(store)?;
                    given.insert(wish.number.get(), solution).map_err(store)?;
                }
                Ok(())
            })?;
        }
        let mut memory = self.memory();
        memory.numbers.extend(numbers);
        fresh.into_values().for_each(|wish| memory.put(wish));
        Ok(said)
    }

    /// Forgets the wish of a solution of which nothing is left. Its number stays taken for ever.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn forget_wish(&self, solution: SolutionId) -> Result<(), Error> {
        let _turn = self.turns.take();
        let last = self.memory().wishes.get(&solution).map(|wish| (wish.epoch, wish.generation));
        let Some(last) = last else { return Ok(()) };
        self.write(Durability::Immediate, |transaction| {
            transaction.open_table(WISH).map_err(store)?.remove(solution.0.as_u128()).map_err(store)?;
            transaction.open_table(GONE).map_err(store)?.insert(solution.0.as_u128(), last).map_err(store)?;
            transaction.open_table(BUILDS).map_err(store)?.remove(solution.0.as_u128()).map_err(store)?;
            transaction.open_table(COPIES).map_err(store)?.remove(solution.0.as_u128()).map_err(store)?;
            Ok(())
        })?;
        let mut memory = self.memory();
        memory.take(solution);
        memory.builds.remove(&solution);
        memory.gone.insert(solution, last);
        Ok(())
    }

    /// One wish.
    #[must_use]
    pub(crate) fn wish(&self, solution: SolutionId) -> Option<Wish> {
        self.memory().wishes.get(&solution).cloned()
    }

    /// The wishes of those that are attached to a solution, in the order of their numbers.
    #[must_use]
    pub(crate) fn attached_to(&self, solution: SolutionId) -> Vec<Wish> {
        let memory = self.memory();
        let first = SolutionId(uuid::Uuid::nil());
        let all = memory.attached.range((solution, first)..).take_while(|(used, _)| *used == solution);
        let mut wishes: Vec<Wish> = all.filter_map(|(_, by)| memory.wishes.get(by).cloned()).collect();
        wishes.sort_by_key(|wish| wish.number);
        wishes
    }

    /// The wish of a solution by its number or its name, if exactly one fits.
    #[must_use]
    pub(crate) fn find(&self, who: &str) -> Option<Wish> {
        let memory = self.memory();
        let mut fits = memory.wishes.values().filter(|wish| {
            wish.number.to_string() == who || wish.name.as_str() == who || wish.solution.to_string() == who
        });
        let first = fits.next()?;
        fits.next().is_none().then(|| first.clone())
    }

    /// Every solution with its number and account.
    #[must_use]
    pub(crate) fn solutions(&self) -> Vec<(SolutionId, Number, AccountId)> {
        self.memory().wishes.values().map(|wish| (wish.solution, wish.number, wish.account)).collect()
    }

    /// Takes a measure if its revision is newer. When this returns, it survives everything. Returns whether anything changed.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn take_measure(&self, measure: Measure) -> Result<bool, Error> {
        let _turn = self.turns.take_next();
        if self.memory().measures.get(&measure.id).is_some_and(|held| held.revision >= measure.revision) {
            return Ok(false);
        }
        let row = text(&measure)?;
        self.write(Durability::Immediate, |transaction| {
            transaction
                .open_table(MEASURE)
                .map_err(store)?
                .insert(measure.id.0.as_u128(), row.as_slice())
                .map_err(store)?;
            Ok(())
        })?;
        self.memory().measures.insert(measure.id, measure);
        Ok(true)
    }

    /// One measure.
    #[must_use]
    pub(crate) fn measure(&self, id: MeasureId) -> Option<Measure> {
        self.memory().measures.get(&id).cloned()
    }

    /// Every measure, also those that are over.
    #[must_use]
    pub(crate) fn measures(&self) -> Vec<Measure> {
        self.memory().measures.values().cloned().collect()
    }

    /// What the measures in force mean for one solution.
    #[must_use]
    pub(crate) fn held(&self, solution: SolutionId, account: AccountId, now: Timestamp) -> Option<Held> {
        hold(self.memory().measures.values(), solution, account, now)
    }

    /// Keeps a route, or forgets it. Not synced at once: a pass after a crash sets it again, and what a measure closes is
    /// closed by the register of measures whatever the route says.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn keep_route(&self, number: Number, route: Option<&Route>) -> Result<(), Error> {
        let row = route.map(text).transpose()?;
        let _turn = self.turns.take();
        self.write(Durability::None, |transaction| {
            let mut table = transaction.open_table(ROUTE).map_err(store)?;
            match &row {
                Some(row) => table.insert(number.get(), row.as_slice()).map_err(store)?,
                None => table.remove(number.get()).map_err(store)?,
            };
            Ok(())
        })?;
        let mut memory = self.memory();
        match route {
            Some(route) => memory.routes.insert(number, route.clone()),
            None => memory.routes.remove(&number),
        };
        Ok(())
    }

    /// One route.
    #[must_use]
    pub(crate) fn route(&self, number: Number) -> Option<Route> {
        self.memory().routes.get(&number).cloned()
    }

    /// Every route.
    #[must_use]
    pub(crate) fn routes(&self) -> Vec<(Number, Route)> {
        self.memory().routes.iter().map(|(number, route)| (*number, route.clone())).collect()
    }

    /// Whose a number is.
    #[must_use]
    pub(crate) fn owner(&self, number: Number) -> Option<SolutionId> {
        self.memory().numbers.get(&number).copied()
    }

    /// How a verb ended, so that it is not done twice.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn verb(&self, order: OrderId) -> Result<Option<VerbState>, Error> {
        let read = self.database.begin_read().map_err(store)?;
        let table = read.open_table(VERB).map_err(store)?;
        let row = table.get(order.0.as_u128()).map_err(store)?;
        row.map(|row| parse(row.value())).transpose()
    }

    /// Writes down how a verb ended.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn end_verb(&self, order: OrderId, state: &VerbState) -> Result<(), Error> {
        let row = text(state)?;
        let _turn = self.turns.take();
        self.write(Durability::Immediate, |transaction| {
            transaction.open_table(VERB).map_err(store)?.insert(order.0.as_u128(), row.as_slice()).map_err(store)?;
            Ok(())
        })
    }

    /// What the node knows and could be asked for when it is lost: wishes with what each solution runs on, measures, numbers, and how
    /// what was destroyed went.
    #[must_use]
    pub(crate) fn known(&self) -> Value {
        let memory = self.memory();
        json!({
            "wishes": memory.wishes.values().collect::<Vec<_>>(),
            "builds": memory.builds.iter().map(|(solution, builds)| json!([solution, builds])).collect::<Vec<_>>(),
            "measures": memory.measures.values().collect::<Vec<_>>(),
            "numbers": memory.numbers.iter().map(|(number, solution)| json!([number, solution])).collect::<Vec<_>>(),
            "gone": memory.gone.iter().map(|(solution, last)| json!([solution, last])).collect::<Vec<_>>(),
        })
    }

    /// The highest epoch seen.
    #[must_use]
    pub(crate) fn epoch(&self) -> u64 {
        let memory = self.memory();
        let held = memory.wishes.values().map(|wish| wish.epoch);
        held.chain(memory.gone.values().map(|(epoch, _)| *epoch)).max().unwrap_or(0)
    }

    /// Notes that an order brings data back which another spec belongs to, before it does; or that it came to nothing.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn await_release(&self, solution: SolutionId, order: Option<OrderId>) -> Result<(), Error> {
        let key = awaiting(solution);
        let _turn = self.turns.take();
        self.write(Durability::Immediate, |transaction| {
            let mut table = transaction.open_table(META).map_err(store)?;
            match order {
                Some(order) => table.insert(key.as_str(), age(order)),
                None => table.remove(key.as_str()),
            }
            .map_err(store)?;
            Ok(())
        })?;
        let mut memory = self.memory();
        match order {
            Some(order) => memory.meta.insert(key, age(order)),
            None => memory.meta.remove(&key),
        };
        Ok(())
    }

    /// Whether a wish is still the one from before the data that was brought back: its spec says nothing of that.
    pub(crate) fn awaits_release(&self, wish: &Wish) -> bool {
        let Some(noted) = self.memory().meta.get(&awaiting(wish.solution)).copied() else { return false };
        let awaits = wish.released.map_or(0, age) < noted;
        if !awaits && let Err(error) = self.await_release(wish.solution, None) {
            tracing::warn!(%error, "that a spec has come could not be written down");
        }
        awaits
    }

    /// A generation for the edge's table at boot, far above all that were given before.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) fn boot_generation(&self) -> Result<u64, Error> {
        let _turn = self.turns.take();
        let generation = self.memory().meta.get("edge").copied().unwrap_or(0) + (1 << 32);
        self.write(Durability::Immediate, |transaction| {
            transaction.open_table(META).map_err(store)?.insert("edge", generation).map_err(store)?;
            Ok(())
        })?;
        self.memory().meta.insert("edge".to_owned(), generation);
        Ok(generation)
    }
}

/// Where it is noted that the release of a spec is awaited.
fn awaiting(solution: SolutionId) -> String {
    format!("awaits {solution}")
}

/// What grows from order to order: their ids begin with their time.
fn age(order: OrderId) -> u64 {
    u64::try_from(order.0.as_u128() >> 64).unwrap_or(u64::MAX)
}

/// Whether a wish is to be taken, beside what is held of the solution, how it went if it is gone, and whose the number is.
fn judge(
    wish: &Wish,
    held: Option<&Wish>,
    gone: Option<(u64, u64)>,
    owner: Option<SolutionId>,
) -> Result<bool, WishError> {
    if husorden_kinds::kind(&wish.kind).is_none() {
        return Err(WishError::UnknownKind(wish.kind.clone()));
    }
    let offered = (wish.epoch, wish.generation);
    let older = |(epoch, generation)| Err(WishError::Older { epoch, generation });
    if let Some(held) = held {
        if held == wish {
            return Ok(false);
        }
        if (held.epoch, held.generation) > offered {
            return older((held.epoch, held.generation));
        }
    }
    if let Some(gone) = gone.filter(|gone| *gone >= offered) {
        return older(gone);
    }
    match owner {
        Some(owner) if owner != wish.solution => Err(WishError::NumberTaken { number: wish.number, solution: owner }),
        Some(_) | None => Ok(true),
    }
}

fn text(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    Ok(serde_json::to_vec(value)?)
}

fn parse<T: DeserializeOwned>(row: &[u8]) -> Result<T, Error> {
    Ok(serde_json::from_slice(row)?)
}
