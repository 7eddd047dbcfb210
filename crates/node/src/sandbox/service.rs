//! Services on demand: from the first connection to the last, and back to sleep.
//!
//! The node and the sandbox hold the same listening socket. While nothing runs, the node watches it; while something runs,
//! the node keeps it open and looks away. So a stop loses nothing: who connects meanwhile waits in the socket and wakes the
//! service again.

use super::causes;
use super::ears::Ears;
use super::socket;
use super::state::{Key, Phase, Shared, Slot, State, Target, Which};
use husorden_base::Number;
use husorden_kinds::{Service, same_but_live};
use std::io;
use std::sync::Arc;
use std::time::Instant;

impl Shared {
    /// Watches a sleeping service's socket.
    pub(crate) fn arm(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.services.get_mut(key) else { return };
        if !slot.armed.is_empty() {
            return;
        }
        let Some(ears) = slot.ears.take() else { return };
        let mut armed = Vec::new();
        for ear in ears.each() {
            match self.watch(state, ear, Target::Listener(key.clone())) {
                Ok(token) => armed.push(token),
                Err(error) => {
                    tracing::error!(number = %key.0, role = key.1, error = %error, "a service's socket cannot be watched");
                    break;
                }
            }
        }
        if let Some(slot) = state.services.get_mut(key) {
            slot.armed = armed;
            slot.ears = Some(ears);
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
            self.rise(state, &key);
        }
    }

    /// Starts a sleeping service that runs whether anybody connects or not, as soon as it may.
    pub(crate) fn rise(&self, state: &mut State, key: &Key) {
        let may_start = state.may_start(key.0);
        let Some(slot) = state.services.get_mut(key) else { return };
        if may_start && slot.service.stays() && !slot.leaving && matches!(slot.phase, Phase::Sleeping) {
            slot.phase = Phase::Queued;
            slot.knocked = Instant::now();
            self.disarm(state, key);
            self.start_later(state, Which::Service(key.clone()));
        }
    }

    pub(crate) fn disarm(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.services.get_mut(key) else { return };
        let tokens = std::mem::take(&mut slot.armed);
        if tokens.is_empty() {
            return;
        }
        if let Some(ears) = slot.ears.take() {
            for (ear, token) in ears.each().zip(tokens) {
                self.unwatch(state, ear, token);
            }
            if let Some(slot) = state.services.get_mut(key) {
                slot.ears = Some(ears);
            }
        }
    }

    /// Puts a service to sleep: from here on a connection wakes it. One that stays starts again.
    pub(crate) fn sleep(&self, state: &mut State, key: &Key) {
        self.rest(state, key);
        self.rise(state, key);
    }

    /// Puts a service to sleep that is not to start before its time.
    pub(crate) fn rest(&self, state: &mut State, key: &Key) {
        let Some(slot) = state.services.get_mut(key) else { return };
        slot.phase = Phase::Sleeping;
        self.mend_listener(state, key);
        self.set_timer(state, &Which::Service(key.clone()), None);
        self.arm(state, key);
    }

    /// Puts new sockets in the place of those that lived in the sandbox only, or that the sandbox has shut.
    pub(super) fn mend_listener(&self, state: &mut State, key: &Key) {
        if state.services.get(key).is_some_and(Slot::is_deaf) {
            self.disarm(state, key);
            if let Some(slot) = state.services.get_mut(key) {
                slot.ears = None;
            }
        }
        let edge_gid = self.ground.edge_gid;
        let Some(slot) = state.services.get_mut(key) else { return };
        if slot.ears.is_none() && !slot.leaving {
            let folder = self.ground.sockets(key.0);
            match socket::make_folder(&folder, edge_gid)
                .and_then(|()| Ears::open(&self.ground, key.0, &key.1, slot.service.reach))
            {
                Ok(ears) => slot.ears = Some(ears),
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
            if let Some(ears) = &slot.ears {
                ears.turn_away();
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
            if slot.service.reach != service.reach && (slot.service.reach.port(), service.reach.port()) != (None, None)
            {
                // What it listens on changes with it.
                return self.renew(state, key, service, digest);
            }
            socket::dress(&folder, &key.1, service.reach, key.0.uid(), self.ground.edge_gid)?;
            slot.service = Arc::new(service.clone());
            slot.digest.clone_from(&digest);
            (slot.failures, slot.deaths) = (0, 0);
            if matches!(slot.phase, Phase::Paused) {
                self.sleep(state, key);
            } else {
                self.bring(state, key);
            }
            return Ok(());
        }
        let ears = Ears::open(&self.ground, key.0, &key.1, service.reach)?;
        state.services.insert(key.clone(), Slot::new(Arc::new(service.clone()), Some(ears), true));
        self.arm(state, key);
        self.rise(state, key);
        Ok(())
    }

    /// Brings what runs to what is set: by a signal where its live files alone differ, else by a gentle end, after which the next
    /// connection starts it anew.
    pub(crate) fn bring(&self, state: &mut State, key: &Key) {
        let bundle = self.bundle(&Which::Service(key.clone()));
        let fill = state.fill(key.0);
        let Some(slot) = state.services.get_mut(key) else { return };
        let Phase::Running(running) = &mut slot.phase else { return };
        if running.digest == slot.digest {
            return;
        }
        let told = same_but_live(&running.digest, &slot.digest)
            && bundle
                .write_live(&slot.service.live_at(fill))
                .and_then(|()| bundle.renew_record(&slot.service))
                .inspect_err(
                    |error| tracing::warn!(number = %key.0, role = key.1, error = %causes(error), "live files"),
                )
                .is_ok();
        if told {
            running.process.signal(slot.service.live.signal);
            running.digest.clone_from(&slot.digest);
            // What it is told by a command may be another word now.
            running.fill = None;
        } else {
            self.stop(state, key, false);
        }
    }

    /// Sets a service whose socket has lost its name, or that is to listen elsewhere.
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
        slot.ears = None;
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
        slot.ears = None;
        slot.leaving = true;
        let at_once = slot.service.reach.ends_at_once();
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
}
