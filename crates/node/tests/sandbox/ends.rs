//! How services end and come again: stopped, idle, crashed, never started, or held still.

use super::{PATIENCE, Site, ask, number, sandbox, service, state, task, until};
use husorden_kinds::{Reach, Service, ServiceState};
use husorden_node::sandbox::{Event, Exit};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

#[test]
fn a_stop_loses_no_connection() {
    let site = Site::new();
    let wall = site.open();
    wall.service_set(number(7), "web", &service()).unwrap();
    wall.service_set(number(8), "web", &service()).unwrap();
    // Somebody knocks all the time while the service is stopped and set anew again and again.
    let socket = site.socket(7, "web");
    let asking = std::thread::spawn(move || {
        let mut born = std::collections::BTreeSet::new();
        let deadline = Instant::now() + PATIENCE;
        for turn in 0.. {
            if born.len() >= 5 || Instant::now() > deadline {
                break;
            }
            let stream = UnixStream::connect(&socket).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let answer = ask(stream, &format!("turn-{turn}")).unwrap_or_else(|| panic!("connection {turn} was lost"));
            let (at, echo) = answer.split_once(' ').unwrap();
            assert_eq!(echo, format!("turn-{turn}"));
            born.insert(at.to_owned());
        }
        born.len()
    });
    let mut change = 0;
    while !asking.is_finished() {
        until("it runs", || asking.is_finished() || state(&wall, 7, "web") == Some(ServiceState::Running));
        change += 1;
        let mut changed = service();
        changed.sandbox.env.insert("CHANGE".into(), change.to_string());
        wall.service_set(number(7), "web", &changed).unwrap();
    }
    let lives = asking.join().unwrap();
    assert!(lives >= 5, "the service was started anew {lives} times");
    assert_eq!(state(&wall, 8, "web"), Some(ServiceState::Sleeping), "a neighbour hears nothing of it");
    site.close(wall);
}

#[test]
fn who_still_starts_is_not_told_to_end() {
    let site = Site::new();
    let wall = site.open();
    let late = Service { sandbox: sandbox(&["/bin/echo_service", "serve-late"]), stop_s: 3_600, ..service() };
    wall.service_set(number(7), "db", &late).unwrap();
    wall.wake(number(7)).unwrap();
    until("it starts", || state(&wall, 7, "db") == Some(ServiceState::Running));
    drop(wall.quiet(number(7)).expect("it ends when it has started"));
    site.close(wall);
}

#[test]
fn what_is_set_anew_is_shown_until_it_has_ended() {
    let site = Site::new();
    let wall = site.open();
    wall.service_set(number(7), "web", &service()).unwrap();
    let mut served = site.connect(7, "web");
    served.write_all(b"count\n").unwrap();
    served.read_exact(&mut [0; 8]).unwrap();
    let mut changed = service();
    changed.sandbox.env.insert("CHANGE".into(), "1".into());
    wall.service_set(number(7), "web", &changed).unwrap();
    assert_eq!(state(&wall, 7, "web"), Some(ServiceState::Renewing), "as it was set before, it still serves somebody");
    drop(served);
    until("it has ended", || state(&wall, 7, "web") == Some(ServiceState::Sleeping));
    assert!(site.ask(7, "web", "hello").is_some());
    assert_eq!(state(&wall, 7, "web"), Some(ServiceState::Running));
    site.close(wall);
}

#[test]
fn what_is_idle_stops_and_what_works_does_not() {
    let site = Site::new();
    let wall = site.open();
    let idle = Service { idle_stop_s: 1, ..service() };
    let own = Service { reach: Reach::Own, ..idle.clone() };
    wall.service_set(number(7), "web", &idle).unwrap();
    wall.service_set(number(7), "db", &own).unwrap();
    let meta = fs::metadata(site.socket(7, "db")).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o777), (number(7).uid(), 0o600));
    wall.note_activity(number(7), "web", 1);
    site.ask(7, "web", "hello").unwrap();
    site.ask(7, "db", "hello").unwrap();
    std::thread::sleep(Duration::from_millis(1_700));
    assert_eq!(state(&wall, 7, "web"), Some(ServiceState::Running), "a request is open");
    assert_eq!(state(&wall, 7, "db"), Some(ServiceState::Running), "who may use it runs");
    wall.note_activity(number(7), "web", 0);
    until("both sleep", || ["web", "db"].iter().all(|role| state(&wall, 7, role) == Some(ServiceState::Sleeping)));
    assert!(
        site.house.saw(
            |event| matches!(event, Event::Ended { role, expected: true, exit: Exit::Code(0), .. } if role == "web")
        )
    );
    assert!(site.cgroups().iter().all(|base| !base.join("7").exists()), "an idle solution has no cgroup");
    assert!(site.ask(7, "web", "again").is_some());
    site.close(wall);
}

#[test]
fn a_crash_is_noticed_and_the_next_connection_starts_it_anew() {
    let site = Site::new();
    let wall = site.open();
    wall.service_set(number(7), "web", &service()).unwrap();
    let before = site.ask(7, "web", "hello").unwrap();
    assert_eq!(site.ask(7, "web", "crash"), None);
    until("the crash is told", || {
        site.house.saw(|event| matches!(event, Event::Ended { exit: Exit::Signal(_), expected: false, .. }))
    });
    let after = site.ask(7, "web", "hello").unwrap();
    assert_ne!(before, after);
    assert_eq!(site.ask(7, "web", "eat"), None);
    until("the want of memory is told", || {
        // A look at the running service may see the kill a moment before its end is seen.
        site.house.saw(|event| matches!(event, Event::Ended { out_of_memory: true, .. } | Event::OutOfMemory { .. }))
    });
    site.close(wall);
}

#[test]
fn who_has_served_and_ends_young_did_start() {
    let site = Site::new();
    let wall = site.open();
    wall.service_set(number(7), "web", &service()).unwrap();
    let ends = || site.house.events.lock().unwrap().iter().filter(|event| matches!(event, Event::Ended { .. })).count();
    let failing = || matches!(state(&wall, 7, "web"), Some(ServiceState::Failing { .. }));
    // Killed from outside as often as one likes: the next who connects starts it anew, with no pause before it.
    for round in 1..=5 {
        assert!(site.ask(7, "web", "hello").is_some(), "round {round}");
        // It may answer a moment before its start is noted.
        until("it is known", || wall.pid(number(7), "web").is_some());
        let pid = nix::unistd::Pid::from_raw(i32::try_from(wall.pid(number(7), "web").unwrap()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        until("the end is told", || ends() == round);
        until("it sleeps", || state(&wall, 7, "web") == Some(ServiceState::Sleeping));
    }
    // By its own doing, once it has served: it is started anew. Again and again, and it counts as one that does not start.
    for round in 1..=3 {
        assert!(site.ask(7, "web", "hello").is_some(), "round {round}");
        assert_eq!(site.ask(7, "web", "crash"), None);
        until("the end is told", || ends() == 5 + round);
        until("it is put away", || state(&wall, 7, "web") == Some(ServiceState::Sleeping) || failing());
        assert_eq!(failing(), round == 3, "round {round}");
    }
    // After its pause it serves as before.
    until("the pause is over", || !failing());
    assert!(site.ask(7, "web", "hello").is_some());
    site.close(wall);
}

#[test]
fn what_does_not_start_is_tried_again_and_then_turns_people_away() {
    let site = Site::new();
    let wall = site.open();
    let failing = Service { sandbox: sandbox(&["/bin/echo_service", "fail"]), ..service() };
    wall.service_set(number(7), "web", &failing).unwrap();
    let waiting = site.connect(7, "web");
    let reason = || match state(&wall, 7, "web") {
        Some(ServiceState::Failing { reason }) => reason,
        _ => String::new(),
    };
    // The one connection waits through two pauses and is turned away after the third failure.
    assert_eq!(ask(waiting, "hello"), None);
    let ends = site.house.events.lock().unwrap().iter().filter(|event| matches!(event, Event::Ended { .. })).count();
    assert_eq!(ends, 3);
    assert!(reason().contains("no luck today"), "{}", reason());
    assert_eq!(site.ask(7, "web", "hello"), None, "nobody waits while it pauses");
    // A changed service is tried at once.
    wall.service_set(number(7), "web", &service()).unwrap();
    assert!(site.ask(7, "web", "hello").is_some());

    for (role, argv, env, said) in [
        ("nofile", "/bin/nothing", "X", "/bin/nothing"),
        ("noroot", "/bin/echo_service", "UNRESOLVED", "there is no such runtime"),
    ] {
        let mut broken = service();
        broken.sandbox.argv[0] = argv.into();
        broken.sandbox.env.insert(env.into(), String::new());
        wall.service_set(number(8), role, &broken).unwrap();
        let _waiting = site.connect(8, role);
        until(
            "it fails",
            || matches!(state(&wall, 8, role), Some(ServiceState::Failing { reason }) if reason.contains(said)),
        );
        wall.service_drop(number(8), role).unwrap();
        assert_eq!(state(&wall, 8, role), None);
        assert!(!site.socket(8, role).exists());
    }
    site.close(wall);
}

#[test]
fn a_socket_that_its_service_spoils_is_made_anew() {
    let site = Site::new();
    let wall = site.open();
    wall.service_set(number(7), "web", &service()).unwrap();
    let count = |wanted: fn(&Event) -> bool| site.house.events.lock().unwrap().iter().filter(|e| wanted(e)).count();
    let starts = || count(|event| matches!(event, Event::Started { .. }));
    for round in 1..=2 {
        let mut stream = site.connect(7, "web");
        stream.write_all(b"shut\n").unwrap();
        until("it ends", || count(|event| matches!(event, Event::Ended { .. })) == round);
        // Longer than the pause after the first failure.
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(starts(), round, "nobody connects, so nothing starts");
    }
    // Somebody who kept the socket shuts it while nothing may start.
    wall.hold(number(7), true);
    until("it sleeps", || state(&wall, 7, "web") == Some(ServiceState::Sleeping));
    shut_own(".web.new");
    until("it can be reached", || UnixStream::connect(site.socket(7, "web")).is_ok());
    assert_eq!(site.ask(7, "web", "hello"), None, "turned away");
    wall.hold(number(7), false);
    assert!(site.ask(7, "web", "hello").is_some());
    // The answer may be there before the start is told.
    until("the third start is told", || starts() == 3);
    site.close(wall);
}

/// Shuts the listening sockets of this process that were bound under a name.
fn shut_own(name: &str) {
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    let own = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    for entry in fs::read_dir("/proc/self/fd").unwrap().flatten() {
        let fd = entry.file_name().to_str().unwrap().parse().unwrap();
        let Ok(fd) = pidfd_getfd(&own, fd, PidfdGetfdFlags::empty()) else { continue };
        let listener = std::os::unix::net::UnixListener::from(fd);
        if listener.local_addr().is_ok_and(|at| at.as_pathname().is_some_and(|path| path.ends_with(name))) {
            rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
        }
    }
}

#[test]
fn nothing_of_a_quiet_solution_runs_on() {
    let site = Site::new();
    let wall = site.open();
    wall.service_set(number(7), "web", &service()).unwrap();
    assert!(site.ask(7, "web", "hello").is_some());
    wall.task_start(number(7), &task("hang")).unwrap();
    wall.task_start(number(8), &task("hang")).unwrap();
    until("it runs", || site.cgroups().iter().any(|base| base.join("7/t.hang").exists()));
    let quiet = wall.quiet(number(7)).unwrap();
    assert!(wall.sight(number(7)).tasks.is_empty(), "what it would leave is not wanted");
    assert_eq!(wall.pid(number(7), "web"), None);
    assert_eq!(wall.sight(number(8)).tasks.len(), 1, "others go on");
    drop(quiet);
    assert!(site.ask(7, "web", "hello").is_some());
    assert!(site.house.marks.lock().unwrap().is_empty());
    site.close(wall);
}
