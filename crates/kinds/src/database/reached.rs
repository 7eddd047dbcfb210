//! When a database's aim is reached, stated apart from the plan: a list of what must be seen, with no thought of how it came about.

use super::engine::{self, DB, Engine, Mode, POOLER, mark};
use super::spec::Spec;
use super::{people, plan, pooler};
use crate::{Order, Sight, Standing, VolumeSight};
use std::fmt::Debug;

/// What is missing, if anything.
pub(super) fn reached(order: &Order, sight: &Sight) -> Result<(), String> {
    if !sight.tasks.is_empty() {
        return Err(format!("tasks are left: {:?}", sight.tasks.keys().collect::<Vec<_>>()));
    }
    same("route", &sight.route, &None)?;
    if !matches!(order.standing(), Standing::Closed(_)) {
        same("copy", &sight.trial, &None)?;
    }
    if order.standing() == Standing::Going {
        same("port", &sight.port, &None)?;
        same("services", &sight.services.len(), &0)?;
        return match (&sight.volume, order.expired) {
            (VolumeSight::Absent, _) | (VolumeSight::Retained, false) => Ok(()),
            (volume, expired) => Err(format!("volume is {volume:?}, expired: {expired}")),
        };
    }
    let spec = Spec::with_guests(order).map_err(|error| error.to_string())?;
    if order.standing() != Standing::Open {
        same("services", &sight.services.len(), &0)?;
        return match sight.volume {
            VolumeSight::Absent => Ok(()),
            VolumeSight::Live { limit } => same("limit", &limit, &spec.size).and_then(|()| reserved(&spec, sight)),
            VolumeSight::Retained => Err("the volume is not live".to_owned()),
        };
    }
    same("volume", &sight.volume, &VolumeSight::Live { limit: spec.size })?;
    reserved(&spec, sight)?;
    same("port", &sight.port, &Some(plan::port(order, &spec).digest()))?;
    same("people", &sight.marks.get(mark::PEOPLE), &Some(&people::digest(order, &spec)))?;

    let replay = sight.marks.get(crate::segments::REPLAY);
    if replay.is_some_and(|mark| !mark.ends_with(" done")) {
        return Err(format!("the log is to be carried out to {replay:?}"));
    }
    let text = sight.marks.get(mark::ENGINE).ok_or("no engine holds the data")?;
    let words: Vec<&str> = text.split(' ').collect();
    let [version, "of", owner] = words[..] else { return Err(format!("the mark of the engine: {text}")) };
    let serving = Engine::named(version).ok_or_else(|| format!("no engine is called {version}"))?;
    // A volume that came back from a snapshot may hold a later version; it is served as it is.
    if serving < spec.engine || serving.family() != spec.engine.family() {
        return Err(format!("{version} serves, {} is wished", spec.engine.word()));
    }
    if serving.has_identity() {
        same("owner", &owner, &order.solution.to_string().as_str())?;
    }
    let service = engine::service(&spec, serving, Mode::Serving);
    let seen = sight.services.get(DB).ok_or("no server is set")?;
    same("server", &seen.digest, &service.digest())?;
    let pooler = pooler::service(&spec, serving).map(|pooler| pooler.digest());
    same("pooler", &sight.services.get(POOLER).map(|seen| seen.digest.clone()), &pooler)?;
    same("services", &sight.services.len(), &(1 + usize::from(pooler.is_some())))
}

fn reserved(spec: &Spec, sight: &Sight) -> Result<(), String> {
    same("reserve", &sight.reserve, &engine::reserve(spec))
}

fn same<T: PartialEq + Debug>(what: &str, seen: &T, wanted: &T) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{what} is {seen:?} and should be {wanted:?}")) }
}
