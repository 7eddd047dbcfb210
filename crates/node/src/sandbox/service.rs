//! Services on demand: from the first connection to the last, and back to sleep.
//!
//! The node and the sandbox hold the same listening socket. While nothing runs, the node watches it; while something runs,
//! the node keeps it open and looks away. So a stop loses nothing: who connects meanwhile waits in the socket and wakes the
//! service again.

use super::causes;
use super::launch::LISTENER_FD;
use super::process::Process;
use super::socket;
use super::state::{Key, Phase, Shared, Slot, State, Target, Which};
use husorden_base::Number;
use husorden_kinds::{Reach, Service};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

impl Shared {
    /// Watches a sleeping service's socket.
    pub(crate) fn arm(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.services.get_mut(key) else { return };
        if slot.armed.is_some() {
            return;
        }
        let Some(listener) = slot.listener.take() else { return };
        let armed = self.watch(state, listener.as_fd(), Target::Listener(key.clone()));
        if let Err(error) = &armed {
            tracing::error!(number = %key.0, role = key.1, error = %error, "a service's socket cannot be watched");
        }
        if let Some(slot) = state.services.get_mut(key) {
            slot.armed = armed.ok();
            slot.listener = Some(listener);
        }
    }

    /// Watches the sockets of a solution's sleeping services again, after something kept it from starting.
    pub(crate) fn listen_again(&self, state: &mut State, number: Number) {
        let sleeping: Vec<Key> = state
            .services_of(number)
            .filter(|(_, slot)| matches!(slot.phase, Phase::Sleeping))
            .map(|(key, _)| key.clone())
            .collect();
        for key in sleeping {
            self.arm(state, &key);
        }
    }

    pub(crate) fn disarm(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.services.get_mut(key) else { return };
        let Some(token) = slot.armed.take() else { return };
        if let Some(listener) = slot.listener.take() {
            self.unwatch(state, listener.as_fd(), token);
            if let Some(slot) = state.services.get_mut(key) {
                slot.listener = Some(listener);
            }
        }
    }

    /// Puts a service to sleep: from here on a connection wakes it.
    pub(crate) fn sleep(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.services.get_mut(key) else { return };
        slot.phase = Phase::Sleeping;
        self.mend_listener(state, key);
        self.set_timer(state, &Which::Service(key.clone()), None);
        self.arm(state, key);
    }

    /// Puts a new socket in the place of one that lived in the sandbox only, or that the sandbox has shut.
    pub(super) fn mend_listener(&self, state: &mut State, key: &Key) {
        if state.services.get(key).is_some_and(Slot::is_deaf) {
            self.disarm(state, key);
            if let Some(slot) = state.services.get_mut(key) {
                slot.listener = None;
            }
        }
        let edge_gid = self.ground.edge_gid;
        let Some(slot) = state.services.get_mut(key) else { return };
        if slot.listener.is_none() && !slot.leaving {
            let folder = self.ground.sockets(key.0);
            match socket::make_folder(&folder, edge_gid)
                .and_then(|()| socket::bind(&folder, &key.1, slot.service.reach, key.0.uid(), edge_gid))
            {
                Ok(listener) => slot.listener = Some(listener),
                Err(error) => slot.reason = causes(&error),
            }
        }
    }

    /// Somebody connects to a service that does not run.
    pub(crate) fn knock(&self, state: &mut State, key: &Key) {
        let (held, may_start) = (state.held.contains(&key.0) || state.closing, state.may_start(key.0));
        if state.services.get(key).is_some_and(Slot::is_deaf) {
            // Nobody knocks: the socket was shut, and would be seen as readable for ever.
            self.mend_listener(state, key);
            self.arm(state, key);
            return;
        }
        let Some(slot) = state.services.get_mut(key) else { return };
        let turned_away = held || matches!(slot.phase, Phase::Paused);
        if turned_away {
            if let Some(listener) = &slot.listener {
                socket::turn_away(listener.as_fd());
            }
            return;
        }
        if matches!(slot.phase, Phase::Sleeping) && may_start {
            slot.phase = Phase::Queued;
            slot.knocked = Instant::now();
            self.disarm(state, key);
            self.start_later(state, Which::Service(key.clone()));
        } else {
            // Frozen: who knocks waits until the thaw, which watches the socket again.
            self.disarm(state, key);
        }
    }

    /// Sets a service; see [`super::Sandboxes::service_set`].
    pub(crate) fn set(&self, state: &mut State, key: &Key, service: &Service) -> Result<(), socket::SocketError> {
        let folder = self.ground.sockets(key.0);
        socket::make_folder(&folder, self.ground.edge_gid)?;
        let digest = service.digest();
        if let Some(slot) = state.services.get_mut(key) {
            slot.claimed = true;
            if !socket::path(&folder, &key.1).exists() {
                // Somebody took the name away: a new socket is made as soon as nothing serves on the old one.
                return self.renew(state, key, service, digest);
            }
            if slot.digest == digest {
                return Ok(());
            }
            socket::dress(&folder, &key.1, service.reach, key.0.uid(), self.ground.edge_gid)?;
            slot.service = Arc::new(service.clone());
            slot.digest.clone_from(&digest);
            slot.failures = 0;
            match &slot.phase {
                Phase::Paused => self.sleep(state, key),
                Phase::Running(running) if running.digest != digest => self.stop(state, key, false),
                _ => {}
            }
            return Ok(());
        }
        let listener = socket::bind(&folder, &key.1, service.reach, key.0.uid(), self.ground.edge_gid)?;
        state.services.insert(key.clone(), Slot::new(Arc::new(service.clone()), Some(listener), true));
        self.arm(state, key);
        Ok(())
    }

    /// Sets a service whose socket has lost its name.
    fn renew(
        &self,
        state: &mut State,
        key: &Key,
        service: &Service,
        digest: String,
    ) -> Result<(), socket::SocketError> {
        self.disarm(state, key);
        let Some(slot) = state.services.get_mut(key) else { return Ok(()) };
        slot.service = Arc::new(service.clone());
        slot.digest = digest;
        slot.listener = None;
        match slot.phase {
            Phase::Sleeping | Phase::Paused | Phase::Queued => self.sleep(state, key),
            _ => self.stop(state, key, false),
        }
        Ok(())
    }

    /// Takes a service away; what still runs of it goes at once, or, where only the solution's own sandboxes use it, gently.
    pub(crate) fn drop_service(&self, state: &mut State, key: &Key) -> io::Result<()> {
        let folder = self.ground.sockets(key.0);
        socket::unlink(&folder, &key.1)?;
        self.disarm(state, key);
        let Some(slot) = state.services.get_mut(key) else { return Ok(()) };
        slot.listener = None;
        slot.leaving = true;
        let at_once = slot.service.reach == Reach::Edge;
        if slot.resting() {
            self.set_timer(state, &Which::Service(key.clone()), None);
            state.services.remove(key);
        } else {
            self.stop(state, key, at_once);
        }
        if state.services_of(key.0).next().is_none() {
            // Another may be set at any moment, which makes the folder again; one that is not empty stays.
            let _ = std::fs::remove_dir(folder);
        }
        Ok(())
    }

    /// The listener of a sandbox that an earlier node started, out of the sandbox itself, so that nobody who waits is lost.
    pub(crate) fn take_listener(&self, process: &Process, inode: u64) -> Option<OwnedFd> {
        let listener = process.descriptor(LISTENER_FD).ok()?;
        (socket::inode(&listener) == inode).then_some(listener)
    }
}
