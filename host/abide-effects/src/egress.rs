//! The one exit: every request that leaves, whoever asks for it, is judged here by a lease, dialled here, counted here and written down here.
//!
//! A lease is compiled from the decision about a task (`FETCH`); it says where, how, how much. The order is always the same: the address is read
//! ([`target`]), the lease is asked ([`judge`]), what would be sent is searched, the name is looked up once and every address
//! that it has is checked ([`address`]), the checked address is dialled, and the answer is counted as it arrives.
//!
//! Not here: who may have a lease (the gate decides), and the workers that ask (`abide-sandbox` owns the port that they ask through).

pub mod address;
pub mod judge;
pub mod lease;
pub mod refusal;
pub mod target;
pub mod vault;
