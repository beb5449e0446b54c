//! An etcd version, as far as a window needs it.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A version such as `3.5.16`, or a whole minor one such as `3.5`. What follows the numbers (`-rc.1`, `+git`) is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Version {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number; none stands for any.
    pub patch: Option<u32>,
}

impl Version {
    /// The lowest version that this stands for.
    pub fn lowest(self) -> (u32, u32, u32) {
        (self.major, self.minor, self.patch.unwrap_or(0))
    }

    /// The highest version that this stands for.
    pub fn highest(self) -> (u32, u32, u32) {
        (self.major, self.minor, self.patch.unwrap_or(u32::MAX))
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || format!("`{text}` is not a version; write it like `3.5.16` or `3.5`");
        let numbers = text.split(['-', '+']).next().unwrap_or_default();
        let numbers: Vec<u32> = numbers.split('.').map(str::parse).collect::<Result<_, _>>().map_err(|_| bad())?;
        match numbers[..] {
            [major, minor] => Ok(Self { major, minor, patch: None }),
            [major, minor, patch] => Ok(Self { major, minor, patch: Some(patch) }),
            _ => Err(bad()),
        }
    }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_shown() {
        for text in ["3.5.16", "3.5", "3.10.0"] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), text);
        }
        assert_eq!("3.6.0-rc.1".parse::<Version>().unwrap().to_string(), "3.6.0");
        assert_eq!("3.5.0+git".parse::<Version>().unwrap().patch, Some(0));
        for text in ["", "3", "3.", "3.x", "v3.5", "3.5.1.2", "-3.5", "99999999999.1"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_minor_version_stands_for_all_its_patches() {
        let minor: Version = "3.5".parse().unwrap();
        assert_eq!((minor.lowest(), minor.highest()), ((3, 5, 0), (3, 5, u32::MAX)));
        let ten: Version = "3.10".parse().unwrap();
        assert!(minor.highest() < ten.lowest());
    }
}
