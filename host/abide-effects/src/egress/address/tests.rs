use std::net::Ipv6Addr;

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn every_line_of_the_table_is_read() {
    let lines = include_str!("../special-purpose.txt").lines();
    let told = lines.filter(|line| !line.starts_with('#')).count();
    assert_eq!(BLOCKS.len(), told);
    assert!(BLOCKS.iter().all(|block| !block.name.is_empty()), "{:?}", *BLOCKS);
    for line in include_str!("../special-purpose.txt").lines().filter(|line| !line.starts_with('#')) {
        let word = line.split_whitespace().nth(1).unwrap();
        assert!(["yes", "no"].contains(&word), "{line}");
    }
}

#[test]
fn what_is_not_public_is_named() {
    for (text, name) in [
        ("0.0.0.0", "\"this network\""),
        ("10.1.2.3", "private use"),
        ("100.100.100.200", "shared address space"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("169.254.169.254", "link local, cloud metadata"),
        ("172.31.0.1", "private use"),
        ("192.168.1.1", "private use"),
        ("192.0.0.192", "IETF protocol assignments"),
        ("198.19.255.255", "benchmarking"),
        ("224.0.0.251", "multicast"),
        ("255.255.255.255", "limited broadcast"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::ffff:169.254.169.254", "link local, cloud metadata"),
        ("::127.0.0.1", "loopback"),
        ("::ffff:0:10.0.0.1", "private use"),
        ("64:ff9b::127.0.0.1", "loopback"),
        ("64:ff9b::a9fe:a9fe", "link local, cloud metadata"),
        ("64:ff9b:1::8.8.8.8", "local IPv4-IPv6 translation"),
        ("2002:7f00:1::", "loopback"),
        ("2002:808:808::1", "6to4"),
        ("2001:0:808:808::f5ff:fffe", "private use"),
        ("2001:0:a00:1::f7f7:f7f7", "private use"),
        ("2001:db8::1", "documentation"),
        ("fd00:ec2::254", "unique local"),
        ("fe80::1", "link local"),
        ("fec0::1", "not global unicast"),
        ("ff02::fb", "multicast"),
        ("4000::1", "not global unicast"),
    ] {
        let refused = permit(address(text), &[]).unwrap_err();
        assert_eq!(refused.name, name, "{text}");
    }
}

#[test]
fn ordinary_hosts_are_public() {
    for text in [
        "1.1.1.1",
        "8.8.8.8",
        "172.32.0.1",
        "192.0.0.9",
        "2606:4700:4700::1111",
        "64:ff9b::8.8.8.8",
        "::ffff:8.8.8.8",
        "2001:4860:4860::8888",
    ] {
        assert_eq!(permit(address(text), &[]), Ok(()), "{text}");
    }
}

#[test]
fn a_rule_that_names_networks_reaches_nothing_else() {
    let loopback = nets(&["127.0.0.1/32"]);
    assert_eq!(permit(address("127.0.0.1"), &loopback), Ok(()));
    assert_eq!(permit(address("::ffff:127.0.0.1"), &loopback), Ok(()));
    for other in ["127.0.0.2", "8.8.8.8", "::1", "64:ff9b::127.0.0.1", "2002:7f00:1::"] {
        assert!(permit(address(other), &loopback).is_err(), "{other}");
    }
    // An address that carries another is one of both.
    let outer = nets(&["64:ff9b::/96"]);
    assert!(permit(address("64:ff9b::127.0.0.1"), &outer).is_err());
    assert_eq!(permit(address("64:ff9b::10.0.0.1"), &nets(&["64:ff9b::/96", "10.0.0.0/8"])), Ok(()));
}

proptest::proptest! {
    /// Whatever an address carries, wrapping a private one in IPv6 never makes it public.
    #[test]
    fn no_wrapping_makes_a_private_address_public(low in 0_u32..=0x00ff_ffff) {
        let inner = Ipv4Addr::from_bits(0x0a00_0000 | low);
        let [a, b, c, d] = inner.octets().map(u16::from);
        let (high, low) = (a << 8 | b, c << 8 | d);
        for wrapped in [
            Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
            Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, high, low),
            Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            Ipv6Addr::new(0x2001, 0, high, low, 0, 0, !0x0808, !0x0808),
            Ipv6Addr::new(0x2001, 0, 0x0808, 0x0808, 0, 0, !high, !low),
        ] {
            proptest::prop_assert!(permit(wrapped.into(), &[]).is_err(), "{}", wrapped);
        }
    }
}
