//! Which etcd is in an image, as far as its name tells.

use crate::Problem;
use crate::launch::{EtcdVersion, refuse};

/// How an etcd version is given where the image's tag does not tell it.
const HINT: &str = "say which etcd is in the image: --etcd-version 3.6.5, for example";

/// The version of the etcd in this image: by the tag, or as `given`. The two may not say different things.
///
/// A tag is read as its builders write it: `3.5.16-0` (kubeadm's, whose last number counts their builds), `v3.5.21-k3s1`.
pub(super) fn version(image: &str, given: Option<&str>) -> Result<EtcdVersion, Problem> {
    check(image)?;
    let tagged = tag(image).and_then(etcd_in);
    match (given, tagged) {
        (Some(given), None) => given.parse(),
        (None, Some(tagged)) => tagged.parse(),
        (Some(given), Some(tagged)) => {
            let (given, tagged): (EtcdVersion, EtcdVersion) = (given.parse()?, tagged.parse()?);
            if given == tagged {
                return Ok(given);
            }
            let text = format!("the image {image} is of etcd {tagged} by its tag, and is said to be of {given}");
            Err(refuse(text, &["leave --etcd-version away, or give the image that it is of"]))
        }
        (None, None) => Err(refuse(format!("the name of the image {image} does not tell which etcd is in it"), &[HINT])),
    }
}

/// Refuses what cannot be an image's name, before the kubelet does where nobody looks.
fn check(image: &str) -> Result<(), Problem> {
    if image.is_empty() {
        let hint = "give it with --image, for example --image registry.k8s.io/etcd:3.6.5-0";
        return Err(refuse("a static pod needs the image of its etcd", &[hint]));
    }
    let usable = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    match image.chars().all(usable) && image.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        true => Ok(()),
        false => Err(refuse(format!("{image:?} is not the name of an image"), &[])),
    }
}

/// What stands behind the colon of the last part; a colon further left is a registry's port.
fn tag(image: &str) -> Option<&str> {
    let name = image.split_once('@').map_or(image, |(name, _digest)| name);
    name.rsplit('/').next()?.split_once(':').map(|(_, tag)| tag)
}

/// The etcd version in a tag: three numbers, and what marks a release before its time.
fn etcd_in(tag: &str) -> Option<&str> {
    let tag = tag.strip_prefix('v').unwrap_or(tag);
    let (core, rest) = tag.split_once('-').unwrap_or((tag, ""));
    let numbers = core.split('.').map(str::parse::<u32>);
    if core.split('.').count() != 3 || numbers.into_iter().any(|n| n.is_err()) {
        return None;
    }
    let early = ["alpha.", "beta.", "rc."].iter().any(|mark| rest.starts_with(mark));
    let end = rest.split_once('-').map_or(tag.len(), |(mark, _)| core.len() + 1 + mark.len());
    Some(if early { &tag[..end] } else { core })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(image: &str, given: Option<&str>) -> String {
        version(image, given).map_or_else(|error| error.message, |version| version.to_string())
    }

    #[test]
    fn the_tag_decides() {
        let digest = format!("registry.example/etcd:3.5.16-0@sha256:{}", "a".repeat(64));
        for (image, version) in [
            ("registry.k8s.io/etcd:3.5.16-0", "3.5.16"),
            ("registry.example:5000/team/etcd:v3.6.5", "3.6.5"),
            ("docker.io/rancher/hardened-etcd:v3.5.21-k3s1-build20250612", "3.5.21"),
            ("etcd:3.7.0-rc.0-0", "3.7.0-rc.0"),
            ("etcd:v3.7.0-rc.1", "3.7.0-rc.1"),
            (digest.as_str(), "3.5.16"),
        ] {
            assert_eq!(read(image, None), version, "{image}");
        }
    }

    #[test]
    fn where_the_tag_is_silent_somebody_must_say_it() {
        let digest = format!("registry.example:5000/etcd@sha256:{}", "a".repeat(64));
        for image in [digest.as_str(), "etcd:latest", "etcd", "registry.example:5000/etcd", "etcd:3.6", "etcd:3.6.x"] {
            assert_eq!(read(image, None), format!("the name of the image {image} does not tell which etcd is in it"));
            assert_eq!(read(image, Some("3.6.5")), "3.6.5");
        }
        assert_eq!(read("etcd:latest", Some("three")), "`three` is not an etcd version");
        assert_eq!(read("etcd:3.5.16-0", Some("3.5.16")), "3.5.16");
        assert_eq!(
            read("etcd:3.5.16-0", Some("3.6.5")),
            "the image etcd:3.5.16-0 is of etcd 3.5.16 by its tag, and is said to be of 3.6.5"
        );
    }

    #[test]
    fn what_is_no_image_or_no_known_etcd_is_refused() {
        assert_eq!(read("", None), "a static pod needs the image of its etcd");
        for image in ["-etcd:3.6.5", "etcd 3.6.5", "etcd:3.6.5\n", "étcd"] {
            assert_eq!(read(image, None), format!("{image:?} is not the name of an image"));
        }
        assert_eq!(read("etcd:3.9.1-0", None), "runner does not know the flags of etcd 3.9.1");
    }
}
