//! Which HTTP requests may be sent, and to which addresses.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::surroundings::{HttpRequest, Refused};

/// Allows requests to some hosts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpGrant {
    /// Host names or addresses: `hooks.example.com`; `*.example.com` stands for one label more, never for the name itself.
    pub hosts: Vec<String>,
    /// Methods; `GET` alone where none is named.
    #[serde(default = "get")]
    pub methods: Vec<String>,
    /// Ports; 443 alone where none is named.
    #[serde(default = "https")]
    pub ports: Vec<u16>,
    /// Whether plain `http://` is allowed too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
    /// Networks that these hosts may resolve to although they are loopback, link-local, private or otherwise special:
    /// `10.20.0.0/16`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub private_networks: Vec<IpNet>,
}

fn get() -> Vec<String> {
    vec!["GET".to_owned()]
}

fn https() -> Vec<u16> {
    vec![443]
}

pub(super) fn permit(grants: &[HttpGrant], request: &HttpRequest) -> Result<(), Refused> {
    let _ = grants;
    Err(Refused::denied(format!("{} {} was not granted", request.method, request.url)))
}
