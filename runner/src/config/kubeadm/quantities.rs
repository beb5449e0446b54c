//! Values with a form of their own: Go's times, alternative names, node names, addresses.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer};

/// A time as Go writes it: `2m0s`, `1.5h`, `300ms`. Not negative, and a year at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(pub Duration);

/// A further name of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum San {
    /// An address.
    Ip(IpAddr),
    /// A host name, in lower case; may begin with `*.`.
    Dns(String),
}

impl FromStr for GoDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const HOW: &str = "write a time as `90s`, `2m30s` or `1h`";
        const YEAR: f64 = 365.0 * 24.0 * 3600.0;
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let mut rest = text;
        let mut sum = 0.0_f64;
        if rest.is_empty() {
            return Err(format!("a time is missing; {HOW}"));
        }
        if rest.starts_with('-') {
            return Err(format!("{text:?} is less than no time; {HOW}"));
        }
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, tail) = rest.split_at(digits);
            let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            let seconds = match unit {
                "ns" => 1e-9,
                "us" | "µs" | "μs" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                "" => return Err(format!("{text:?} has a number without a unit; {HOW}")),
                "d" => return Err(format!("{text:?} is in days, which kubeadm does not know; write hours: `24h`")),
                _ => return Err(format!("{text:?} is not a time; {HOW}")),
            };
            let number: f64 = number.parse().map_err(|_| format!("{text:?} is not a time; {HOW}"))?;
            sum += number * seconds;
            rest = tail;
        }
        if sum > YEAR { Err(format!("{text:?} is longer than a year")) } else { Ok(Self(Duration::from_secs_f64(sum))) }
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl FromStr for San {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        let name = text.to_ascii_lowercase();
        match dns_name(name.strip_prefix("*.").unwrap_or(&name)) {
            true => Ok(Self::Dns(name)),
            false => Err(format!("{text:?} is neither an address nor a host name")),
        }
    }
}

/// Whether this can be a node's or a host's name: RFC 1123, as Kubernetes checks names of nodes.
pub(super) fn dns_name(text: &str) -> bool {
    let label = |label: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        label.chars().all(inside) && edge(label.chars().next()) && edge(label.chars().last())
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// An address to advertise, or what is wrong with it and the way out.
pub(super) fn address(text: &str) -> Result<IpAddr, (String, String)> {
    let how = || "write an address such as 10.0.0.1 or fd00::1".to_owned();
    if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))
        && let Ok(ip) = inside.parse::<Ipv6Addr>()
    {
        return Err((
            format!("{text:?} has brackets, which kubeadm does not take here"),
            format!("write {ip} without them"),
        ));
    }
    let ip: IpAddr = match text.parse() {
        Ok(ip) => ip,
        Err(_) if text.contains("://") => {
            return Err((format!("{text:?} is a URL; only its address is expected here"), how()));
        }
        Err(_) if text.rsplit_once(':').is_some_and(|(ip, _)| ip.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()) => {
            return Err((format!("{text:?} has a port, which does not belong here"), "the port is `bindPort`'s".to_owned()));
        }
        Err(_) => return Err((format!("{text:?} is not an IP address"), how())),
    };
    if ip.is_unspecified() {
        let why = format!("{text:?} leaves the choice to kubeadm, and etcd's certificates and URLs need one address");
        return Err((why, "write this node's own address".to_owned()));
    }
    Ok(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_go_writes_them() {
        let ms = |text: &str| text.parse::<GoDuration>().map(|t| t.0.as_millis());
        assert_eq!(ms("2m0s"), Ok(120_000));
        assert_eq!(ms("1h0m0.5s"), Ok(3_600_500));
        assert_eq!(ms("1.5h"), Ok(5_400_000));
        assert_eq!(ms("300ms"), Ok(300));
        assert_eq!(ms("2500us"), Ok(2));
        assert_eq!(ms("0"), Ok(0));
        insta::assert_snapshot!(ms("90").unwrap_err(), @r#""90" has a number without a unit; write a time as `90s`, `2m30s` or `1h`"#);
        insta::assert_snapshot!(ms("2d").unwrap_err(), @r#""2d" is in days, which kubeadm does not know; write hours: `24h`"#);
        insta::assert_snapshot!(ms("-1s").unwrap_err(), @r#""-1s" is less than no time; write a time as `90s`, `2m30s` or `1h`"#);
        for bad in ["", " 1s", "1 s", "1.2.3s", ".s", "1y", "s", "99999999999h", "m5"] {
            assert!(ms(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_hosts() {
        assert_eq!("Etcd.Example.org".parse(), Ok(San::Dns("etcd.example.org".to_owned())));
        assert_eq!("*.example.org".parse(), Ok(San::Dns("*.example.org".to_owned())));
        assert_eq!("fd00::1".parse(), Ok(San::Ip("fd00::1".parse().unwrap())));
        for bad in ["", "a_b", "-a", "a..b", "[fd00::1]", "https://a", "a.*"] {
            assert!(bad.parse::<San>().is_err(), "{bad}");
        }
        assert!(!dns_name(&"a".repeat(254)));
    }
}
