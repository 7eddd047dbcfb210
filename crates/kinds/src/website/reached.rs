//! When a website's aim is reached, stated apart from the plan: a list of what must be seen, with no thought of how it came about.

use super::engine::{self, ADMIN, DB, PHP, mark};
use super::plan;
use super::spec::{Database, Spec};
use crate::{Order, Sight, Standing, VolumeSight};
use std::collections::BTreeMap;

/// What is missing, if anything.
pub(super) fn reached(order: &Order, sight: &Sight) -> Result<(), String> {
    if !sight.tasks.is_empty() {
        return Err(format!("tasks are left: {:?}", sight.tasks.keys().collect::<Vec<_>>()));
    }
    if order.standing() == Standing::Going {
        same("route", &sight.route, &None)?;
        same("port", &sight.port, &None)?;
        services(sight, &BTreeMap::new())?;
        return match (&sight.volume, order.expired) {
            (VolumeSight::Absent, _) | (VolumeSight::Retained, false) => Ok(()),
            (volume, expired) => Err(format!("volume is {volume:?}, expired: {expired}")),
        };
    }
    let spec = Spec::stored(&order.spec).map_err(|error| error.to_string())?;
    let open = order.standing() == Standing::Open;
    let route = plan::route(order, &spec, true);
    same("route", &sight.route, &Some(route.digest()))?;
    if !open {
        services(sight, &BTreeMap::new())?;
        return match sight.volume {
            VolumeSight::Absent => Ok(()),
            VolumeSight::Live { limit } => same("limit", &limit, &spec.size),
            VolumeSight::Retained => Err("the volume is not live".to_owned()),
        };
    }
    same("volume", &sight.volume, &VolumeSight::Live { limit: spec.size })?;
    let port = plan::port(order, &spec).map(|port| port.digest());
    same("port", &sight.port, &port)?;

    let replay = sight.marks.get(crate::segments::REPLAY).filter(|mark| !mark.ends_with(" done"));
    if replay.is_some() && marked(sight, mark::DB).is_some_and(|held| held.starts_with("mariadb-")) {
        return Err(format!("the log is to be carried out to {replay:?}"));
    }

    let place = |uses: &crate::Used| format!("{} {}", uses.solution, uses.database);
    let away = marked(sight, mark::AWAY).filter(|place| *place != "none").map(str::to_owned);
    same("where the data lies", &away, &order.uses.as_ref().filter(|_| spec.away()).map(place))?;
    let told = marked(sight, mark::ATTACHED).filter(|told| *told != "none").map(str::to_owned);
    same("attachment", &told, &order.uses.as_ref().map(crate::Used::digest))?;

    let mut wanted = BTreeMap::new();
    if spec.away() {
        same("db mark", &marked(sight, mark::DB).filter(|held| Database::named(held).is_some()), &None)?;
    } else if let Some(name) = spec.database.catalogue() {
        // A volume that came back from a snapshot may hold a later version; it is served as it is.
        let later = matches!(engine::held(&sight.marks), Some((held, false)) if held > spec.database && spec.database != Database::None);
        let name = if later {
            sight.marks[mark::DB].parse().map_err(|error| format!("the mark of the database: {error}"))?
        } else {
            same("db mark", &marked(sight, mark::DB), &Some(name.as_str()))?;
            name
        };
        wanted.insert(DB, engine::db(&spec, &name).digest());
    }
    if let Some(name) = spec.runtime.catalogue() {
        same("runtime mark", &marked(sight, mark::RUNTIME), &Some(name.as_str()))?;
        wanted.insert(PHP, engine::php(&spec, &name).digest());
    }
    services(sight, &wanted)?;
    match &spec.app {
        Some(_) => {
            if marked(sight, mark::APP).is_none() {
                return Err("the application is not installed".to_owned());
            }
            same("address", &marked(sight, mark::ADDRESS), &Some(spec.address().as_str()))?;
            let generation = order.credentials.get(ADMIN).map(|credential| credential.generation.to_string());
            if generation.is_some() {
                same("password", &marked(sight, mark::CREDENTIAL), &generation.as_deref())?;
            }
        }
        None if marked(sight, mark::CONTENT).or(marked(sight, mark::APP)).is_none() => {
            return Err("the first page is missing".to_owned());
        }
        None => {}
    }
    let needed = spec.runtime.catalogue().into_iter().chain(spec.database.catalogue());
    for name in needed {
        if sight.runtimes.get(&name) != Some(&crate::RuntimeSight::Ready) {
            return Err(format!("{name} is not built"));
        }
    }
    Ok(())
}

fn marked<'a>(sight: &'a Sight, key: &str) -> Option<&'a str> {
    sight.marks.get(key).map(String::as_str)
}

fn services(sight: &Sight, wanted: &BTreeMap<&str, String>) -> Result<(), String> {
    let seen: BTreeMap<&str, String> =
        sight.services.iter().map(|(role, seen)| (role.as_str(), seen.digest.clone())).collect();
    same("services", &seen, wanted)
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, wanted: &T) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{what} is {seen:?}, not {wanted:?}")) }
}
