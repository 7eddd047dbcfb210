//! The figures `disk` and `net` of servers: what a guest writes to its disk and sends out, beside QEMU by hand.

use crate::bare::Kit;
use crate::guest::{Ours, Way, own_address};
use anyhow::{Result, anyhow};
use husorden_world::House;
use husorden_world::bench::{Better, Figure, quantile};
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Instant;

const SAMPLES: usize = 5;
const MIB: u32 = 64;

/// A rate in MiB/s of the guest that is reached so; this address is the machine's, as the guest sees it.
type Measure = fn(&Way, IpAddr) -> Result<f64>;

pub(crate) fn rates(house: &House) -> Result<()> {
    let ours = Ours::order(house, "rated")?;
    ours.way.answers()?;
    let kit = Kit::of(house, &ours)?;
    let bare = kit.start()?;
    bare.way.answers()?;
    let at_ours: IpAddr = own_address(ours.way.to.ip())?.parse()?;
    let at_bare = IpAddr::from([169, 254, 1, 2]);
    for way in [&ours.way, &bare.way] {
        way.ssh("dd if=/dev/urandom of=/tmp/noise bs=1M count=16 2> /dev/null")?;
    }
    let measures: [(&str, Measure); 2] = [("disk", disk), ("net", net)];
    for (name, measure) in measures {
        let (mut own, mut peer) = (Vec::new(), Vec::new());
        for round in 0..SAMPLES {
            for platform in [round % 2 == 0, round % 2 != 0] {
                match platform {
                    true => own.push(measure(&ours.way, at_ours)?),
                    false => peer.push(measure(&bare.way, at_bare)?),
                }
            }
        }
        Figure {
            name: &format!("server.{name}"),
            ours: quantile(&mut own, 0.5),
            peer: Some((quantile(&mut peer, 0.5), "QEMU by hand")),
            unit: "MiB/s",
            better: Better::More,
            note: format!("n={SAMPLES}, median, {MIB} MiB each, in turns; both run all the time"),
        }
        .report()?;
    }
    Ok(())
}

/// Noise to the disk, synced, by the guest's own clock.
fn disk(way: &Way, _: IpAddr) -> Result<f64> {
    let write = format!(
        "read begun idle < /proc/uptime; for turn in $(seq {}); do cat /tmp/noise; done | dd of=/disk/noise bs=1M conv=fsync 2> /dev/null
        read ended idle < /proc/uptime; rm /disk/noise; sync; echo $begun $ended | awk '{{ print {MIB} / ($2 - $1) }}'",
        MIB / 16
    );
    way.number(&write)
}

/// Bytes to a listener at the other end of the way out, by the listener's clock.
fn net(way: &Way, here: IpAddr) -> Result<f64> {
    let inside = way.clone();
    let (told, port) = std::sync::mpsc::channel();
    let listener = std::thread::spawn(move || -> Result<f64> {
        inside.enter()?;
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
