//! What is generated for a server: the machine's own words, and its first settings.

use super::super::agent;
use super::super::boot;
use super::super::disks;
use super::super::engine::{self, Processor};
use super::super::package;
use super::super::plan;
use super::super::screen;
use super::super::spec::Spec;
use super::{KEY, membership, order};
use crate::server::Server;
use crate::{Io, Kind, Network, Place, Quiesce, Scheme, Service};
use serde_json::json;
use sha2::{Digest, Sha256};

#[test]
fn the_machine_is_held_to_what_it_needs() {
    let order = order(&json!({"image": "tiny", "cores": 2, "memory": "256 MiB", "firmware": "uefi"}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let machine = engine::machine(&order, &spec, Processor::Emulated);
    let said = machine.sandbox.argv.join(" ");
    for expected in [
        "/machine.pl on-failure 60 /usr/bin/qemu-system-x86_64 -nodefaults -no-user-config",
        "-machine q35 -accel tcg,thread=multi,tb-size=128 -cpu max ",
        "-smp 2 -m 256M ",
        "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        "filename=/srv/vm/disk.raw,cache.direct=off,discard=unmap",
        "fd=3,server=on,wait=off",
        "if=pflash,unit=1",
        "tap,id=net0,ifname=tap0,script=no,downscript=no,vhost=off",
        "netdev=net0,mac=02:48:76:00:00:07,romfile=",
    ] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    assert_eq!(
        (machine.sandbox.limits.pids, machine.sandbox.limits.cpu_percent),
        (256, 300),
        "one processor beside its own"
    );
    // One that runs within the limits that there were before goes on.
    let before = &engine::ways(machine.clone())[1].sandbox;
    assert_eq!((before.limits.cpu_percent, before.limits.io), (200, Io::default()));
    assert_eq!(before.argv, machine.sandbox.argv);
    assert!(machine.sandbox.limits.memory > spec.memory, "more than the guest sees");
    assert_eq!((machine.sandbox.network, machine.idle_stop_s), (Network::Tap, Service::STAYS));
    let own = |place: &Place| matches!(place, Place::Folder(_) | Place::Sockets);
    assert!(machine.sandbox.binds.iter().all(|bind| own(&bind.from)), "its own folders and sockets alone");
}

#[test]
fn a_screen_is_a_file_of_the_sandbox_and_changes_nothing_else() {
    let order = order(&json!({"image": "tiny"}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let machine = agent::without(engine::machine(&order, &spec, Processor::Emulated));
    let said = machine.sandbox.argv.join(" ");
    assert!(said.ends_with("-vnc unix:/tmp/screen.sock,share=ignore -device virtio-scsi-pci,id=scsi"), "{said}");
    let machine = disks::without(machine);
    let older = screen::without(machine.clone());
    let (said, before) = (machine.sandbox.argv.join(" "), older.sandbox.argv.join(" "));
    assert!(said.starts_with(&before) && said != before && !before.contains("VGA"));
    assert_eq!((&older.sandbox.binds, &older.sandbox.files), (&machine.sandbox.binds, &machine.sandbox.files));
    let console = screen::console();
    assert!(console.attach.iter().chain(&console.picture).any(|word| word.contains("/tmp/screen.sock")));
}

#[test]
fn a_line_to_an_agent_is_a_file_of_the_sandbox_and_comes_last() {
    let order = order(&json!({"image": "tiny"}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let machine = engine::machine(&order, &spec, Processor::Emulated);
    let machine = disks::without(machine);
    let older = agent::without(machine.clone());
    let (said, before) = (machine.sandbox.argv.join(" "), older.sandbox.argv.join(" "));
    let line = said.strip_prefix(&before).expect("it comes last");
    assert!(
        line.contains("path=/tmp/agent.sock,server=on,wait=off") && line.contains("org.qemu.guest_agent.0"),
        "{line}"
    );
    // Who stands beside the machine is the same as it was before there were agents, to the letter.
    let keeper = &older.sandbox.files[engine::KEEPER];
    let digest: String = Sha256::digest(keeper).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, "e51d29d27b26e0af634aaa26fc38cbe994bece35f2aea39c86294be9585d4732", "{keeper}");
    assert!(machine.sandbox.files[engine::KEEPER].contains("guest-shutdown"));
    assert_eq!(older.sandbox.binds, machine.sandbox.binds);

    let asked = Server.quiesce(&order.spec).expect("a server can be asked");
    assert_eq!(asked.role, engine::MACHINE);
    for (words, last) in [(&asked.hold, "hold"), (&asked.let_go, "let-go")] {
        assert_eq!((words.len(), words[3].as_str()), (4, last));
        assert!(words[2].contains("/tmp/agent.sock"));
    }
    // What it says is what the node waits for.
    for word in [Quiesce::HELD, Quiesce::LET_GO] {
        assert!(asked.hold[2].contains(&format!("print \"{word}\\n\"")), "{word}");
    }
}

#[test]
fn a_rescue_has_a_log_in_whose_hash_is_in_its_settings_alone() {
    let mut order = order(&json!({"image": "tiny", "keys": [KEY], "rescue": true}));
    let logins = Server.credentials(&order.spec);
    assert_eq!(logins.iter().map(|login| login.username.as_str()).collect::<Vec<_>>(), ["root"]);
    assert!(logins[0].at_once && logins[0].scheme == Scheme::Sha512Crypt);
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let without = engine::seed_digest(&order, &spec);
    let hash = "$6$saltstring$svn8UoSVapNtMuq1ukKS".to_owned();
    let credential = crate::Credential { username: "root".to_owned(), hash: hash.clone(), generation: 1 };
    order.credentials.insert("root".to_owned(), credential);
    let task = engine::seed(&order, &spec);
    assert!(task.stdin.split('\0').next().expect("three parts").ends_with(&format!("\nrescue-password: \"{hash}\"\n")));
    assert_ne!(engine::seed_digest(&order, &spec), without, "another password is other settings");
    let machine = engine::machine(&order, &spec, Processor::Emulated);
    let seen = serde_json::to_string(&(&task.sandbox, &machine)).expect("JSON");
    assert!(!seen.contains("saltstring"), "in no argument and no file but the settings");
    order.credentials.get_mut("root").expect("it has one").hash.push('x');
    let other = engine::machine(&order, &spec, Processor::Emulated);
    assert_ne!(other.digest(), machine.digest(), "another one is read by a start");
    // It ends with the rescue, also where a credential is left.
    order.spec["rescue"] = json!(false);
    assert!(Server.credentials(&order.spec).is_empty());
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    assert!(!engine::seed(&order, &spec).stdin.contains("rescue-password"));
}

#[test]
fn disks_beside_the_first_are_no_words_of_the_machine() {
    let machine = |form| {
        let order = order(&form);
        engine::machine(&order, &Spec::stored(&order.spec).expect("it was parsed"), Processor::Emulated)
    };
    let bare = machine(json!({"image": "tiny"}));
    let more = machine(json!({"image": "tiny", "disks": {"data": {"size": "64 MiB"}}}));
    assert_eq!(bare.digest(), more.digest(), "nothing is turned off for one");
    assert!(
        bare.sandbox.argv.join(" ").starts_with("/usr/bin/perl /run/conf/start.pl /usr/bin/perl /run/conf/machine.pl ")
    );
    let older = disks::without(bare.clone());
    let said = older.sandbox.argv.join(" ");
    assert!(!said.contains("scsi") && !said.contains("start.pl"), "{said}");
    assert_eq!(older.sandbox.files.len() + 1, bare.sandbox.files.len());
    assert_eq!(disks::without(older.clone()), older, "there is nothing more to take away");
    let ways: Vec<_> = engine::ways(bare).iter().map(disks::have_a_place).collect();
    let said = "now, with narrower limits, and before there were disks, lines to agents, and screens";
    assert_eq!(ways, [true, true, false, false, false], "{said}");
}

#[test]
fn disks_are_brought_by_a_task_that_knows_nothing_but_their_names() {
    let disks = json!({"data": {"size": "64 MiB"}, "b-2": {"size": "16 MiB", "attached": false}});
    let order = order(&json!({"image": "tiny", "disks": disks}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let task = disks::bring(&spec, true);
    assert_eq!(task.stdin, "b-2 16777216 out\ndata 67108864 in\n");
    assert_eq!(task.marks, [("disks".to_owned(), "b-2 16777216 out, data 67108864 in".to_owned())]);
    assert_eq!((task.sandbox.network, task.sandbox.env["MACHINE"].as_str()), (Network::Nothing, "on"));
    assert_eq!(disks::bring(&spec, false).sandbox.env["MACHINE"], "off");
    let proof = boot::opening(spec.firmware, spec.memory).looks[0].task.sandbox.clone();
    let said = proof.argv.join(" ");
    assert!(said.contains("/boot.pl 540 /usr/bin/perl /run/conf/start.pl /usr/bin/qemu-system-x86_64 "), "{said}");
    assert!(said.contains("virtio-scsi-pci,id=scsi") && proof.files.contains_key("/run/conf/start.pl"));
    let page = package::task(&order, &spec, &[("disk".to_owned(), "1".to_owned())].into()).expect("a task").sandbox;
    let page = &page.files["/run/conf/README.md"];
    assert!(page.contains("-device virtio-blk-pci,drive=disk,bootindex=1 "), "no other is started from: {page}");
    assert!(page.contains("-drive file=disks/data.raw,format=raw,if=none,id=extra-data"), "{page}");
    assert!(page.contains("-device virtio-scsi-pci,id=scsi \\\n") && !page.contains("b-2"), "{page}");
}

#[test]
fn a_machine_has_a_card_in_each_of_its_networks_and_its_guest_is_told() {
    let mut order = order(&json!({"image": "tiny"}));
    let alone = engine::machine(&order, &Spec::stored(&order.spec).expect("it was parsed"), Processor::Emulated);
    order.networks = vec![membership(12, "10.20.0.0/24", "10.20.0.5"), membership(3, "192.168.7.0/28", "192.168.7.2")];
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let machine = engine::machine(&order, &spec, Processor::Emulated);
    assert_ne!(machine.digest(), alone.digest(), "it is turned off and on");
    let said = machine.sandbox.argv.join(" ");
    for expected in [
        "tap,id=net0,ifname=tap0,",
        "tap,id=net1,ifname=t12,script=no,downscript=no,vhost=off",
        "netdev=net1,mac=02:48:77:00:00:0c,romfile=",
        "tap,id=net2,ifname=t3,",
        "netdev=net2,mac=02:48:77:00:00:03,",
    ] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    let settings = engine::seed(&order, &spec).stdin;
    for expected in [
        "name: eth1\n    mac_address: \"02:48:77:00:00:0c\"\n    subnets:\n      - type: static\n        address: \"10.20.0.5/24\"\n      - type: static6\n        address: \"fd00::12:0:0:a14:5/128\"\n        routes:\n          - network: \"fd00:0:0:12::\"\n            netmask: \"64\"\n            gateway: \"fe80::2\"\n",
        "name: eth2\n    mac_address: \"02:48:77:00:00:03\"",
    ] {
        assert!(settings.contains(expected), "{expected} is not in {settings}");
    }
    assert_eq!(settings.matches("gateway: \"169.254.1.2\"").count(), 1, "no way out by a network");
    assert_eq!(super::super::plan::port(&order, &spec).networks, order.networks);
}

#[test]
fn leave_to_reach_port_25_is_the_ports_and_nothing_else_changes_by_it() {
    let mut order = order(&json!({"image": "tiny"}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let closed = plan::port(&order, &spec);
    let machine = engine::machine(&order, &spec, Processor::Emulated);
    let told = serde_json::to_string(&closed).expect("it is written");
    assert!(!told.contains("mail_out"), "a port without leave is told from others as before: {told}");
    order.mail_out = Some(crate::MailOut::default());
    let open = plan::port(&order, &spec);
    assert_eq!(open.mail_out, order.mail_out);
    assert_ne!(open.digest(), closed.digest());
    assert_eq!(engine::machine(&order, &spec, Processor::Emulated).digest(), machine.digest(), "nobody is turned off");
}

#[test]
fn only_who_runs_on_the_machines_own_virtualisation_has_its_device() {
    let order = order(&json!({"image": "tiny"}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let has = |sandbox: &crate::Sandbox| sandbox.binds.iter().any(|bind| bind.from == Place::Virtualisation);
    let own = engine::machine(&order, &spec, Processor::Own);
    assert!(has(&own.sandbox) && own.sandbox.argv.join(" ").contains("-accel kvm -cpu host "));
    assert!(!has(&engine::machine(&order, &spec, Processor::Emulated).sandbox));
    let trial = boot::trial();
    assert!(has(&trial.sandbox) && trial.sandbox.network == Network::Nothing && trial.marks.is_empty());
    let disk = "driver=file,node-name=file,filename=/run/image/disk.raw,read-only=on";
    assert!(trial.sandbox.argv.iter().any(|word| word == disk), "the catalogue's own disk is not written");
    let looks = boot::opening(spec.firmware, spec.memory).looks;
    let proof = &looks[0].task.sandbox;
    assert!(!has(proof) && proof.network == Network::Nothing && proof.argv.join(" ").contains("/srv/vm/disk.raw"));
}

#[test]
fn a_rescue_starts_from_the_small_image_and_leaves_it_as_it_is() {
    let order = order(&json!({"image": "debian-13", "rescue": true}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let machine = engine::machine(&order, &spec, Processor::Emulated).sandbox;
    let said = machine.argv.join(" ");
    let (rescue, own) = (said.find("drive=rescue,bootindex=0"), said.find("drive=disk,bootindex=1"));
    assert!(rescue.expect("it is there") < own.expect("its own is too"), "{said}");
    assert!(said.contains("filename=/run/rescue/disk.raw,read-only=on"));
    assert!(machine.binds.iter().any(|bind| bind.to == "/run/rescue" && !bind.write));
}

#[test]
fn first_settings_hold_keys_and_user_data_and_never_stand_in_a_command() {
    let order = order(&json!({"keys": [KEY], "user_data": "#!/bin/sh\necho \"hej\"\n"}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let task = engine::seed(&order, &spec);
    let parts: Vec<&str> = task.stdin.splitn(3, '\0').collect();
    let [meta, network, user] = parts[..] else { panic!("three parts: {parts:?}") };
    for said in ["\n        address: \"100.64.0.7/32\"\n        gateway: \"169.254.1.2\"\n", "gateway: \"fe80::2\"\n"] {
        assert!(network.contains(said), "{network}");
    }
    assert_eq!(meta, format!("instance-id: \"00000000-0000-0000-0000-000000000000\"\npublic-keys:\n  - \"{KEY}\"\n"));
    assert_eq!(user, "#!/bin/sh\necho \"hej\"\n");
    let seen = serde_json::to_string(&(&task.sandbox.argv, &task.sandbox.env, &task.sandbox.files)).expect("JSON");
    assert!(!seen.contains("hej") && !seen.contains("anna@"), "{seen}");
    let mut other = order.clone();
    other.solution = husorden_base::SolutionId(uuid::Uuid::from_u128(1));
    assert_ne!(engine::seed_digest(&order, &spec), engine::seed_digest(&other, &spec), "a copy is another machine");
}

#[test]
fn public_addresses_come_first_in_the_first_settings_and_the_way_out_is_said_once() {
    let mut order = order(&json!({"public_ipv4": true, "public_ipv6": true}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let before = engine::seed_digest(&order, &spec);
    order.public =
        crate::Public { ipv4: Some([192, 0, 2, 7].into()), ipv6: Some("2001:db8:0:7::/64".parse().expect("a net")) };
    let task = engine::seed(&order, &spec);
    let network = task.stdin.split('\0').nth(1).expect("three parts");
    let said: Vec<&str> = network
        .lines()
        .filter_map(|line| line.trim().strip_prefix("address: ").or(line.trim().strip_prefix("gateway: ")))
        .collect();
    assert_eq!(
        said,
        [
            "\"192.0.2.7/32\"",
            "\"169.254.1.2\"",
            "\"2001:db8:0:7::1/128\"",
            "\"fe80::2\"",
            "\"100.64.0.7/32\"",
            "\"fd48:7573:6f72::7/128\"",
        ]
    );
    assert_ne!(engine::seed_digest(&order, &spec), before, "they are other settings");
}

#[test]
fn rules_open_nothing_without_a_public_address() {
    let mut order = order(&json!({}));
    let spec = Spec::stored(&order.spec).expect("it was parsed");
    let bare = plan::port(&order, &spec);
    order.rules = crate::firewall::read(&json!([{"protocol": "tcp", "ports": "80", "from": ["::/0"]}])).expect("rules");
    assert_eq!(plan::port(&order, &spec), bare);
    order.public.ipv4 = Some([192, 0, 2, 7].into());
    let port = plan::port(&order, &spec);
    assert_eq!((port.public.len(), port.passages.len()), (1, 1));
    assert_eq!((&port.allow, &port.doors), (&bare.allow, &bare.doors));
}

#[test]
fn a_package_is_made_of_a_snapshot_and_says_how_it_starts() {
    let marks = std::collections::BTreeMap::from([("disk".to_owned(), "1".to_owned())]);
    for (firmware, expected) in [("bios", false), ("uefi", true)] {
        let order = order(&json!({"image": "debian-13", "firmware": firmware, "cores": 2, "memory": "1 GiB"}));
        let spec = Spec::stored(&order.spec).expect("it was parsed");
        assert!(package::task(&order, &spec, &std::collections::BTreeMap::new()).is_none(), "no disk yet");
        let sandbox = package::task(&order, &spec, &marks).expect("a task").sandbox;
        assert!(sandbox.binds.iter().all(|bind| matches!(bind.from, Place::Snapshot(_)) && !bind.write));
        assert_eq!(sandbox.network, Network::Nothing);
        let page = &sandbox.files["/run/conf/README.md"];
        assert_eq!(page.contains("if=pflash"), expected, "{page}");
        assert!(page.contains("-smp 2 -m 1024M") && page.contains("disk.tar.gz.*"), "{page}");
    }
}
