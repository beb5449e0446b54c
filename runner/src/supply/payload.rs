//! What cosign signs of an artifact: a small JSON text that names its manifest's digest ("simple signing").

use serde::{Deserialize, Serialize};

use super::Digest;

/// The payload's type, as cosign writes it.
const TYPE: &str = "cosign container image signature";

/// The signed text.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Payload {
    critical: Critical,
    /// Whatever the signer added; not judged.
    optional: Option<serde_json::Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Critical {
    identity: Identity,
    image: Image,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Identity {
    #[serde(rename = "docker-reference")]
    docker_reference: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    docker_manifest_digest: String,
}

impl Payload {
    /// The text to sign for this manifest in this repository (`host/repository`), byte for byte as cosign has it.
    pub(super) fn text(repository: &str, manifest: &Digest) -> String {
        let payload = Self {
            critical: Critical {
                identity: Identity { docker_reference: repository.to_owned() },
                image: Image { docker_manifest_digest: manifest.to_string() },
                kind: TYPE.to_owned(),
            },
            optional: None,
        };
        serde_json::to_string(&payload).unwrap_or_default()
    }

    /// Fails unless the text speaks of this manifest in this repository.
    ///
    /// # Errors
    ///
    /// What it speaks of instead, as a sentence without its stop.
    pub(super) fn check(text: &[u8], repository: &str, manifest: &Digest) -> Result<(), String> {
        let payload: Self = serde_json::from_slice(text).map_err(|_| "what is signed is not cosign's payload".to_owned())?;
        let Critical { identity, image, kind } = payload.critical;
        let clean = |text: &str| crate::text::one_line(text, 200);
        if kind != TYPE {
            return Err(format!("what is signed is a {:?}", clean(&kind)));
        }
        if image.docker_manifest_digest != manifest.to_string() {
            return Err(format!("it was made for another manifest, {}", clean(&image.docker_manifest_digest)));
        }
        // cosign names the repository; with `--sign-container-identity` it may be a whole reference.
        let signed = without_tag(&identity.docker_reference);
        if signed != repository {
            return Err(format!(
                "it was made for {}, not for {repository} (--signed-as accepts a mirror's origin)",
                clean(signed)
            ));
        }
        Ok(())
    }
}

/// `host:port/repository` of `host:port/repository:tag@digest`.
fn without_tag(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    let last = name.rfind('/').unwrap_or(0);
    name[last..].find(':').map_or(name, |at| &name[..last + at])
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSIGN: &str = r#"{"critical":{"identity":{"docker-reference":"127.0.0.1:5000/plugins/a"},"image":{"docker-manifest-digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"type":"cosign container image signature"},"optional":null}"#;

    #[test]
    fn the_text_is_cosigns() {
        let manifest = Digest::of(b"");
        assert_eq!(Payload::text("127.0.0.1:5000/plugins/a", &manifest), COSIGN);
        Payload::check(COSIGN.as_bytes(), "127.0.0.1:5000/plugins/a", &manifest).unwrap();
    }

    #[test]
    fn what_speaks_of_something_else_says_of_what() {
        let check = |text: &str| {
            Payload::check(text.as_bytes(), "127.0.0.1:5000/plugins/a", &Digest::of(b"")).map_err(|e| e.to_string())
        };
        check(&COSIGN.replace(r#"plugins/a""#, r#"plugins/a:1.0""#)).unwrap();
        check(&COSIGN.replace("null", r#"{"creator":"x","timestamp":1}"#)).unwrap();
        assert!(check(&COSIGN.replace("plugins/a", "plugins/b")).unwrap_err().contains("made for 127.0.0.1:5000/plugins/b"));
        assert!(check(&COSIGN.replace("sha256:e3", "sha256:e4")).unwrap_err().contains("another manifest, sha256:e4"));
        assert!(check(&COSIGN.replace("container image", "sbom")).unwrap_err().contains("sbom"));
        assert!(check("{}").unwrap_err().contains("not cosign's payload"));
    }
}
