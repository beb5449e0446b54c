//! Where a plugin comes from: a file, or a repository in an OCI registry.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Digest, SupplyError};

const SCHEME: &str = "oci://";

/// The tag that is meant where neither a tag nor a digest is given.
const DEFAULT_TAG: &str = "latest";

/// A plugin's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A component's file.
    File(PathBuf),
    /// An artifact in a registry.
    Oci(Reference),
}

/// An artifact in a registry: `oci://host[:port]/repository[:tag][@sha256:…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Host, and port where it is not the scheme's own.
    pub host: String,
    /// The repository in the registry.
    pub repository: String,
    /// The tag; none where only a digest is given.
    pub tag: Option<String>,
    /// The digest of the manifest.
    pub digest: Option<Digest>,
}

impl Source {
    /// Whether the text names an artifact in a registry.
    pub fn is_oci(text: &str) -> bool {
        text.starts_with(SCHEME)
    }
}

impl FromStr for Source {
    type Err = SupplyError;

    fn from_str(text: &str) -> Result<Self, SupplyError> {
        if Self::is_oci(text) {
            return text.parse().map(Self::Oci);
        }
        let bad = |why| Err(SupplyError::BadSource { text: text.to_owned(), why });
        match text {
            "" => bad("it is empty"),
            _ if text.contains("://") => bad("only files and oci:// are known"),
            _ => Ok(Self::File(text.into())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Oci(reference) => write!(f, "{reference}"),
        }
    }
}

impl Reference {
    /// `host/repository`, as signatures name it: docker's own registry has a longer name there.
    pub fn name(&self) -> String {
        let host = if self.host == "docker.io" { "index.docker.io" } else { &self.host };
        format!("{host}/{}", self.repository)
    }

    /// The last part of the repository: what a plugin is called where nobody names it.
    pub fn last_part(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or_default()
    }

    /// What to ask the registry for: the digest where there is one, the tag else.
    pub(super) fn target(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, Some(tag)) => tag.clone(),
            (None, None) => DEFAULT_TAG.to_owned(),
        }
    }
}

impl FromStr for Reference {
    type Err = SupplyError;

    fn from_str(text: &str) -> Result<Self, SupplyError> {
        let bad = |why| SupplyError::BadSource { text: text.to_owned(), why };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| bad("it does not begin with oci://"))?;
        let (rest, digest) = match rest.split_once('@') {
            // Credentials in a reference would end up in the lock, in events and in logs.
            Some((before, host)) if !before.contains('/') => {
                let text = format!("{SCHEME}…@{host}");
                return Err(SupplyError::BadSource { text, why: "it has credentials; they belong to `docker login`" });
            }
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (rest, None),
        };
        let (host, path) = rest.split_once('/').ok_or_else(|| bad("it names no repository after the host"))?;
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_owned())),
            None => (path, digest.is_none().then(|| DEFAULT_TAG.to_owned())),
        };
        if !is_host(host) {
            return Err(bad("its host is not host or host:port"));
        }
        if !is_repository(repository) {
            return Err(bad("its repository is not made of lowercase letters, digits and . _ - /"));
        }
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(bad("its tag is not made of at most 128 letters, digits and . _ -"));
        }
        Ok(Self { host: host.to_owned(), repository: repository.to_owned(), tag, digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.host, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        // An IPv6 address in brackets; what follows it is nothing or a port.
        Some(rest) => match rest.split_once(']') {
            Some((address, "")) if address.parse::<Ipv6Addr>().is_ok() => ("v6", None),
            Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => {
                ("v6", Some(port.strip_prefix(':').unwrap_or("")))
            }
            _ => return false,
        },
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let part = |p: &str| !p.is_empty() && p.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    name.split('.').all(part) && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn is_repository(repository: &str) -> bool {
    let part = |p: &str| {
        p.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && p.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && p.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
    };
    repository.len() <= 255 && repository.split('/').all(part)
}

fn is_tag(tag: &str) -> bool {
    (1..=128).contains(&tag.len())
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && !tag.starts_with(['.', '-'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_taken_apart_and_written_again() {
        let digest = Digest::of(b"");
        for text in [
            "oci://registry.example/plugins/steady-sync:1.0".to_owned(),
            "oci://127.0.0.1:5000/a:latest".to_owned(),
            "oci://[::1]:5000/a/b:v1".to_owned(),
            format!("oci://r.example/a@{digest}"),
            format!("oci://r.example/a:1@{digest}"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        let short: Reference = "oci://r.example/x/steady-sync".parse().unwrap();
        assert_eq!(
            (short.target().as_str(), short.last_part(), short.name().as_str()),
            ("latest", "steady-sync", "r.example/x/steady-sync")
        );
    }

    #[test]
    fn what_is_no_reference_is_refused_with_its_reason() {
        let why = |text: &str| text.parse::<Source>().unwrap_err().to_string();
        assert!(why("oci://user:secret@r.example/a").contains("has credentials"));
        assert!(!why("oci://user:secret@r.example/a").contains("secret@r"), "it does not repeat them");
        assert!(why("oci://r.example").contains("names no repository"));
        assert!(why("oci://r.example/../etc").contains("its repository"));
        assert!(why("oci://r.example/A").contains("its repository"));
        assert!(why("oci://r.example:x/a").contains("its host"));
        assert!(why("oci://r.example/a:b:c").contains("its tag"));
        assert!(why("oci://r.example/a@sha256:12").contains("sha256:12"));
        assert!(why("https://r.example/a").contains("only files and oci://"));
        assert_eq!("./a.wasm".parse::<Source>().unwrap(), Source::File("./a.wasm".into()));
    }
}
