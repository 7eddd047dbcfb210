//! `server.create_ssh`, `server.create_ten`, `server.idle_memory`: from the order to a log-in by SSH, one by one and ten at once, beside QEMU
//! by hand from the copy of the disk on; and what an idle guest takes of memory.

use crate::bare::Kit;
use crate::guest::{Ours, delete, memory_mib};
use anyhow::{Result, anyhow};
use husorden_world::House;
use husorden_world::bench::{Better, Figure, quantile};
use std::time::{Duration, Instant};

const SAMPLES: usize = 5;
const AT_ONCE: usize = 10;
/// Time for a guest that has started to come to rest.
const REST: Duration = Duration::from_secs(10);

pub(crate) fn one_by_one() -> Result<()> {
    let house = &crate::house("")?;
    // The first one waits for its runtime, and says how one by hand is started.
    let first = Ours::order(house, "first")?;
    first.way.answers()?;
    let kit = Kit::of(house, &first)?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..SAMPLES {
        for platform in [round % 2 == 0, round % 2 != 0] {
            let begun = Instant::now();
            if platform {
                let name = format!("made{round}");
                Ours::order(house, &name)?.way.answers()?;
                ours.push(begun.elapsed().as_secs_f64());
                delete(house, &name)?;
                house.wait_state(&name, "deleted")?;
            } else {
                let one = kit.start()?;
                one.answers()?;
                bare.push(begun.elapsed().as_secs_f64());
            }
        }
    }
    let note = format!(
        "n={SAMPLES}, median; one guest beside it is idle; ours from the order by the API to a log-in through the node's door, by hand from the copy of the disk"
    );
    Figure {
        name: "server.create_ssh",
        ours: quantile(&mut ours, 0.5),
        peer: Some((quantile(&mut bare, 0.5), "QEMU by hand")),
        unit: "s",
        better: Better::Less,
        note,
    }
    .report()?;
    memory(house, &first, &kit)
}

/// Both have started and do nothing.
fn memory(house: &House, ours: &Ours, kit: &Kit) -> Result<()> {
    let bare = kit.start()?;
    bare.answers()?;
    std::thread::sleep(REST);
    Figure {
        name: "server.idle_memory",
        ours: memory_mib(&ours.processes(house))?,
        peer: Some((memory_mib(&bare.processes())?, "QEMU by hand")),
        unit: "MiB",
        better: Better::Less,
        note: "a guest of 128 MiB at rest; proportional set size of the machine and of whoever stands beside it"
            .to_owned(),
    }
    .report()
}

pub(crate) fn ten_at_once() -> Result<()> {
    let house = &crate::house("")?;
    let first = Ours::order(house, "first")?;
    first.way.answers()?;
    let kit = Kit::of(house, &first)?;
    delete(house, "first")?;
    house.wait_state("first", "deleted")?;
    let all = |ways: Vec<crate::guest::Way>| -> Result<()> {
        let waiting: Vec<_> = ways.into_iter().map(|way| std::thread::spawn(move || way.answers())).collect();
        waiting.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow!("a thread died"))?)
    };
    let begun = Instant::now();
    let bare = (0..AT_ONCE).map(|_| kit.start()).collect::<Result<Vec<_>>>()?;
    all(bare.iter().map(|one| one.way.clone()).collect())?;
    let peer = begun.elapsed().as_secs_f64();
    drop(bare);
    let begun = Instant::now();
    let ours = (0..AT_ONCE).map(|number| Ours::order(house, &format!("ten{number}"))).collect::<Result<Vec<_>>>()?;
    all(ours.iter().map(|one| one.way.clone()).collect())?;
    let ours = begun.elapsed().as_secs_f64();
    Figure {
        name: "server.create_ten",
        ours,
        peer: Some((peer, "QEMU by hand")),
        unit: "s",
        better: Better::Less,
        note: format!("{AT_ONCE} at once, until the last has let somebody in; one run each"),
    }
    .report()
}
