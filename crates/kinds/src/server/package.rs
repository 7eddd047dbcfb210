//! A server as a package: its disks as they were at one moment, and the line that starts it elsewhere.

use super::engine::{self, FIRMWARE, mark};
use super::spec::{Firmware, Spec};
use crate::{Bind, Io, Limits, Order, Place, Task};
use husorden_base::Bytes;
use std::collections::BTreeMap;

/// The task, where the disk is made. It reads a snapshot, for a disk that is written to is never whole.
pub(super) fn task(order: &Order, spec: &Spec, marks: &BTreeMap<String, String>) -> Option<Task> {
    marks.get(mark::DISK)?;
    let limits = Limits { memory: Bytes::mib(256), cpu_percent: 100, pids: 32, io: Io::BACKGROUND };
    let mut sandbox = engine::sandbox(limits);
    sandbox.binds = vec![Bind { from: Place::Snapshot("vm".to_owned()), to: "/srv/vm".to_owned(), write: false }];
    Some(crate::package::task(order, sandbox, include_str!("files/package.sh"), &readme(spec)))
}

fn readme(spec: &Spec) -> String {
    let (packages, firmware) = match spec.firmware {
        Firmware::Uefi => (
            "qemu-system-x86 ovmf",
            format!(
                " \\\n      -drive if=pflash,unit=0,format=raw,readonly=on,file={FIRMWARE} \\\n      \
                 -drive if=pflash,unit=1,format=raw,file=vars.fd"
            ),
        ),
        Firmware::Bios => ("qemu-system-x86", String::new()),
    };
    let (cores, memory) = (spec.cores, spec.memory.0 >> 20);
    let attached = spec.disks.iter().filter(|(_, disk)| disk.attached).map(|(name, _)| {
        format!(
            " \\\n      -drive file=disks/{name}.raw,format=raw,if=none,id=extra-{name} \\\n      \
             -device scsi-hd,bus=scsi.0,drive=extra-{name},serial={name},device_id={name}"
        )
    });
    let more: String = attached.collect();
    let more = if more.is_empty() { more } else { format!(" \\\n      -device virtio-scsi-pci,id=scsi{more}") };
    format!(
        "## Server\n\nSom root: · As root:\n\n    apt-get install --yes {packages}\n    \
         cat disk.tar.gz.* | tar --extract --gzip --sparse\n    \
         qemu-system-x86_64 -machine q35 -accel kvm -accel tcg -cpu max -smp {cores} -m {memory}M -nographic{firmware} \\\n      \
         -drive file=disk.raw,format=raw,if=none,id=disk -device virtio-blk-pci,drive=disk,bootindex=1 \\\n      \
         -drive file=seed.iso,format=raw,if=virtio,readonly=on \\\n      \
         -nic user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:2222-:22{more}\n\n\
         Diskene er, som de var i ét øjeblik, mens serveren kørte: den starter som efter en strømafbrydelse. Serielinjen er denne terminal. Adresserne inde i den \
         er dem, den havde her; giv den det nye steds.\n\n\
         The disks are as they were at one moment while the server ran: it starts as after a loss of power. The serial line is this terminal. The addresses \
         in it are those that it had here; give it those of the new place.\n"
    )
}
