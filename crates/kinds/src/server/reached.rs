//! When a server's aim is reached, stated apart from the plan: a list of what must be seen, with no thought of how it came about.

use super::disks;
use super::engine::{self, Processor};
use super::spec::Spec;
use crate::{Order, RuntimeSight, Sight, Standing, Virtualisation, VolumeSight};

/// What is missing, if anything.
pub(super) fn reached(order: &Order, sight: &Sight) -> Result<(), String> {
    if order.still && matches!(order.standing(), Standing::Closed(_)) {
        return Ok(());
    }
    if !sight.tasks.is_empty() {
        return Err(format!("tasks are left: {:?}", sight.tasks.keys().collect::<Vec<_>>()));
    }
    let services: Vec<(&str, &str)> =
        sight.services.iter().map(|(role, seen)| (role.as_str(), seen.digest.as_str())).collect();
    if order.standing() == Standing::Going {
        same("services", &services, &Vec::new())?;
        same("port", &sight.port, &None)?;
        return match (&sight.volume, order.expired) {
            (VolumeSight::Absent, _) | (VolumeSight::Retained, false) => Ok(()),
            (volume, expired) => Err(format!("volume is {volume:?}, expired: {expired}")),
        };
    }
    let spec = Spec::stored(&order.spec).map_err(|error| error.to_string())?;
    let whole = VolumeSight::Live { limit: spec.volume() };
    if order.standing() != Standing::Open {
        same("services", &services, &Vec::new())?;
        return if sight.volume == VolumeSight::Absent { Ok(()) } else { same("volume", &sight.volume, &whole) };
    }
    same("volume", &sight.volume, &whole)?;
    same("port", &sight.port, &Some(super::plan::port(order, &spec).digest()))?;
    let marked = |key: &str| sight.marks.get(key).map_or("", String::as_str);
    let again = if spec.rebuilt == 0 { String::new() } else { format!(" {}", spec.rebuilt) };
    let image = serde_json::to_value(&spec.image).ok().and_then(|word| Some(format!("{}{again}", word.as_str()?)));
    same("the image of the disk", &Some(marked("image").to_owned()), &image)?;
    if marked("disk").parse().unwrap_or(0) < spec.disk.0 {
        return Err(format!("the disk has {:?} bytes, not {}", marked("disk"), spec.disk.0));
    }
    same("first settings", &marked("seed"), &engine::seed_digest(order, &spec).as_str())?;
    if sight.virtualisation == Virtualisation::Untried && services.is_empty() {
        return Err("nobody knows what it is to run on".to_owned());
    }
    let disks: Vec<String> = spec
        .disks
        .iter()
        .map(|(name, disk)| format!("{name} {} {}", disk.size.0, if disk.attached { "in" } else { "out" }))
        .collect();
    same("the other disks", &marked("disks"), &disks.join(", ").as_str())?;
    // As it is started now, or was in earlier versions.
    let runs = |of: Processor| {
        let machine = engine::machine(order, &spec, of);
        let attached = spec.disks.values().any(|disk| disk.attached);
        let ways = engine::ways(machine).into_iter().filter(|way| !attached || disks::have_a_place(way));
        ways.map(|way| way.digest()).any(|digest| services == [("qemu", digest.as_str())])
    };
    let on_own = sight.virtualisation == Virtualisation::Boots && runs(Processor::Own);
    if !runs(Processor::Emulated) && !on_own {
        return Err(format!("services are {services:?} on {:?}", sight.virtualisation));
    }
    match sight.runtimes.get(&engine::runtime()) {
        Some(RuntimeSight::Ready) => Ok(()),
        other => Err(format!("the runtime is {other:?}")),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, wanted: &T) -> Result<(), String> {
    if seen == wanted { Ok(()) } else { Err(format!("{what} is {seen:?}, not {wanted:?}")) }
}
