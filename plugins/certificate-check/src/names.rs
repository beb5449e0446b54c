//! Hosts of URLs, and whether a certificate's names cover them.

use std::net::IpAddr;

/// The hosts of those URLs that are `https`, each once.
pub(crate) fn secure_hosts(urls: &[String]) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for url in urls {
        let Some(rest) = url.strip_prefix("https://") else { continue };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => authority.split(':').next().unwrap_or_default(),
        };
        if !host.is_empty() && !hosts.iter().any(|known| known == host) {
            hosts.push(host.to_owned());
        }
    }
    hosts
}

/// Whether one of these names is good for this host: the same address, the same name, or `*` in the place of its first label.
pub(crate) fn covers(names: &[String], host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return names.iter().any(|name| name.parse() == Ok(address));
    }
    let host = host.trim_end_matches('.');
    let parent = host.split_once('.').map(|(_, parent)| parent);
    names.iter().any(|name| match (name.strip_prefix("*."), parent) {
        (Some(suffix), Some(parent)) => suffix.eq_ignore_ascii_case(parent),
        _ => name.eq_ignore_ascii_case(host),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn hosts_are_found() {
        let urls = [
            "https://a.example:2380",
            "https://[2001:db8::1]:2380/x",
            "http://plain:2380",
            "https://10.0.0.4",
            "https://a.example",
        ];
        assert_eq!(secure_hosts(&texts(&urls)), ["a.example", "2001:db8::1", "10.0.0.4"]);
    }

    #[test]
    fn names_cover_hosts() {
        let names = texts(&["Node-1.example.com", "*.etcd.local", "10.0.0.4", "2001:DB8:0::1"]);
        for host in ["node-1.example.com", "NODE-1.EXAMPLE.COM.", "cp-4.etcd.local", "10.0.0.4", "2001:db8::1"] {
            assert!(covers(&names, host), "{host}");
        }
        for host in ["example.com", "a.b.etcd.local", "etcd.local", "10.0.0.40", "2001:db8::2", "local"] {
            assert!(!covers(&names, host), "{host}");
        }
        assert!(!covers(&texts(&["*.0.0.4"]), "10.0.0.4"));
    }
}
