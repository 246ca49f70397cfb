//! What the binary carries, so that one file is enough on a host without network.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
