//! Which HTTP requests may be sent, and to which addresses.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::grants::{Header, HttpRequest, Refused};
use host::Pattern;

mod address;
mod host;

/// Allows requests to some hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGrant {
    /// Host names or addresses: `hooks.example.com`; `*.example.com` stands for one label more, never for the name itself.
    #[serde(deserialize_with = "hosts")]
    pub hosts: Vec<String>,
    /// Methods; `GET` alone where none is named.
    #[serde(default = "get", deserialize_with = "methods")]
    pub methods: Vec<String>,
    /// Ports; 443 alone where none is named.
    #[serde(default = "https", deserialize_with = "ports")]
    pub ports: Vec<u16>,
    /// Whether plain `http://` is allowed too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
    /// Networks that these hosts may resolve to although they are loopback, link-local, private or otherwise special:
    /// `10.20.0.0/16`. A cloud's metadata address is reached only where it is named all by itself: `169.254.169.254/32`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub private_networks: Vec<IpNet>,
    /// A PEM file with further CAs that may have signed these hosts' certificates, beside those that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
}

impl HttpGrant {
    /// Allows `GET` over TLS at port 443 of these hosts.
    pub fn to(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            hosts: hosts.into_iter().map(Into::into).collect(),
            methods: get(),
            ports: https(),
            plain: false,
            private_networks: Vec::new(),
            ca_file: None,
        }
    }

    fn has_host(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        self.hosts.iter().filter_map(|pattern| Pattern::parse(pattern).ok()).any(|pattern| pattern.matches(&host))
    }

    fn has_port(&self, url: &Url) -> bool {
        url.port_or_known_default().is_some_and(|port| self.ports.contains(&port))
    }
}

fn get() -> Vec<String> {
    vec!["GET".to_owned()]
}

fn https() -> Vec<u16> {
    vec![443]
}

fn hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let hosts = Vec::<String>::deserialize(deserializer)?;
    match hosts.iter().find_map(|host| Pattern::parse(host).err()) {
        Some(what) => Err(serde::de::Error::custom(what)),
        None if hosts.is_empty() => Err(serde::de::Error::custom("name at least one host")),
        None => Ok(hosts),
    }
}

fn methods<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let methods = Vec::<String>::deserialize(deserializer)?;
    match methods.iter().find(|method| !is_method(method)) {
        Some(bad) => {
            Err(serde::de::Error::custom(format!("{bad:?} is no method that can be granted: write it in capitals")))
        }
        None => Ok(methods),
    }
}

fn ports<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u16>, D::Error> {
    let ports = Vec::<u16>::deserialize(deserializer)?;
    match ports.contains(&0) {
        true => Err(serde::de::Error::custom("there is no port 0")),
        false => Ok(ports),
    }
}

/// Whether it is a method that a plugin may use: `CONNECT` makes a tunnel and `TRACE` shows what proxies added.
fn is_method(text: &str) -> bool {
    let plain = !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    plain && !["CONNECT", "TRACE"].contains(&text)
}

/// Reads a URL as browsers do, so that every spelling of an address is known as what it is; refuses what only hides something.
///
/// # Errors
///
/// `invalid`. No error holds more of the URL than its scheme.
pub(crate) fn read_url(text: &str) -> Result<Url, Refused> {
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(Refused::invalid("the URL holds spaces, control characters or backslashes"));
    }
    let url = Url::parse(text).map_err(|e| Refused::invalid(format!("the URL cannot be read: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refused::invalid(format!(
            "the URL begins with {}:, and only https:// and http:// are spoken",
            url.scheme()
        )));
    }
    if !url.username().is_empty() || url.password().is_some() || authority(text).contains('@') {
        return Err(Refused::invalid("the URL holds a user or password before its host; send a header instead"));
    }
    Ok(url)
}

fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

/// The part of a URL that may be shown: `https://host:port`. Paths and queries hold tokens.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The grants that allow this method at this URL.
///
/// # Errors
///
/// What is missing: the host, the port, TLS or the method.
pub(crate) fn allowing<'a>(grants: &'a [HttpGrant], method: &str, url: &Url) -> Result<Vec<&'a HttpGrant>, Refused> {
    if !is_method(method) {
        return Err(Refused::invalid(format!(
            "{method:?} is no method that a plugin may use; they are written in capitals"
        )));
    }
    let host = url.host_str().unwrap_or_default();
    let mut left: Vec<_> = grants.iter().filter(|grant| grant.has_host(url)).collect();
    if left.is_empty() {
        return Err(Refused::denied(format!("the host {host} was not granted")));
    }
    left.retain(|grant| grant.has_port(url));
    if left.is_empty() {
        let port = url.port_or_known_default().unwrap_or_default();
        return Err(Refused::denied(format!("port {port} of {host} was not granted")));
    }
    left.retain(|grant| grant.plain || url.scheme() == "https");
    if left.is_empty() {
        return Err(Refused::denied(format!("plain http:// to {host} was not granted")));
    }
    left.retain(|grant| grant.methods.iter().any(|granted| granted == method));
    if left.is_empty() {
        return Err(Refused::denied(format!("{method} to {host} was not granted")));
    }
    Ok(left)
}

/// Whether one of these grants lets a request go to this address, which `host` was resolved to, or which the URL itself names.
///
/// # Errors
///
/// What kind of address it is.
pub(crate) fn permit_address(grants: &[&HttpGrant], host: Option<&str>, address: IpAddr) -> Result<(), Refused> {
    let Some(kind) = address::special(address) else { return Ok(()) };
    let named = grants.iter().flat_map(|grant| &grant.private_networks).any(|network| address::is_in(address, network));
    if named {
        return Ok(());
    }
    let what = match host {
        Some(name) => format!("{name} leads to {address}, {kind}"),
        None => format!("{address} is {kind}"),
    };
    Err(Refused::denied(format!("{what}; the grant's privateNetworks do not name it")))
}

/// Headers that belong to the connection, or that name another host than the one that was granted.
const OURS: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

fn check_headers(request: &HttpRequest) -> Result<(), Refused> {
    for Header { name, value } in &request.headers {
        let parsed: http::HeaderName =
            name.parse().map_err(|_| Refused::invalid(format!("{name:?} is no name of a header")))?;
        if OURS.contains(&parsed.as_str()) || parsed.as_str().starts_with("proxy-") {
            return Err(Refused::invalid(format!("the header {parsed} is runner's own to send")));
        }
        if http::HeaderValue::from_str(value).is_err() {
            return Err(Refused::invalid(format!(
                "the value of the header {parsed} holds a line break or other control characters"
            )));
        }
    }
    Ok(())
}

pub(super) fn permit(grants: &[HttpGrant], request: &HttpRequest) -> Result<(), Refused> {
    let url = read_url(&request.url)?;
    check_headers(request)?;
    let allowing = allowing(grants, &request.method, &url)?;
    match url.host() {
        Some(url::Host::Ipv4(address)) => permit_address(&allowing, None, address.into()),
        Some(url::Host::Ipv6(address)) => permit_address(&allowing, None, address.into()),
        // Its addresses are looked at when it has been resolved.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
