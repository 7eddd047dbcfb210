//! When a disk image's aim is reached, stated apart from the plan.

use super::spec::Spec;
use crate::{Order, Sight, Standing, VolumeSight};

/// What is missing, if anything.
pub(super) fn reached(order: &Order, sight: &Sight) -> Result<(), String> {
    if !sight.tasks.is_empty() || !sight.services.is_empty() {
        return Err(format!("something runs or is left: {:?} {:?}", sight.tasks, sight.services));
    }
    let volume = &sight.volume;
    if order.standing() == Standing::Going {
        return match (volume, &sight.port, order.expired) {
            (VolumeSight::Absent, None, _) | (VolumeSight::Retained, None, false) => Ok(()),
            (_, port, expired) => Err(format!("volume is {volume:?}, port {port:?}, expired: {expired}")),
        };
    }
    let spec = Spec::stored(&order.spec).map_err(|error| error.to_string())?;
    let whole = VolumeSight::Live { limit: spec.volume() };
    if order.standing() != Standing::Open {
        let right = *volume == VolumeSight::Absent || *volume == whole;
        return if right { Ok(()) } else { Err(format!("volume is {volume:?}, not {whole:?}")) };
    }
    if *volume != whole || sight.port.is_some() {
        return Err(format!("volume is {volume:?}, not {whole:?}; the port is {:?}", sight.port));
    }
    if sight.marks.get("kept").is_some_and(|mark| mark == "yes") { Ok(()) } else { Err("it is not kept".to_owned()) }
}
