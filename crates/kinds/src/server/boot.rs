//! Booting a guest to see whether it comes up, with nobody to talk to: the smallest one on the machine's own virtualisation, to learn what
//! that is worth, and a disk that was restored, to prove its backup. Who boots them hears what the serial line says.

use super::disks;
use super::engine::{FIRMWARE, GENERATED, LOCKED, Processor, QEMU, folder, sandbox, words};
use super::spec::{Firmware, Image};
use crate::opening::{self, Look, Noting, Opening};
use crate::{Bind, Io, Limits, Place, Sandbox, Task};
use husorden_base::{Bytes, RuntimeName, Text};
use std::collections::BTreeMap;

/// The task that boots a guest on the machine's own virtualisation.
const TRIAL: &str = "trial";
/// Seconds that the smallest guest has to come up where virtualisation works; it takes two.
const TRIAL_S: u32 = 45;
/// Seconds that a restored one has, emulated and behind all that serves.
const PROOF_S: u32 = 540;
/// Memory that a restored guest is shown at most: it is to come up, not to work.
const PROOF_MEMORY_MAX: Bytes = Bytes::gib(1);
/// What QEMU needs beside it.
const BESIDE: Bytes = Bytes::mib(384);

/// Boots the smallest guest on the machine's own virtualisation.
pub(super) fn trial() -> Task {
    let mut sandbox = booting(TRIAL_S, Processor::Own, Bytes::mib(128));
    sandbox.argv.extend(disk("/run/image/disk.raw", "read-only=on"));
    sandbox.binds =
        vec![Bind { from: Place::Image(small_image()), to: "/run/image".to_owned(), write: false }, virtualisation()];
    Task { name: TRIAL.to_owned(), sandbox, stdin: String::new(), marks: Vec::new(), limit_s: TRIAL_S + 60 }
}

/// The smallest system there is: what is booted for a trial, and for a rescue.
pub(super) fn small_image() -> RuntimeName {
    Image::small().entry().clone()
}

/// The device of the machine's own virtualisation.
pub(super) fn virtualisation() -> Bind {
    Bind { from: Place::Virtualisation, to: "/dev/kvm".to_owned(), write: true }
}

/// What is noted when a backup is written: how large the disks are that come back.
pub(crate) fn noting() -> Noting {
    let script = format!("{GENERATED}/note.sh");
    let mut sandbox = sandbox(Limits { memory: Bytes::mib(64), cpu_percent: 100, pids: 16, io: Io::BACKGROUND });
    sandbox.argv = words(&["/bin/sh", &script]);
    sandbox.files.insert(script, include_str!("files/note.sh").to_owned());
    Noting { around: Vec::new(), still: vec![opening::still(opening::task("disk", sandbox, 60))] }
}

/// A restored disk is opened by starting it: by its own loader, without network, until its serial line asks for a log-in.
pub(crate) fn opening(firmware: Firmware, memory: Bytes) -> Opening {
    let mut sandbox = booting(PROOF_S, Processor::Emulated, memory.min(PROOF_MEMORY_MAX));
    if firmware == Firmware::Uefi {
        sandbox.argv.extend(words(&["-drive", &format!("if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE}")]));
        sandbox.argv.extend(words(&["-drive", "if=pflash,unit=1,format=raw,file=/srv/vm/vars.fd"]));
    }
    sandbox.argv.extend(disk("/srv/vm/disk.raw", "cache.direct=off"));
    // A system that mounts its other disks waits for them.
    disks::with(&mut sandbox, BOOTS);
    let look = Look {
        what: Text::new(
            "Startet fra sin egen disk uden net, indtil den beder om log ind",
            "Started from its own disk without network, until it asks for a log-in",
        ),
        task: opening::task("boot", sandbox, PROOF_S + 30),
        first: true,
    };
    Opening { services: BTreeMap::new(), looks: vec![look] }
}

/// Words before those of the guest's machine.
const BOOTS: usize = 3;

/// A guest with a serial line, and without a network.
fn booting(seconds: u32, processor: Processor, memory: Bytes) -> Sandbox {
    let script = format!("{GENERATED}/boot.pl");
    let limits = Limits { memory: Bytes(memory.0 + BESIDE.0), cpu_percent: 100, pids: 64, io: Io::BACKGROUND };
    let mut sandbox = sandbox(limits);
    sandbox.binds = vec![folder("vm", "/srv/vm")];
    sandbox.argv = words(&["/usr/bin/perl", &script, &seconds.to_string()]);
    sandbox.argv.extend(words(&QEMU));
    sandbox.argv.extend(processor.words());
    let memory = format!("{}M", memory.0 >> 20);
    sandbox.argv.extend(words(&["-smp", "1", "-m", &memory, "-no-reboot", "-sandbox", LOCKED, "-serial", "stdio"]));
    // Where nothing starts the firmware would wait for ever; so it ends.
    sandbox.argv.extend(words(&["-boot", "strict=on,reboot-timeout=1000"]));
    sandbox.argv.extend(words(&["-device", "virtio-rng-pci"]));
    sandbox.files.insert(script, include_str!("files/boot.pl").to_owned());
    sandbox
}

fn disk(path: &str, how: &str) -> Vec<String> {
    let file = format!("driver=file,node-name=file,filename={path},{how}");
    let raw = format!("driver=raw,node-name=disk,file=file,{how}");
    words(&["-blockdev", &file, "-blockdev", &raw, "-device", "virtio-blk-pci,drive=disk,bootindex=1"])
}
