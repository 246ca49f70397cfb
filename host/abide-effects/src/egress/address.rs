//! Which addresses may be dialled: those of the public internet, or those of networks that a rule names.
//!
//! An address that carries another one in it (IPv4-mapped, NAT64, 6to4, Teredo) reaches that other one, so both are judged.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use ipnet::IpNet;

/// A block of the registries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its addresses.
    pub net: IpNet,
    /// Whether they are ordinary hosts of the internet.
    pub reachable: bool,
    /// What it is for.
    pub name: String,
}

/// Why an address is not dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    /// The address, or the one that it carries.
    pub address: IpAddr,
    /// What it is.
    pub name: String,
}

static BLOCKS: LazyLock<Vec<Block>> =
    LazyLock::new(|| include_str!("special-purpose.txt").lines().filter_map(block).collect());

/// `block reachable name… source`; nothing for a line that says nothing.
fn block(line: &str) -> Option<Block> {
    let mut words = line.split_whitespace();
    let net = words.next().filter(|word| !word.starts_with('#'))?.parse().ok()?;
    let reachable = words.next()? == "yes";
    let name: Vec<&str> = words.take_while(|word| *word != "RFC").collect();
    Some(Block { net, reachable, name: name.join(" ") })
}

/// The smallest block of the registries that holds `address`; none for an ordinary IPv4 address.
pub fn block_of(address: IpAddr) -> Option<&'static Block> {
    let holds = BLOCKS.iter().filter(|block| block.net.contains(&address));
    holds.max_by_key(|block| block.net.prefix_len())
}

/// Whether `address` may be dialled by a rule that names `networks`. One that names none reaches the public internet; one that names some
/// reaches nothing else.
pub fn permit(address: IpAddr, networks: &[IpNet]) -> Result<(), Forbidden> {
    // The same host, written as IPv6: what the system would dial is the IPv4 address.
    let address = address.to_canonical();
    if !networks.is_empty() {
        let named = |address: &IpAddr| networks.iter().any(|net| net.contains(address));
        return match carried(address).iter().chain([&address]).find(|address| !named(address)) {
            Some(&address) => {
                Err(Forbidden { address, name: told(address, "outside of the rule's networks") })
            }
            None => Ok(()),
        };
    }
    match carried(address).into_iter().chain([address]).find(|address| !is_public(*address)) {
        Some(address) => Err(Forbidden { address, name: told(address, "not public") }),
        None => Ok(()),
    }
}

fn is_public(address: IpAddr) -> bool {
    block_of(address).map_or(address.is_ipv4(), |block| block.reachable)
}

fn told(address: IpAddr, otherwise: &str) -> String {
    block_of(address)
        .filter(|block| !block.reachable)
        .map_or_else(|| otherwise.to_owned(), |block| block.name.clone())
}

/// The IPv4 addresses that an IPv6 address carries.
fn carried(address: IpAddr) -> Vec<IpAddr> {
    let IpAddr::V6(address) = address else { return Vec::new() };
    let bits = address.to_bits();
    match address.segments() {
        // IPv4-compatible, IPv4-translated, and the prefixes of NAT64 have it at the end (RFC 6052, section 2.2). A network that picked another
        // length for its local prefix has to be named by its rule as it stands.
        [0, 0, 0, 0, 0 | 0xffff, 0, ..] if bits > 1 => vec![v4(bits)],
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => vec![v4(bits)],
        // RFC 3056, section 2.
        [0x2002, ..] => vec![v4(bits >> 80)],
        // RFC 4380, section 4: the server, and the client's address with every bit turned.
        [0x2001, 0, ..] => vec![v4(bits >> 64), v4(!bits)],
        _ => Vec::new(),
    }
}

/// The lowest 32 bits as an address.
fn v4(bits: u128) -> IpAddr {
    let low = u32::try_from(bits & u128::from(u32::MAX)).unwrap_or_default();
    IpAddr::V4(Ipv4Addr::from_bits(low))
}

#[cfg(test)]
mod tests;
