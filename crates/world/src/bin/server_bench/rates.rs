//! `server.disk`, `server.net`: what a guest writes to its disk and sends out, beside QEMU by hand.

use crate::bare::{Kit, namespace};
use crate::guest::{Ours, Way, enter};
use anyhow::{Context, Result, anyhow};
use husorden_world::bench::{Better, Figure, quantile};
use husorden_world::hand::{self, Running};
use nix::sched::{CloneFlags, unshare};
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

const SAMPLES: usize = 5;
const MIB: u32 = 64;

/// Where the world is that guests of the platform send to, and this machine beside it.
const WORLD: [u8; 4] = [192, 0, 2, 1];
const MACHINE: [u8; 4] = [192, 0, 2, 2];

/// Something that measures one figure of a guest, which meets its world at an address, in a namespace where it has one of its own.
type Measure = fn(&Way, &World) -> Result<f64>;

/// Who listens to what a guest sends.
struct World {
    netns: Option<PathBuf>,
    address: IpAddr,
}

/// Moves this thread and all that it starts into a network of their own, with one link to a world that ends with what is given.
fn apart() -> Result<(Running, World)> {
    let (world, netns) = namespace()?;
    unshare(CloneFlags::CLONE_NEWNET).context("a network namespace")?;
    let (pid, address, machine) = (world.0.id(), IpAddr::from(WORLD), IpAddr::from(MACHINE));
    let link = format!(
        "ip link set lo up; ip link add up0 type veth peer name down0 netns {pid}
        ip addr add {machine}/24 dev up0; ip link set up0 up; ip route add default via {address}
        nsenter --net=/proc/{pid}/ns/net sh -ec 'ip link set lo up; ip link set down0 up; ip addr add {address}/24 dev down0'"
    );
    hand::run(Command::new("sh").args(["-ec", &link]))?;
    Ok((world, World { netns: Some(netns), address }))
}

pub(crate) fn rates() -> Result<()> {
    let (_world, at_ours) = apart()?;
    let house = &crate::house("network = \"host\"")?;
    let world = at_ours.address.to_string();
    let ours = Ours::order_for(house, "rated", &world, at_ours.netns.clone(), MACHINE.into())?;
    ours.way.answers()?;
    let kit = Kit::of(house, &ours)?;
    let bare = kit.start()?;
    bare.answers()?;
    let at_bare = World { netns: bare.way.netns.clone(), address: IpAddr::from([169, 254, 1, 2]) };
    for way in [&ours.way, &bare.way] {
        way.ssh("dd if=/dev/urandom of=/tmp/noise bs=1M count=16 2> /dev/null")?;
    }
    let measures: [(&str, Measure); 2] = [("server.disk", disk), (concat!("server", ".net"), net)];
    for (name, measure) in measures {
        let (mut own, mut peer) = (Vec::new(), Vec::new());
        for round in 0..SAMPLES {
            for platform in [round % 2 == 0, round % 2 != 0] {
                match platform {
                    true => own.push(measure(&ours.way, &at_ours)?),
                    false => peer.push(measure(&bare.way, &at_bare)?),
                }
            }
        }
        Figure {
            name,
            ours: quantile(&mut own, 0.5),
            peer: Some((quantile(&mut peer, 0.5), "QEMU by hand")),
            unit: "MiB/s",
            better: Better::More,
            note: format!("n={SAMPLES}, median, {MIB} MiB each, in turns; both run all the time; ours sends through the node and its NAT, by hand to the tap's own end"),
        }
        .report()?;
    }
    Ok(())
}

/// Noise to the disk, synced, by the guest's own clock.
fn disk(way: &Way, _: &World) -> Result<f64> {
    let write = format!(
        "read begun idle < /proc/uptime; for turn in $(seq {}); do cat /tmp/noise; done | dd of=/disk/noise bs=1M conv=fsync 2> /dev/null
        read ended idle < /proc/uptime; rm /disk/noise; sync; echo $begun $ended | awk '{{ print {MIB} / ($2 - $1) }}'",
        MIB / 16
    );
    way.number(&write)
}

/// Bytes to a listener at the other end of the way out, by the listener's clock.
fn net(way: &Way, world: &World) -> Result<f64> {
    let (netns, here) = (world.netns.clone(), world.address);
    let (told, port) = std::sync::mpsc::channel();
    let listener = std::thread::spawn(move || -> Result<f64> {
        enter(netns.as_deref())?;
        let ear = TcpListener::bind(SocketAddr::new(here, 0))?;
        told.send(ear.local_addr()?.port())?;
        let (mut stream, _) = ear.accept()?;
        let (mut bytes, begun, mut buffer) = (0_usize, Instant::now(), vec![0; 1 << 20]);
        loop {
            match stream.read(&mut buffer)? {
                0 => return Ok(bytes as f64 / f64::from(1 << 20) / begun.elapsed().as_secs_f64()),
                count => bytes += count,
            }
        }
    });
    let port = port.recv()?;
    way.ssh(&format!("dd if=/dev/zero bs=64k count={} 2> /dev/null | nc {here} {port}", MIB * 16))?;
    listener.join().map_err(|_| anyhow!("the listener died"))?
}
