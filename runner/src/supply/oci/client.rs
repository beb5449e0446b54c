//! Requests to one repository of one registry: TLS, credentials, redirects, time limits.

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use reqwest::{Certificate, Client, Response, Url, redirect};
use serde::Deserialize;

use super::auth::{self, Challenge, Credentials, is_loopback};
use super::transfer;
use crate::supply::reference::Reference;
use crate::supply::{SupplyError, files};
use crate::text::one_line;

/// A registry is near or not at all.
const CONNECT: Duration = Duration::from_secs(10);

/// A registry that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(30);

/// What a request may take in all: this, and what its bytes take at the slowest rate worth waiting for, 100 KiB/s.
const BASE: Duration = Duration::from_secs(60);
const SLOWEST: u64 = 100 << 10;

/// A blob may be kept elsewhere, and that place know a better one; more are a loop.
const REDIRECTS: usize = 5;

/// Largest answer of a token service, and largest text of an error.
const MAX_TOKEN: u64 = 256 << 10;
const MAX_ERROR: u64 = 64 << 10;

/// Largest certificate file.
const MAX_CA: u64 = 4 << 20;

/// How registries are reached.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Certificates (PEM) that are trusted beside the system's.
    pub ca: Option<PathBuf>,
    /// Without TLS. Credentials are then sent to loopback only.
    pub plain_http: bool,
}

/// A repository, and what its registry wants to see.
pub(super) struct Registry {
    http: Client,
    host: String,
    repository: String,
    base: Url,
    /// `pull` or `pull,push`.
    scope: &'static str,
    authorization: Option<HeaderValue>,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) accept: Option<&'static str>,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: Bytes,
    /// What the answer may weigh: gives it time.
    pub(super) expected: u64,
}

impl Ask {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self { method, url, accept: None, content_type: None, body: Bytes::new(), expected: 0 }
    }
}

impl Registry {
    /// Prepares requests to the reference's repository; connects to nothing yet.
    pub(super) fn open(reference: &Reference, access: &Access, scope: &'static str) -> Result<Self, SupplyError> {
        let scheme = if access.plain_http { "http" } else { "https" };
        // Docker's own registry answers elsewhere than it is named.
        let host = if reference.host == "docker.io" { "registry-1.docker.io" } else { &reference.host };
        let bad = |_| SupplyError::BadSource { text: reference.to_string(), why: "its host is not one" };
        let base = Url::parse(&format!("{scheme}://{host}/v2/{}/", reference.repository)).map_err(bad)?;
        Ok(Self {
            http: client(access, &reference.host)?,
            host: reference.host.clone(),
            repository: reference.repository.clone(),
            base,
            scope,
            authorization: None,
        })
    }

    /// The URL of something in the repository: `manifests/1.0`.
    pub(super) fn url(&self, path: &str) -> Result<Url, SupplyError> {
        self.base.join(path).map_err(|_| self.odd("was asked for a URL that is none"))
    }

    /// A URL that the registry named, for going on there with our credentials: only on the registry itself.
    pub(super) fn own_url(&self, answer: &Response) -> Result<Url, SupplyError> {
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let location = location.and_then(|text| answer.url().join(text).ok());
        let location = location.ok_or_else(|| self.odd("does not say where to upload to"))?;
        if location.origin() != self.base.origin() {
            return Err(self.odd("wants the upload to go to another host"));
        }
        Ok(location)
    }

    /// Sends a request, with credentials where the registry asks for them, and follows where a download leads. `what` is for
    /// messages. The answer is a success, or 404 as none.
    pub(super) async fn send(&mut self, ask: &Ask, what: &str) -> Result<Option<Response>, SupplyError> {
        let mut answer = self.send_once(ask, true).await?;
        if answer.status() == StatusCode::UNAUTHORIZED && self.authorization.is_none() {
            self.authorization = Some(self.authorize(&answer, what).await?);
            answer = self.send_once(ask, true).await?;
        }
        if matches!(ask.method, Method::GET | Method::HEAD) {
            answer = self.follow(ask, answer).await?;
        }
        match answer.status() {
            status if status.is_success() => Ok(Some(answer)),
            StatusCode::NOT_FOUND => Ok(None),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let why = "the credentials in docker's configuration are not good for it";
                Err(self.denied(what, why))
            }
            StatusCode::TOO_MANY_REQUESTS => Err(self.odd("has had too many requests; try again later")),
            status => {
                let text = transfer::body(answer, "the error", MAX_ERROR, None).await.unwrap_or_default();
                let text = one_line(String::from_utf8_lossy(&text).trim(), 300);
                Err(self.odd(&format!("answers {status} for {what}: {text}")))
            }
        }
    }

    /// An answer that makes no sense.
    pub(super) fn odd(&self, reason: &str) -> SupplyError {
        SupplyError::Registry { host: self.host.clone(), reason: reason.to_owned() }
    }

    async fn send_once(&self, ask: &Ask, with_credentials: bool) -> Result<Response, SupplyError> {
        let bytes = ask.expected.max(ask.body.len() as u64);
        let limit = BASE + Duration::from_secs(bytes / SLOWEST);
        let mut request = self.http.request(ask.method.clone(), ask.url.clone()).timeout(limit);
        if let Some(accept) = ask.accept {
            request = request.header(ACCEPT, accept);
        }
        if let Some(kind) = ask.content_type {
            request = request.header(CONTENT_TYPE, kind);
        }
        if let Some(authorization) = self.authorization.as_ref().filter(|_| with_credentials) {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if !matches!(ask.method, Method::GET | Method::HEAD) {
            request = request.body(ask.body.clone());
        }
        request.send().await.map_err(|e| unreachable(&place(&ask.url), e))
    }

    /// Follows redirects. Another host than the registry gets no credentials, and TLS is not given up.
    async fn follow(&self, ask: &Ask, mut answer: Response) -> Result<Response, SupplyError> {
        let mut ask = ask.clone();
        for _ in 0..REDIRECTS {
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|text| answer.url().join(text).ok());
            let next = next.ok_or_else(|| self.odd("redirects to nowhere"))?;
            if next.scheme() != "https" && (next.scheme() != "http" || self.base.scheme() != "http") {
                return Err(self.odd("redirects to a place without TLS"));
            }
            let ours = next.origin() == self.base.origin();
            ask.url = next;
            answer = self.send_once(&ask, ours).await?;
        }
        Err(self.odd("redirects without end"))
    }

    /// What to show after a refusal.
    async fn authorize(&self, refusal: &Response, what: &str) -> Result<HeaderValue, SupplyError> {
        let header = refusal.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let challenge = header.and_then(Challenge::parse);
        let challenge = challenge.ok_or_else(|| self.odd("asks for a kind of credentials that runner does not know"))?;
        let in_the_clear = self.base.scheme() == "http" && !self.base.host_str().is_some_and(is_loopback);
        let credentials = if in_the_clear { None } else { auth::find(&self.host).await? };
        match challenge {
            Challenge::Basic if in_the_clear => Err(SupplyError::CredentialsInTheClear(self.host.clone())),
            Challenge::Basic => match credentials {
                Some(credentials) => {
                    let header = credentials.basic();
                    header.ok_or_else(|| {
                        self.denied(what, "docker's configuration has a token for it, and it wants a password")
                    })
                }
                None => Err(self.denied(what, "docker's configuration has no credentials for it")),
            },
            Challenge::Bearer { realm, service } => self.token(&realm, service.as_deref(), credentials, what).await,
        }
    }

    /// Asks the registry's token service.
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        credentials: Option<Credentials>,
        what: &str,
    ) -> Result<HeaderValue, SupplyError> {
        let mut url = Url::parse(realm).map_err(|_| self.odd("names a token service that is no URL"))?;
        let here = |url: &Url| url.host_str().is_some_and(is_loopback);
        // TLS, or a plain registry and its service both on this machine.
        if url.scheme() != "https"
            && !(url.scheme() == "http" && self.base.scheme() == "http" && here(&url) && here(&self.base))
        {
            return Err(self.odd("names a token service without TLS"));
        }
        let known = credentials.is_some();
        let scope = format!("repository:{}:{}", self.repository, self.scope);
        let request = match credentials {
            Some(Credentials::Identity(token)) => {
                let mut form = url.clone();
                form.query_pairs_mut().clear().append_pair("grant_type", "refresh_token").append_pair("client_id", "runner");
                form.query_pairs_mut().append_pair("scope", &scope).append_pair("service", service.unwrap_or_default());
                form.query_pairs_mut().append_pair("refresh_token", &token);
                let form = form.query().unwrap_or_default().to_owned();
                self.http.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
            }
            other => {
                url.query_pairs_mut().append_pair("scope", &scope);
                if let Some(service) = service {
                    url.query_pairs_mut().append_pair("service", service);
                }
                let request = self.http.get(url);
                match other.and_then(|credentials| credentials.basic()) {
                    Some(basic) => request.header(AUTHORIZATION, basic),
                    None => request,
                }
            }
        };
        let answer = request.timeout(BASE).send().await.map_err(|e| unreachable("of the token service", e))?;
        if !answer.status().is_success() {
            let why = if known {
                "its token service does not take the credentials"
            } else {
                "docker's configuration has no credentials for it"
            };
            return Err(self.denied(what, why));
        }
        #[derive(Deserialize)]
        struct Answer {
            token: Option<String>,
            access_token: Option<String>,
        }
        let text = transfer::body(answer, "the token", MAX_TOKEN, None).await?;
        let answer: Option<Answer> = serde_json::from_slice(&text).ok();
        let token = answer.and_then(|a| a.token.or(a.access_token)).and_then(|t| auth::sensitive(&format!("Bearer {t}")));
        token.ok_or_else(|| self.odd("has a token service whose answer makes no sense"))
    }

    fn denied(&self, what: &str, why: &str) -> SupplyError {
        SupplyError::Denied { host: self.host.clone(), what: what.to_owned(), why: why.to_owned() }
    }
}

/// Host and port of a URL, and nothing else of it.
pub(super) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// What became of a request that got no answer. URLs are left out: they may hold signatures.
pub(super) fn unreachable(host: &str, error: reqwest::Error) -> SupplyError {
    let error = error.without_url();
    let reason = if error.is_timeout() {
        "no answer in time".to_owned()
    } else {
        // The causes say more than the error itself.
        let (mut text, mut cause) = (String::new(), error.source());
        while let Some(error) = cause {
            text = error.to_string();
            cause = error.source();
        }
        if text.is_empty() { error.to_string() } else { text }
    };
    SupplyError::Unreachable { host: host.to_owned(), reason: one_line(&reason, 300) }
}

fn client(access: &Access, host: &str) -> Result<Client, SupplyError> {
    static PROVIDER: Once = Once::new();
    // The TLS library is built without a provider of its own; another part of the program may have been first.
    PROVIDER.call_once(|| drop(tokio_rustls::rustls::crypto::ring::default_provider().install_default()));
    let builder = || {
        let agent = concat!("runner/", env!("CARGO_PKG_VERSION"));
        Client::builder().user_agent(agent).redirect(redirect::Policy::none()).connect_timeout(CONNECT).read_timeout(SILENCE)
    };
    let given = access.ca.as_deref().map(certificates).transpose()?.unwrap_or_default();
    let built = match builder().tls_certs_merge(given).build() {
        // The system trusts no CA; a registry without TLS needs none.
        Err(_) if access.plain_http && access.ca.is_none() => builder().tls_certs_only([]).build(),
        built => built,
    };
    built.map_err(|e| unreachable(host, e))
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, SupplyError> {
    let text = files::read(path, MAX_CA, "the certificate file")?;
    let bad = |reason: &str| SupplyError::File { doing: "cannot use", path: path.to_owned(), reason: reason.to_owned() };
    let found = Certificate::from_pem_bundle(&text).map_err(|_| bad("it is not a PEM file of certificates"))?;
    if found.is_empty() { Err(bad("it has no certificate in PEM")) } else { Ok(found) }
}
