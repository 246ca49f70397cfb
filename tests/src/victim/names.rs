//! A server of names that counts who is asked for, and answers by a list: everything else does not exist.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, UdpSocket};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{RData, Record, RecordType};

use super::{Hits, Way, came};

/// Names and the addresses they lead to.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, VecDeque<Vec<IpAddr>>>);

impl Names {
    /// A name, and one answer after the other for whoever asks again; the last one stays. `*.suffix` is every name below it.
    #[must_use]
    pub fn with(mut self, name: &str, answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|text| text.parse().unwrap()).collect();
        self.0.insert(name.to_owned(), answers.iter().map(parse).collect());
        self
    }

    /// The answer to a question. Only one for IPv4 moves a name on: clients ask for both kinds at once.
    fn look_up(&mut self, name: &str, moves: bool) -> Option<Vec<IpAddr>> {
        let below = name.split_once('.').map(|(_, rest)| format!("*.{rest}"));
        let key = if self.0.contains_key(name) { name.to_owned() } else { below? };
        let answers = self.0.get_mut(&key)?;
        if moves && answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
    }
}

/// Answers until the thread ends.
pub(super) async fn answers(socket: UdpSocket, mut names: Names, hits: Hits) {
    socket.set_nonblocking(true).unwrap();
    let socket = tokio::net::UdpSocket::from_std(socket).unwrap();
    let at = socket.local_addr().unwrap();
    let mut piece = [0; 4_096];
    loop {
        let Ok((count, from)) = socket.recv_from(&mut piece).await else { continue };
        let Ok(question) = Message::from_vec(&piece[..count]) else {
            came(&hits, Way::Dns, at, "not a question".to_owned());
            continue;
        };
        let Some(query) = question.queries.first() else { continue };
        let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        came(&hits, Way::Dns, at, format!("{} {name}", query.query_type()));
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        match names.look_up(&name, query.query_type() == RecordType::A) {
            None => answer.metadata.response_code = ResponseCode::NXDomain,
            Some(addresses) => {
                for address in addresses {
                    let data = match (address, query.query_type()) {
                        (IpAddr::V4(address), RecordType::A) => RData::A(A(address)),
                        (IpAddr::V6(address), RecordType::AAAA) => RData::AAAA(AAAA(address)),
                        _ => continue,
                    };
                    answer.add_answer(Record::from_rdata(query.name().clone(), 0, data));
                }
            }
        }
        if let Ok(bytes) = answer.to_vec() {
            drop(socket.send_to(&bytes, from).await);
        }
    }
}
