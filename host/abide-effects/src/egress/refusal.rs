//! Why a request was not sent, or has no answer. A refusal is a value; a fault is the network's.

use std::net::IpAddr;

use super::target::Ambiguous;
use crate::browser::decode::DecodeError;

/// Why a request is not allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its address can be read in two ways, or in none.
    #[error("the address is refused: {0}")]
    Address(#[from] Ambiguous),
    /// No rule of the lease is about it.
    #[error("no rule allows {method} on `{target}`")]
    NoRule {
        /// What was asked.
        method: String,
        /// Of whom.
        target: String,
    },
    /// Its name leads where no rule reaches.
    #[error("`{host}` is {address}, which is refused: {name}, and no `networks` of the rule lead there")]
    Place {
        /// The name.
        host: String,
        /// Where it leads.
        address: IpAddr,
        /// What that is.
        name: String,
    },
    /// It has a header that is the broker's to set.
    #[error("the header `{0}` is not the sender's to set")]
    Header(String),
    /// Its credential cannot be had.
    #[error("the credential `{reference}` cannot be had: {why}")]
    Credential {
        /// The reference.
        reference: String,
        /// Why not.
        why: String,
    },
    /// The task has read the workspace, and this could carry some of it away.
    #[error("a task that has read the workspace {0}")]
    Tainted(&'static str),
    /// Something in it looks like a secret.
    #[error("it carries what looks like a secret (rule `{0}`)")]
    Secret(String),
    /// A budget is used up.
    #[error("the budget `{0}` is used up")]
    Budget(&'static str),
    /// The lease is over.
    #[error("the lease is over: {0}")]
    Over(String),
    /// A tunnel leads elsewhere than it said.
    #[error("the tunnel is refused: {0}")]
    Tunnel(String),
    /// The site does not want it.
    #[error("robots.txt of `{origin}` forbids it: {why}")]
    Robots {
        /// Whose.
        origin: String,
        /// The line, or what stands for one.
        why: String,
    },
    /// What the site wants could not be found out.
    #[error("nothing is asked of `{origin}` while its robots.txt cannot be read: {why}")]
    RobotsUnread {
        /// Whose.
        origin: String,
        /// Why not.
        why: String,
    },
    /// Its turn comes later than it may wait.
    #[error("it would have to wait {ms} ms, and waits {ms_max} ms at most: {why}")]
    Wait {
        /// For what.
        why: &'static str,
        /// How long.
        ms: u64,
        /// How long it may.
        ms_max: u64,
    },
    /// Nobody said who asks, and why.
    #[error("the lease has no manners, and pages are read with manners only")]
    NoManners,
    /// The answer cannot be unpacked.
    #[error(transparent)]
    Packed(#[from] DecodeError),
}

impl Refusal {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address(_) => "AB0902",
            Self::NoRule { .. } => "AB0903",
            Self::Place { .. } => "AB0904",
            Self::Header(_) => "AB0905",
            Self::Credential { .. } => "AB0906",
            Self::Tainted(_) => "AB0907",
            Self::Secret(_) => "AB0908",
            Self::Budget(_) => "AB0909",
            Self::Over(_) => "AB0910",
            Self::Tunnel(_) => "AB0915",
            Self::Robots { .. } => "AB0990",
            Self::RobotsUnread { .. } => "AB0994",
            Self::Wait { .. } => "AB0991",
            Self::NoManners => "AB0992",
            Self::Packed(error) => error.code(),
        }
    }
}

/// Why an allowed request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Its name has no address.
    #[error("the name `{host}` has no address: {why}")]
    Name {
        /// The name.
        host: String,
        /// Why.
        why: String,
    },
    /// Nobody answers there.
    #[error("`{host}` cannot be reached")]
    Connect {
        /// The name.
        host: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not who it should be.
    #[error("`{host}` could not be spoken to over TLS: {why}")]
    Tls {
        /// The name.
        host: String,
        /// Why.
        why: String,
    },
    /// It took too long.
    #[error("{what} took longer than {ms} ms")]
    Late {
        /// What.
        what: &'static str,
        /// The limit.
        ms: u64,
    },
    /// What came back is no answer.
    #[error("the answer is broken: {0}")]
    Broken(String),
    /// The proxy of this network does not let it through.
    #[error("the upstream proxy: {0}")]
    Proxy(String),
}

impl Fault {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "AB0911",
            Self::Connect { .. } => "AB0912",
            Self::Tls { .. } => "AB0913",
            Self::Late { .. } => "AB0914",
            Self::Broken(_) => "AB0916",
            Self::Proxy(_) => "AB0917",
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// It was not allowed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It went wrong.
    #[error(transparent)]
    Failed(#[from] Fault),
}

impl EgressError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Failed(fault) => fault.code(),
        }
    }
}
