//! Steps: the verbs of the walls, as data. A plan is a list of them.

use crate::builds::Move;
use crate::firewall::Passage;
use crate::mail_out::MailOut;
use crate::network::Membership;
use crate::sandbox::{Role, Service, Task, TaskName, digest};
use husorden_base::site::{Handler, Standing};
use husorden_base::{Bytes, Domain, Number, RuntimeName, SnapshotId, Text};
use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing to do on one wall. Each may be done again without harm, and each leaves something that the next look sees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Step {
    /// Ask for a runtime, its template or an app; the build is a recorded child.
    Runtime {
        /// Which.
        name: RuntimeName,
    },
    /// Make the volume with its limit and folders, all of them or nothing.
    VolumeCreate {
        /// The most that live part and snapshots together may hold.
        limit: Bytes,
        /// Room beyond the limit that the disk gives for what may not fail: logs, and recovery.
        reserve: Bytes,
        /// Folders at its top, owned by the solution's uid.
        folders: Vec<String>,
    },
    /// Change the limit.
    VolumeLimit {
        /// The new limit.
        limit: Bytes,
        /// The new room beyond it.
        reserve: Bytes,
    },
    /// Take a snapshot of the live part, keep it for the retention time, and remove the live part.
    VolumeRetain,
    /// Bring the live part back from what was retained.
    VolumeRevive,
    /// Destroy the volume with all its snapshots. Only under [`crate::Aim::Gone`], after the retention time.
    VolumeDestroy,
    /// Start a task.
    Task {
        /// Which.
        task: Box<Task>,
    },
    /// End a task if it runs, and forget how it ended.
    TaskForget {
        /// Which.
        name: TaskName,
    },
    /// Set a service. One that runs on another setting is stopped gently; the next connection starts it on this one.
    Service {
        /// Its role.
        role: Role,
        /// What it is.
        service: Box<Service>,
    },
    /// Stop a service and take its socket away.
    ServiceDrop {
        /// Its role.
        role: Role,
    },
    /// Set the port. The machine's part of it is made when a sandbox first needs it.
    Port {
        /// What it lets through.
        port: Port,
    },
    /// Take the port away.
    PortDrop,
    /// Tell the edge.
    Route {
        /// What to serve.
        route: Box<Route>,
    },
    /// The edge forgets it.
    RouteDrop,
    /// Take a snapshot of the live part, before something that may cost data.
    Snapshot {
        /// Its id; left out, one that follows from the wish, so that the same wish takes it once.
        id: Option<SnapshotId>,
        /// Before what.
        before: String,
        /// Fields of the spec as they were with this data, where the wish is ahead of it.
        spec: Option<Value>,
    },
    /// Make a copy of the live part to try something on, in place of any that is there. What is written on it counts against a bound of
    /// its own, so that it takes no room from what serves.
    TrialMake {
        /// What it is for.
        of: String,
    },
    /// Destroy that copy. Nothing may run on it.
    TrialDrop,
    /// Bring the live part back to a snapshot; what it held is kept as another.
    Restore {
        /// The snapshot.
        id: SnapshotId,
    },
    /// Write down what it runs on.
    Builds {
        /// What changes.
        step: Move,
    },
    /// Have its services come to rest, what the edge reaches first, and start none; who connects waits. Tasks end.
    Quiet,
    /// Its services may start again, at once for whoever waits.
    QuietEnd,
    /// Start its services, as somebody who connects would.
    Wake,
}

/// What a port lets through. What is not listed is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Inbound: who may connect, and to which TCP port.
    pub allow: Vec<Allow>,
    /// TCP ports of the node that lead to TCP ports of the solution. Who may pass is said by `allow`, not here.
    pub doors: Vec<Door>,
    /// TCP ports of other solutions of the node that it may connect to. Whether they let it in, their own ports say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<Way>,
    /// Outbound traffic is let through by NAT; private and platform addresses never are reached, and TCP port 25 only with `mail_out`.
    pub outbound: bool,
    /// Of outbound traffic TCP port 25 is let through too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail_out: Option<MailOut>,
    /// Public addresses that are the solution's own besides its internal ones: single ones of IPv4, nets of IPv6.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub public: Vec<IpNet>,
    /// Inbound at those: what firewalls open, in pieces that do not overlap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passages: Vec<Passage>,
    /// Its inner end is a tap, for a machine that has the port's addresses itself ([`crate::tap`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tap: bool,
    /// Private networks that the machine behind the tap is in, each by a tap of its own ([`crate::network`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<Membership>,
}

/// Addresses that may connect to a TCP port of the solution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow {
    /// The TCP port, as the solution listens on it.
    pub port: u16,
    /// From where.
    pub net: IpNet,
    /// When the node ends it by itself, live connections and all; none for what stays.
    pub until: Option<Timestamp>,
}

impl Allow {
    /// Whether it is in force at this time.
    #[must_use]
    pub fn lasts(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A TCP port of the node's own addresses that leads to one of the solution, with the client's address kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Door {
    /// The TCP port of the node. One leads to one solution only.
    pub outer: u16,
    /// The TCP port of the solution.
    pub inner: u16,
}

/// A TCP port of another solution of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Whose.
    pub number: Number,
    /// The TCP port, as that solution listens on it.
    pub port: u16,
}

impl Port {
    /// What tells two ports apart.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(self)
    }
}

/// What the edge serves for a solution, in words of the walls; the node turns places into paths.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Names it answers to, the main one first.
    pub domains: Vec<Domain>,
    /// The folder of the volume beneath which everything served lies.
    pub folder: String,
    /// Within that folder.
    pub docroot: String,
    /// How requests are answered.
    pub answer: Answer,
    /// Whether it is served.
    pub standing: Standing,
    /// Plain HTTP is redirected.
    pub https_only: bool,
    /// Largest request body.
    pub body: Bytes,
}

impl Route {
    /// What tells two routes apart.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(self)
    }
}

/// How requests are answered; becomes a [`Handler`] on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Answer {
    /// Files only.
    Static,
    /// Files, and PHP by a service of the solution.
    Php {
        /// The service's role.
        role: Role,
        /// What the docroot is called inside its sandbox.
        inner_root: String,
        /// Script for paths that are no file.
        front_controller: Option<String>,
    },
}

impl Answer {
    /// The edge's handler, given where the solution's sockets lie on this machine.
    #[must_use]
    pub fn handler(&self, sockets: &std::path::Path) -> Handler {
        match self {
            Self::Static => Handler::Static,
            Self::Php { role, inner_root, front_controller } => Handler::Php {
                socket: sockets.join(format!("{role}.sock")),
                inner_root: inner_root.clone(),
                front_controller: front_controller.clone(),
            },
        }
    }
}

/// What to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order. Take-downs come before build-ups.
    pub steps: Vec<Step>,
    /// What the plan cannot go past yet.
    pub waiting: Option<Waiting>,
}

/// Why a plan ends before the aim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "for", rename_all = "kebab-case")]
pub enum Waiting {
    /// Work that runs: shown as progress.
    Work {
        /// What is being done.
        text: Text,
    },
    /// Something failed and is not tried again by itself: shown as trouble, with what to do.
    Trouble {
        /// What failed and what to do about it.
        text: Text,
    },
}
