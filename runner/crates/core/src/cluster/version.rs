//! etcd's version numbers.

use std::fmt;

/// An etcd release by its three numbers. A suffix such as `-rc.0` does not count: a release candidate behaves like its release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// 3, so far.
    pub major: u32,
    /// 5 for 3.5.
    pub minor: u32,
    /// 16 for 3.5.16.
    pub patch: u32,
}

impl Version {
    /// Reads `3.5.16`, `v3.5.16` or `3.7.0-rc.1`; none for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.trim().trim_start_matches('v').split(['-', '+']).next()?;
        let mut numbers = plain.split('.').map(|number| number.parse().ok());
        let version = Self { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()?? };
        numbers.next().is_none().then_some(version)
    }

    /// Major and minor: the release line.
    pub fn line(self) -> (u32, u32) {
        (self.major, self.minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(Version::parse("v3.7.0-rc.1"), Some(Version { major: 3, minor: 7, patch: 0 }));
        assert_eq!(Version::parse("3.5"), None);
        assert_eq!(Version::parse("3.5.x"), None);
        assert_eq!(Version::parse("3.5.1.2"), None);
        assert!(Version::parse("3.5.16") < Version::parse("3.10.0"));
    }
}
