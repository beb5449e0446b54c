//! Which hosts a pattern stands for.

use std::net::{IpAddr, Ipv6Addr};

use url::Host;

/// A granted host.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// This name or address.
    Exact(Host),
    /// One label, and then this.
    Below(String),
}

impl Pattern {
    /// Reads `hooks.example.com`, `*.example.com`, `10.0.0.1` or `fd00::1`, in whatever case, script and with or without a dot at
    /// the end.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("{text:?} is no host: {why}");
        if let Ok(address) = text.trim_matches(['[', ']']).parse::<Ipv6Addr>() {
            return Ok(Self::Exact(Host::Ipv6(address)));
        }
        let (star, name) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if name.contains('*') {
            return Err(bad("a star stands for the first label only, as in *.example.com"));
        }
        if name.contains(['/', ':', '@']) {
            return Err(bad("write it without scheme, port and path"));
        }
        match (Host::parse(name).map_err(|e| bad(&e.to_string()))?, star) {
            (Host::Domain(name), false) => Ok(Self::Exact(Host::Domain(undotted(&name).to_owned()))),
            (Host::Domain(name), true) => Ok(Self::Below(undotted(&name).to_owned())),
            (_, true) => Err(bad("an address has nothing below it")),
            (address, false) => Ok(Self::Exact(address)),
        }
    }

    /// Whether it stands for this host.
    pub(super) fn matches(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::Exact(Host::Domain(granted)), Host::Domain(name)) => granted == undotted(name),
            (Self::Below(granted), Host::Domain(name)) => undotted(name)
                .strip_suffix(granted.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
            (Self::Exact(granted), _) => address(granted).is_some_and(|it| Some(it) == address_of(host)),
            _ => false,
        }
    }
}

/// Without the one dot at the end that says that the name is whole.
fn undotted(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn address(host: &Host) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some(IpAddr::from(*address).to_canonical()),
    }
}

fn address_of(host: &Host<&str>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some(IpAddr::from(*address).to_canonical()),
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn matches(pattern: &str, url: &str) -> bool {
        let url = Url::parse(url).unwrap();
        Pattern::parse(pattern).unwrap().matches(&url.host().unwrap())
    }

    #[test]
    fn names_are_compared_as_dns_compares_them() {
        assert!(matches("hooks.example.com", "https://HOOKS.Example.com./x"));
        assert!(matches("Hooks.Example.Com.", "https://hooks.example.com"));
        assert!(matches("bücher.example", "https://xn--bcher-kva.example"));
        assert!(!matches("hooks.example.com", "https://hooks.example.com.evil.org"));
        assert!(!matches("hooks.example.com", "https://xhooks.example.com"));
    }

    #[test]
    fn a_star_is_one_label() {
        assert!(matches("*.example.com", "https://a.example.com."));
        for url in ["https://example.com", "https://a.b.example.com", "https://aexample.com", "https://.example.com"] {
            assert!(Url::parse(url).is_err() || !matches("*.example.com", url), "{url}");
        }
    }

    #[test]
    fn addresses_are_compared_as_addresses() {
        assert!(matches("127.0.0.1", "http://2130706433/"));
        assert!(matches("127.0.0.1", "http://0x7f.1/"));
        assert!(matches("127.0.0.1", "http://[::ffff:7f00:1]/"));
        assert!(matches("fd00::1", "http://[fd00:0::1]/"));
        assert!(matches("[fd00::1]", "http://[fd00::1]/"));
        assert!(!matches("127.0.0.1", "http://127.0.0.2/"));
        assert!(!matches("*.0.0.1x", "http://127.0.0.1/"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in ["", "*", "*.*.x", "a.*.x", "https://a", "a:80", "a/b", "*.10.0.0.1", "u@a", "a b"] {
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
    }
}
