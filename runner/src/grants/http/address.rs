//! Addresses that are no public ones, by IANA's registries of special-purpose addresses (RFC 6890 and what followed).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Networks of IPv4, the first that fits counts.
const V4: [(&str, &str); 18] = [
    ("169.254.169.254/32", METADATA),
    ("168.63.129.16/32", METADATA),
    ("100.100.100.200/32", METADATA),
    ("192.0.0.192/32", METADATA),
    ("0.0.0.0/8", "an unspecified address"),
    ("10.0.0.0/8", "a private address"),
    ("100.64.0.0/10", "an address behind a provider's NAT"),
    ("127.0.0.0/8", "a loopback address"),
    ("169.254.0.0/16", "a link-local address"),
    ("172.16.0.0/12", "a private address"),
    ("192.0.0.0/24", "an address for protocols"),
    ("192.0.2.0/24", "an address for documentation"),
    ("192.88.99.0/24", "an address of a tunnel"),
    ("192.168.0.0/16", "a private address"),
    ("198.18.0.0/15", "an address for benchmarks"),
    ("198.51.100.0/24", "an address for documentation"),
    ("203.0.113.0/24", "an address for documentation"),
    ("224.0.0.0/4", "a multicast address"),
];

/// Networks of IPv6, the first that fits counts.
const V6: [(&str, &str); 14] = [
    // AWS, and Google Cloud.
    ("fd00:ec2::/32", METADATA),
    ("fd20:ce::/32", METADATA),
    ("::/128", "an unspecified address"),
    ("::1/128", "a loopback address"),
    ("64:ff9b:1::/48", "a private address behind NAT64"),
    ("2001:db8::/32", "an address for documentation"),
    ("3fff::/20", "an address for documentation"),
    ("2001::/23", "an address for protocols or of a tunnel"),
    ("2002::/16", "an address of a tunnel"),
    ("fc00::/7", "a private address"),
    ("fe80::/10", "a link-local address"),
    ("fec0::/10", "a private address"),
    ("ff00::/8", "a multicast address"),
    ("100::/64", "an address that swallows everything"),
];

const METADATA: &str = "a cloud's metadata address";

/// What kind of special address it is; none for public ones. An IPv4 address inside of an IPv6 one is looked at, too.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
    match address.to_canonical() {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => special_v4(inner),
            None => special_v6(address),
        },
    }
}

/// Whether a granted network names this address. One for metadata is named only by a network of its own.
pub(super) fn is_in(address: IpAddr, network: &IpNet) -> bool {
    let forms = [Some(address), Some(address.to_canonical()), inner(address)];
    let whole = network.prefix_len() == network.max_prefix_len();
    forms.into_iter().flatten().any(|form| network.contains(&form)) && (whole || special(address) != Some(METADATA))
}

fn inner(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V6(address) => embedded(address).map(IpAddr::V4),
        IpAddr::V4(_) => None,
    }
}

/// The IPv4 address that this one leads to by a well-known translation: NAT64 (RFC 6052), 6to4 (RFC 3056), and the forms of old
/// (`::a.b.c.d`).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, _, _, _, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    let zero = |range: std::ops::Range<usize>| address.segments()[range].iter().all(|segment| *segment == 0);
    match (a, b) {
        (0x64, 0xff9b) if zero(2..6) => Some(v4(g, h)),
        // A tunnel is special anyway; what it leads to says it better where that is special, too.
        (0x2002, _) => Some(v4(b, c)).filter(|inner| special_v4(*inner).is_some()),
        (0, 0) if zero(2..6) && g != 0 => Some(v4(g, h)).filter(|inner| special_v4(*inner).is_some()),
        _ => None,
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    find(&V4, address.into()).or_else(|| (address.octets()[0] >= 240).then_some("a reserved or broadcast address"))
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    // Only 2000::/3 is given out at all.
    let public = address.segments()[0] & 0xe000 == 0x2000;
    find(&V6, address.into()).or_else(|| (!public).then_some("a reserved address"))
}

fn find(networks: &[(&str, &'static str)], address: IpAddr) -> Option<&'static str> {
    let has = |network: &str| network.parse::<IpNet>().is_ok_and(|network| network.contains(&address));
    networks.iter().find(|(network, _)| has(network)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_can_be_read() {
        for (network, _) in V4.iter().chain(&V6) {
            assert!(network.parse::<IpNet>().is_ok(), "{network}");
        }
    }

    #[test]
    fn special_addresses_are_known_in_every_dress() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.1.2",
            "169.254.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "2001:0:1::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "4000::1",
            "::8.8.8.8",
        ] {
            assert!(special(address.parse().unwrap()).is_some(), "{address}");
        }
        for address in
            ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"]
        {
            assert_eq!(special(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn a_network_names_its_addresses_and_metadata_only_by_itself() {
        let named = |address: &str, network: &str| is_in(address.parse().unwrap(), &network.parse().unwrap());
        assert!(named("10.1.2.3", "10.0.0.0/8") && named("::ffff:10.1.2.3", "10.0.0.0/8"));
        assert!(named("64:ff9b::10.1.2.3", "10.0.0.0/8") && named("fd00::1", "fd00::/8"));
        assert!(!named("11.1.2.3", "10.0.0.0/8") && !named("127.0.0.1", "::/0"));
        for (address, alone) in [("169.254.169.254", "169.254.169.254/32"), ("fd00:ec2::254", "fd00:ec2::254/128")] {
            assert!(named(address, alone), "{address}");
            assert!(!named(address, "0.0.0.0/0") && !named(address, "::/0") && !named(address, "fd00::/8"), "{address}");
        }
        assert!(!named("::ffff:169.254.169.254", "169.254.0.0/16"));
    }
}
