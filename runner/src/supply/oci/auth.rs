//! Credentials: read from docker's configuration, shown to the registry and its token service alone, never printed.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use docker_credential::{CredentialRetrievalError, DockerCredential};
use http::HeaderValue;

use crate::supply::{SupplyError, files};

/// How long a credential helper may take: some ask a person for a finger on a key.
const HELPER: Duration = Duration::from_secs(60);

/// Largest configuration of docker's that is read.
const MAX_CONFIG: u64 = 1 << 20;

/// What a registry asks for in its `WWW-Authenticate`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// User and password with every request.
    Basic,
    /// A token from this service.
    Bearer {
        /// The service's URL.
        realm: String,
        /// What it calls the registry.
        service: Option<String>,
    },
}

/// Credentials. Shown by nothing: no `Debug`, no `Display`.
pub(super) enum Credentials {
    /// A name and a password.
    Password(String, String),
    /// A token that stands for them, for the token service alone.
    Identity(String),
}

impl Challenge {
    /// Reads the header; none where it asks for something unknown.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let parameters = parameters(rest);
        let get = |name: &str| parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        Some(Self::Bearer { realm: get("realm")?, service: get("service") })
    }
}

impl Credentials {
    /// The header for basic authentication; none for a token.
    pub(super) fn basic(&self) -> Option<HeaderValue> {
        let Self::Password(user, password) = self else { return None };
        sensitive(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    }
}

/// A header's value that is not shown in logs.
pub(super) fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// What docker's configuration has for this registry; none where there is none. May run a credential helper.
///
/// # Errors
///
/// The configuration cannot be read, or the helper fails. The message has none of the helper's output: it may hold a secret.
pub(super) async fn find(host: &str) -> Result<Option<Credentials>, SupplyError> {
    let failed = |reason: &str| SupplyError::Credentials { host: host.to_owned(), reason: reason.to_owned() };
    let Some(path) = config_file() else { return Ok(None) };
    if !path.exists() {
        return Ok(None);
    }
    let text = files::read(&path, MAX_CONFIG, "docker's configuration")?;
    // Docker keeps its own registry's under the address of a version of it that is long gone.
    let key = if host == "docker.io" { "https://index.docker.io/v1/" } else { host }.to_owned();
    let asked = tokio::task::spawn_blocking(move || docker_credential::get_credential_from_reader(text.as_slice(), &key));
    let answer = tokio::time::timeout(HELPER, asked).await;
    match answer.map_err(|_| failed("the credential helper does not answer"))?.map_err(|_| failed("the helper panicked"))? {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Some(Credentials::Password(user, password))),
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credentials::Identity(token))),
        Err(CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound) => Ok(None),
        Err(CredentialRetrievalError::HelperFailure { helper, stdout, stderr }) => {
            // What every helper says where it has none; not an error.
            if [stdout, stderr].iter().any(|text| text.contains("credentials not found")) {
                return Ok(None);
            }
            Err(failed(&format!("the credential helper {helper:?} failed")))
        }
        Err(CredentialRetrievalError::HelperCommunicationError) => Err(failed("the credential helper cannot be run")),
        Err(CredentialRetrievalError::MalformedHelperResponse) => {
            Err(failed("the credential helper's answer makes no sense"))
        }
        Err(CredentialRetrievalError::ConfigReadError) => {
            Err(failed(&format!("{} is not docker's configuration", path.display())))
        }
        Err(_) => Err(failed(&format!("those in {} are damaged", path.display()))),
    }
}

/// Whether this host can only be this machine: an address, or the one name that is reserved for it.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn config_file() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".docker"));
    let folder = std::env::var_os("DOCKER_CONFIG").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Some(folder.or_else(home)?.join("config.json"))
}

/// `name="value", name=value` taken apart.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',']).to_ascii_lowercase();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_once(',').unwrap_or((after, "")),
        };
        found.push((name, value.to_owned()));
        rest = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        assert_eq!(Challenge::parse(r#"Basic realm="x""#), Some(Challenge::Basic));
        let bearer = Challenge::parse(
            r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:a:pull,push""#,
        );
        let expected = Challenge::Bearer { realm: "https://auth.example/token".into(), service: Some("r.example".into()) };
        assert_eq!(bearer, Some(expected));
        assert_eq!(Challenge::parse("Negotiate"), None);
        assert_eq!(Challenge::parse("Bearer"), None);
    }

    #[test]
    fn only_this_machine_is_loopback() {
        assert!(is_loopback("127.0.0.1") && is_loopback("[::1]") && is_loopback("localhost"));
        assert!(!is_loopback("10.0.0.1") && !is_loopback("localhost.example") && !is_loopback("127.0.0.1.example"));
    }
}
