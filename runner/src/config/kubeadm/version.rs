//! Versions: of the documents, and of Kubernetes.

use std::fmt;
use std::str::FromStr;

/// The version of a document's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DocumentVersion {
    /// `kubeadm.k8s.io/v1beta3`: Kubernetes 1.22 to 1.36, deprecated since 1.31.
    V1Beta3,
    /// `kubeadm.k8s.io/v1beta4`: Kubernetes 1.31 and newer.
    V1Beta4,
}

/// The Kubernetes version that a ClusterConfiguration asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesVersion {
    /// As it is written.
    pub text: String,
    /// The `33` of `v1.33.2`; none for a label such as `stable-1`, which only the internet can resolve.
    pub minor: Option<u32>,
}

impl DocumentVersion {
    /// Both, the older first.
    pub(super) const ALL: [Self; 2] = [Self::V1Beta3, Self::V1Beta4];

    /// The version's name, without the group.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1Beta3 => "v1beta3",
            Self::V1Beta4 => "v1beta4",
        }
    }
}

impl fmt::Display for DocumentVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KubernetesVersion {
    type Err = String;

    /// A version with or without its `v`, or one of kubeadm's labels (`stable-1.33`, `ci/latest`).
    fn from_str(text: &str) -> Result<Self, String> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let mut parts = bare.splitn(3, '.');
        let number = |part: Option<&str>| part.and_then(|p| p.parse::<u32>().ok());
        if let (Some(1), Some(minor), Some(patch)) = (number(parts.next()), number(parts.next()), parts.next())
            && patch.starts_with(|c: char| c.is_ascii_digit())
        {
            return Ok(Self { text: text.to_owned(), minor: Some(minor) });
        }
        let label = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '/' | '_' | '+');
        let begins = text.starts_with(|c: char| c.is_ascii_lowercase()) && !text.starts_with("v1");
        match begins && text.chars().all(label) {
            true => Ok(Self { text: text.to_owned(), minor: None }),
            false => Err(format!("{text:?} is not a Kubernetes version: write it as `v1.33.2`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_labels() {
        let minor = |text: &str| text.parse::<KubernetesVersion>().map(|v| v.minor);
        assert_eq!(minor("v1.33.2"), Ok(Some(33)));
        assert_eq!(minor("1.29.0-rc.1"), Ok(Some(29)));
        assert_eq!(minor("stable-1.33"), Ok(None));
        assert_eq!(minor("ci/latest"), Ok(None));
        insta::assert_snapshot!(minor("1.33").unwrap_err(), @r#""1.33" is not a Kubernetes version: write it as `v1.33.2`"#);
        for bad in ["", "v1", "v1.x.2", "2.0.0", "v1.33.", "latest release"] {
            assert!(minor(bad).is_err(), "{bad}");
        }
    }
}
