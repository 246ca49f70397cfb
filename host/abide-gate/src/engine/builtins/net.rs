//! `net.cidr_*` as OPA has them: host bits are ignored, and an IPv4 address mapped into IPv6 is an IPv4 address.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use regorus::Value;

use super::two_texts;

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn cidr_contains(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let (outer, inner) = two_texts("net.cidr_contains", &arguments)?;
    let outer = network(outer)?;
    if let Ok(address) = inner.parse::<IpAddr>() {
        return Ok(Value::from(outer.contains(&address.to_canonical())));
    }
    Ok(Value::from(outer.contains(&network(inner)?)))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn cidr_intersects(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let (first, second) = two_texts("net.cidr_intersects", &arguments)?;
    let (first, second) = (network(first)?, network(second)?);
    Ok(Value::from(first.contains(&second) || second.contains(&first)))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that regorus calls")]
pub(super) fn cidr_is_valid(arguments: Vec<Value>) -> anyhow::Result<Value> {
    let [Value::String(text)] = arguments.as_slice() else {
        anyhow::bail!("`net.cidr_is_valid` takes a text");
    };
    Ok(Value::from(network(text).is_ok()))
}

fn network(text: &str) -> anyhow::Result<IpNet> {
    let parsed: IpNet =
        text.parse().map_err(|_| anyhow::anyhow!("`{}` is no network such as 10.0.0.0/8", cut(text)))?;
    let net = parsed.trunc();
    let IpNet::V6(six) = net else { return Ok(net) };
    let mapped = six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96));
    Ok(mapped.and_then(|(four, prefix)| Ipv4Net::new(four, prefix).ok()).map_or(net, IpNet::V4))
}

fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
