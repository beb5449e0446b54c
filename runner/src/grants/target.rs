//! Whom a measurement is about: the host and port of a URL, in one spelling.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

use crate::grants::Refused;

/// A host, a port, and whether it is spoken to in TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Whether the URL begins with `https://`.
    pub(crate) tls: bool,
    /// A name in lower case, or an address without brackets, in the usual spelling.
    pub(crate) host: String,
    /// Never zero.
    pub(crate) port: u16,
}

impl Target {
    /// Reads `https://host:port` or `http://host:port`.
    ///
    /// # Errors
    ///
    /// `invalid`, with the reason. A user name is no part of a target, so that no host can hide behind one, and neither is a path.
    pub(crate) fn parse(url: &str) -> Result<Self, Refused> {
        let bad =
            |why: &str| Refused::invalid(format!("{url:?} is not a target: {why}; write it like \"https://10.0.0.1:2379\""));
        let uri: Uri = url.parse().map_err(|_| bad("it is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad("it does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it holds a user name"));
        }
        if !matches!(uri.path(), "" | "/") || url.contains(['?', '#']) {
            return Err(bad("it goes on after the port"));
        }
        let port = authority.port_u16().filter(|port| *port != 0).ok_or_else(|| bad("it names no port"))?;
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if bare.is_empty() {
            return Err(bad("it names no host"));
        }
        let host = match bare.parse::<IpAddr>() {
            Ok(address) => address.to_string(),
            Err(_) if bare.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) => bare.to_ascii_lowercase(),
            Err(_) => return Err(bad("its host is neither a name nor an address")),
        };
        Ok(Self { tls, host, port })
    }

    /// Whether an operator's `host:port` means this host and port, whatever is spoken there.
    pub(crate) fn is_named_by(&self, granted: &str) -> bool {
        Self::parse(&format!("http://{granted}")).is_ok_and(|other| other.is_at(self))
    }

    /// Whether both are the same host and port.
    pub(crate) fn is_at(&self, other: &Self) -> bool {
        self.host == other.host && self.port == other.port
    }
}

/// `host:port`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_one_spelling() {
        let read = |url: &str| Target::parse(url).map(|t| (t.tls, t.to_string())).unwrap();
        assert_eq!(read("https://10.0.0.1:2379"), (true, "10.0.0.1:2379".into()));
        assert_eq!(read("http://CP-1.example:2380/"), (false, "cp-1.example:2380".into()));
        assert_eq!(read("https://[FD00:0::1]:2379"), (true, "[fd00::1]:2379".into()));
    }

    #[test]
    fn what_is_no_target_is_refused_with_the_reason() {
        for (url, why) in [
            ("10.0.0.1:2379", "does not begin with"),
            ("ftp://10.0.0.1:2379", "does not begin with"),
            ("https://10.0.0.1", "names no port"),
            ("https://10.0.0.1:0", "names no port"),
            ("https://granted:2379@evil:2379", "a user name"),
            ("https://10.0.0.1:2379/x", "goes on"),
            ("https://10.0.0.1:2379?x", "goes on"),
            ("https://10.0.0.1:2379#x", "goes on"),
            ("https://10.0.0.1:99999", "names no port"),
            ("https://a b:2379", "is not a URL"),
            ("http://*:2379", "neither a name nor an address"),
            ("", "is not a"),
        ] {
            let refused = Target::parse(url).unwrap_err();
            assert!(refused.kind == "invalid" && refused.message.contains(why), "{url}: {refused}");
        }
    }

    #[test]
    fn a_grant_means_the_whole_host_and_the_whole_port() {
        let target = Target::parse("https://cp-1:2379").unwrap();
        assert!(target.is_named_by("cp-1:2379") && target.is_named_by("CP-1:2379"));
        for other in ["cp-1:23790", "cp-1:237", "cp-1", "cp-11:2379", "p-1:2379", "x.cp-1:2379", "x@cp-1:2379", "*:2379", ""]
        {
            assert!(!target.is_named_by(other), "{other}");
        }
    }
}
