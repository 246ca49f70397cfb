//! The one exit: every request that leaves, whoever asks for it, is judged here by a lease, dialled here, counted here and written down here.
//!
//! A lease is compiled from the decision about a task (`FETCH`); it says where, how, how much. The order is always the same: the address is read
//! ([`target`]), the lease is asked ([`judge`]), what would be sent is searched, the name is looked up once and every address
//! that it has is checked ([`address`]), the checked address is dialled, and the answer is counted as it arrives.
//!
//! Not here: who may have a lease (the gate decides), and the workers that ask (`abide-sandbox` owns the port that they ask through).

pub mod address;
mod body;
mod broker;
mod budget;
pub mod dial;
mod door;
mod har;
pub mod judge;
pub mod lease;
mod pool;
pub mod proxy;
mod redirect;
pub mod refusal;
pub mod resolver;
mod scan;
mod session;
pub mod target;
#[cfg(test)]
pub(crate) mod trial;
mod upstream;
pub mod vault;

pub use body::Body;
pub use broker::{Broker, OpenError, Parts, Until};
pub use door::{Door, Serving};
pub use har::Tally;
pub(crate) use redirect::led_on;
pub use session::{Outgoing, Session, Used};
pub(crate) use session::{Own, lock, spellings};
pub use upstream::Upstream;
