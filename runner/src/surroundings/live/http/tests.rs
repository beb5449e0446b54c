//! Requests to servers on loopback that answer as they are told: what gets through, and what does not.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::grants::HttpGrant;
use crate::surroundings::within;

/// A server that answers every connection's request with the same bytes, and keeps what it was sent.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    _running: AbortOnDropHandle<()>,
}

/// What it does with a connection.
#[derive(Clone)]
enum Answer {
    Whole(String),
    /// This, and then the same byte for ever.
    Endless(String),
    /// Byte by byte, a second apart.
    Slow(String),
    Silence,
}

impl Server {
    async fn plain(answer: Answer) -> Self {
        Self::start(answer, None).await
    }

    async fn start(answer: Answer, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let running = tokio::spawn({
            let seen = seen.clone();
            async move {
                let mut open = Vec::new();
                while let Ok((tcp, _)) = listener.accept().await {
                    let (answer, seen, tls) = (answer.clone(), seen.clone(), tls.clone());
                    open.push(AbortOnDropHandle::new(tokio::spawn(async move {
                        match tls {
                            None => serve(tcp, answer, &seen).await,
                            Some(tls) => match tls.accept(tcp).await {
                                Ok(stream) => serve(stream, answer, &seen).await,
                                Err(_) => seen.lock().unwrap().push("no TLS".to_owned()),
                            },
                        }
                    })));
                }
            }
        });
        Self { port, seen, _running: AbortOnDropHandle::new(running) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: impl tokio::io::AsyncRead + AsyncWrite + Unpin, answer: Answer, seen: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        body.len() >= length.unwrap_or(0)
    };
    while !whole(&request) {
        match stream.read_buf(&mut request).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    seen.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
    match answer {
        Answer::Whole(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Answer::Endless(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
        Answer::Slow(text) => {
            for byte in text.bytes() {
                let _ = stream.write_all(&[byte]).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Answer::Silence => std::future::pending().await,
    }
}

fn ok(body: &str) -> Answer {
    Answer::Whole(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-Kind: test\r\n\r\n{body}", body.len()))
}

fn to(status: u16, location: &str) -> Answer {
    Answer::Whole(format!("HTTP/1.1 {status} Go\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"))
}

/// Names of this test's own.
struct Names(BTreeMap<&'static str, Vec<IpAddr>>);

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.0.get(host).cloned().ok_or_else(|| io::Error::other("no such name"))
    }
}

fn names(names: &[(&'static str, &[&str])]) -> Http {
    let addresses = |list: &[&str]| list.iter().map(|address| address.parse().unwrap()).collect();
    Http::new(Arc::new(Names(names.iter().map(|(name, list)| (*name, addresses(list))).collect())))
}

/// Everything, at these hosts and ports, on loopback.
fn local(hosts: &[&str], ports: &[u16]) -> Grants {
    let grant = HttpGrant {
        methods: ["GET", "HEAD", "POST", "PUT"].map(str::to_owned).into(),
        ports: ports.into(),
        plain: true,
        private_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..HttpGrant::to(hosts.iter().copied())
    };
    Grants { http: vec![grant], ..Grants::default() }
}

fn request(method: &str, url: &str) -> HttpRequest {
    HttpRequest { method: method.into(), url: url.into(), headers: Vec::new(), body: Vec::new(), timeout_ms: Some(20_000) }
}

async fn send(http: &Http, grants: &Grants, request: &HttpRequest) -> Result<HttpResponse, Refused> {
    grants.permit(&crate::surroundings::Ask::Http(request.clone()))?;
    match http.send(grants, request).await? {
        Reply::Http(response) => Ok(response),
        other => panic!("{other:?}"),
    }
}

async fn get(grants: &Grants, url: &str) -> Result<HttpResponse, Refused> {
    send(&Http::default(), grants, &request("GET", url)).await
}

#[tokio::test]
async fn a_granted_request_is_sent_as_it_is_and_its_answer_taken_whole() {
    let server = Server::plain(ok("hello")).await;
    let mut asked = request("POST", &server.url("/a/b?c=d#e"));
    asked.headers.push(Header { name: "X-Token".into(), value: "t".into() });
    asked.body = b"body".to_vec();
    let answer = send(&Http::default(), &local(&["127.0.0.1"], &[server.port]), &asked).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b"hello"[..]));
    assert!(answer.headers.iter().any(|h| h.name == "x-kind" && h.value == "test"), "{answer:?}");
    let seen = server.seen().remove(0);
    assert!(seen.starts_with("POST /a/b?c=d HTTP/1.1\r\n") && seen.ends_with("\r\n\r\nbody"), "{seen}");
    let port = server.port;
    for line in
        [format!("host: 127.0.0.1:{port}"), "x-token: t".into(), "content-length: 4".into(), "connection: close".into()]
    {
        assert!(seen.to_lowercase().contains(&format!("\r\n{line}\r\n")), "{line}: {seen}");
    }
}

#[tokio::test]
async fn a_bad_status_and_an_answer_without_a_body_are_answers() {
    for (answer, status) in [("HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno", 404), ("HTTP/1.1 204 Nothing\r\n\r\n", 204)]
    {
        let server = Server::plain(Answer::Whole(answer.to_owned())).await;
        let answer = get(&local(&["127.0.0.1"], &[server.port]), &server.url("/")).await.unwrap();
        assert_eq!(answer.status, status);
    }
    let server = Server::plain(Answer::Whole("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".to_owned())).await;
    let asked = request("HEAD", &server.url("/"));
    let answer = send(&Http::default(), &local(&["127.0.0.1"], &[server.port]), &asked).await.unwrap();
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn a_name_that_leads_to_loopback_is_refused() {
    let server = Server::plain(ok("inside")).await;
    let port = server.port;
    // The system's own resolver knows this one.
    let mut grants = local(&["localhost"], &[port]);
    grants.http[0].private_networks.clear();
    let refused = get(&grants, &format!("http://localhost:{port}/")).await.unwrap_err();
    assert_eq!(refused.kind, "denied");
    assert!(refused.message.contains("a loopback address"), "{refused}");
    assert!(server.seen().is_empty());
    // Named, it is reached.
    grants.http[0].private_networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
    assert_eq!(get(&grants, &format!("http://localhost:{port}/")).await.unwrap().status, 200);
}

#[tokio::test]
async fn one_bad_address_refuses_a_name() {
    let server = Server::plain(ok("inside")).await;
    for inside in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00::1", "0.0.0.0"] {
        let http = names(&[("a.example", &["192.0.43.8", inside])]);
        let mut grants = local(&["a.example"], &[server.port]);
        grants.http[0].private_networks.clear();
        let asked = request("GET", &format!("http://a.example:{}/", server.port));
        let refused = send(&http, &grants, &asked).await.unwrap_err();
        assert_eq!(refused.kind, "denied", "{inside}: {refused}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_name_is_resolved_once_and_its_address_is_connected_to() {
    /// The first answer is permitted, all others are not.
    struct Rebinding(Mutex<u32>);

    #[async_trait]
    impl Resolve for Rebinding {
        async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            let mut asked = self.0.lock().unwrap();
            *asked += 1;
            Ok(vec![if *asked == 1 { "127.0.0.2" } else { "127.0.0.1" }.parse().unwrap()])
        }
    }

    let inside = Server::plain(ok("inside")).await;
    let resolver = Arc::new(Rebinding(Mutex::default()));
    let http = Http::new(resolver.clone());
    let mut grants = local(&["a.example"], &[inside.port]);
    grants.http[0].private_networks = vec!["127.0.0.2/32".parse().unwrap()];
    let asked = request("GET", &format!("http://a.example:{}/", inside.port));
    let refused = send(&http, &grants, &asked).await.unwrap_err();
    assert_eq!(refused.kind, "unavailable", "{refused}");
    assert_eq!(send(&http, &grants, &asked).await.unwrap_err().kind, "denied");
    assert_eq!(*resolver.0.lock().unwrap(), 2);
    assert!(inside.seen().is_empty());
}

#[tokio::test]
async fn redirects_are_followed_within_the_grants() {
    let end = Server::plain(ok("end")).await;
    let start = Server::plain(to(302, &end.url("/x"))).await;
    let grants = local(&["127.0.0.1"], &[start.port, end.port]);
    assert_eq!(get(&grants, &start.url("/")).await.unwrap().body, b"end");

    // Each escape is looked at by the same code as the first target.
    for (target, said) in [
        (end.url("/x"), "port"),
        ("http://127.0.0.2/".to_owned(), "the host 127.0.0.2 was not granted"),
        ("http://10.0.0.1/".to_owned(), "the host 10.0.0.1 was not granted"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "the host 169.254.169.254 was not granted"),
        ("http://2130706434/".to_owned(), "the host 127.0.0.2 was not granted"),
        ("http://127.0.0.1@evil.example/".to_owned(), "user or password"),
        ("file:///etc/passwd".to_owned(), "only https:// and http://"),
        ("//evil.example/".to_owned(), "the host evil.example was not granted"),
    ] {
        let start = Server::plain(to(302, &target)).await;
        let refused = get(&local(&["127.0.0.1"], &[start.port]), &start.url("/")).await.unwrap_err();
        assert_eq!(refused.kind, "denied", "{target}: {refused}");
        assert!(refused.message.contains(said), "{target}: {refused}");
    }
    assert_eq!(end.seen().len(), 1);
}

#[tokio::test]
async fn a_redirect_to_a_name_that_leads_inside_is_refused() {
    let inside = Server::plain(ok("inside")).await;
    let start = Server::plain(to(307, &format!("http://in.example:{}/", inside.port))).await;
    let http = names(&[("out.example", &["127.0.0.1"]), ("in.example", &["127.0.0.1"])]);
    let ports = [start.port, inside.port];
    let mut grants = local(&["out.example"], &ports);
    grants.http.push(HttpGrant { private_networks: Vec::new(), ..local(&["in.example"], &ports).http.remove(0) });
    let asked = request("GET", &format!("http://out.example:{}/", start.port));
    let refused = send(&http, &grants, &asked).await.unwrap_err();
    assert_eq!(refused.kind, "denied");
    assert!(refused.message.contains("in.example leads to 127.0.0.1, a loopback address"), "{refused}");
    assert!(inside.seen().is_empty());
}

#[tokio::test]
async fn redirects_end() {
    let server = Server::plain(to(302, "/again")).await;
    let refused = get(&local(&["127.0.0.1"], &[server.port]), &server.url("/")).await.unwrap_err();
    assert_eq!(refused.kind, "failed");
    assert_eq!(server.seen().len(), MAX_REDIRECTS + 1);
}

#[tokio::test]
async fn another_origin_gets_no_credentials_and_the_method_follows_the_rules() {
    for (status, method, becomes, body) in [
        (301, "POST", "GET", ""),
        (302, "POST", "GET", ""),
        (303, "PUT", "GET", ""),
        (307, "POST", "POST", "secret body"),
        (308, "POST", "POST", "secret body"),
        (302, "PUT", "PUT", "secret body"),
    ] {
        let end = Server::plain(ok("")).await;
        let start = Server::plain(to(status, &end.url("/x"))).await;
        let mut asked = request(method, &start.url("/"));
        let header = |name: &str| Header { name: name.into(), value: "value".into() };
        asked.headers = ["Authorization", "Cookie", "X-Api-Key", "Accept", "Content-Type"].map(header).into();
        asked.body = b"secret body".to_vec();
        let grants = local(&["127.0.0.1"], &[start.port, end.port]);
        send(&Http::default(), &grants, &asked).await.unwrap();
        let seen = end.seen().remove(0);
        let lower = seen.to_lowercase();
        assert!(
            seen.starts_with(&format!("{becomes} /x ")) && seen.ends_with(&format!("\r\n\r\n{body}")),
            "{status}: {seen}"
        );
        assert!(!lower.contains("authorization") && !lower.contains("cookie") && !lower.contains("x-api-key"), "{seen}");
        assert!(lower.contains("\r\naccept: value"), "{seen}");
        assert_eq!(lower.contains("content-type"), !body.is_empty(), "{seen}");
    }
    // The same origin gets all of it.
    let server = Server::plain(to(302, "/again")).await;
    let mut asked = request("GET", &server.url("/"));
    asked.headers.push(Header { name: "Authorization".into(), value: "mine".into() });
    let _ = send(&Http::default(), &local(&["127.0.0.1"], &[server.port]), &asked).await;
    assert!(server.seen().iter().all(|seen| seen.contains("mine")));
}

#[tokio::test]
async fn a_method_that_a_redirect_needs_must_be_granted() {
    let end = Server::plain(ok("")).await;
    let start = Server::plain(to(303, &end.url("/"))).await;
    let mut grants = local(&["127.0.0.1"], &[start.port, end.port]);
    grants.http[0].methods = vec!["POST".to_owned()];
    let refused = send(&Http::default(), &grants, &request("POST", &start.url("/"))).await.unwrap_err();
    assert!(refused.message.contains("GET to 127.0.0.1 was not granted"), "{refused}");
}

#[tokio::test]
async fn what_is_too_large_is_cut_off_where_it_comes_from() {
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    for answer in [
        ok(&"x".repeat(5000)),
        Answer::Endless("HTTP/1.1 200 OK\r\n\r\n".to_owned()),
        Answer::Endless("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_owned()),
        Answer::Whole(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n")),
        Answer::Whole(format!("HTTP/1.1 200 OK\r\nX-Large: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(5000))),
    ] {
        let server = Server::plain(answer).await;
        let grants = local(&["127.0.0.1"], &[server.port]);
        let refused = within(4000, get(&grants, &server.url("/"))).await.unwrap_err();
        assert_eq!(refused.kind, "too-large", "{refused}");
    }
    for head in ["HTTP/1.1 200 OK\r\nX-Endless: ", "HTTP/1.1 200 OK\r\nX"] {
        let server = Server::plain(Answer::Endless(head.to_owned())).await;
        let refused = get(&local(&["127.0.0.1"], &[server.port]), &server.url("/")).await.unwrap_err();
        assert_eq!(refused.kind, "failed", "{refused}");
    }
}

#[tokio::test]
async fn slow_and_silent_servers_are_given_up_in_time() {
    let slow = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n".to_owned();
    for answer in [Answer::Slow(slow), Answer::Silence, Answer::Slow(String::new())] {
        let server = Server::plain(answer).await;
        let mut asked = request("GET", &server.url("/"));
        asked.timeout_ms = Some(300);
        let started = std::time::Instant::now();
        let refused = send(&Http::default(), &local(&["127.0.0.1"], &[server.port]), &asked).await.unwrap_err();
        assert!(["timeout", "failed"].contains(&refused.kind.as_str()), "{refused}");
        // Far less than the 40 s that the slow one needs.
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test]
async fn what_is_no_http_is_a_failure() {
    for answer in ["SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort", ""] {
        let server = Server::plain(Answer::Whole(answer.to_owned())).await;
        let refused = get(&local(&["127.0.0.1"], &[server.port]), &server.url("/")).await.unwrap_err();
        assert_eq!(refused.kind, "failed", "{answer:?}: {refused}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let refused = get(&local(&["127.0.0.1"], &[closed]), &format!("http://127.0.0.1:{closed}/secret")).await.unwrap_err();
    assert_eq!(refused.kind, "unavailable");
    assert!(!refused.message.contains("secret"), "{refused}");
}

/// A certificate for `a.example` of a CA of its own, the CA in a file.
fn certificate(dir: &std::path::Path) -> (TlsAcceptor, std::path::PathBuf) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    let cert = params.self_signed(&key).unwrap();
    let file = dir.join("ca.crt");
    std::fs::write(&file, cert.pem()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), file)
}

#[tokio::test]
async fn tls_trusts_whom_the_grant_names_for_the_name_that_was_asked() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, ca) = certificate(dir.path());
    let server = Server::start(ok("in TLS"), Some(tls)).await;
    let port = server.port;
    let http = names(&[("a.example", &["127.0.0.1"]), ("a.example.", &["127.0.0.1"]), ("b.example", &["127.0.0.1"])]);
    let mut grants = local(&["a.example", "b.example"], &[port]);
    let url = |host: &str| request("GET", &format!("https://{host}:{port}/"));

    let untrusted = send(&http, &grants, &url("a.example")).await.unwrap_err();
    assert!(untrusted.kind == "failed" && untrusted.message.contains("no TLS with https://a.example"), "{untrusted}");
    grants.http[0].ca_file = Some(ca);
    assert_eq!(send(&http, &grants, &url("a.example.")).await.unwrap().body, b"in TLS");
    let other_name = send(&http, &grants, &url("b.example")).await.unwrap_err();
    assert!(other_name.message.contains("no TLS with https://b.example"), "{other_name}");
    grants.http[0].ca_file = Some(dir.path().join("none.crt"));
    assert!(send(&http, &grants, &url("a.example")).await.unwrap_err().message.contains("caFile"));
}

#[tokio::test]
async fn a_redirect_never_leaves_tls() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, ca) = certificate(dir.path());
    let plain = Server::plain(ok("plain")).await;
    let server = Server::start(to(302, &format!("http://a.example:{}/", plain.port)), Some(tls)).await;
    let http = names(&[("a.example", &["127.0.0.1"])]);
    let mut grants = local(&["a.example"], &[server.port, plain.port]);
    grants.http[0].ca_file = Some(ca);
    let asked = request("GET", &format!("https://a.example:{}/", server.port));
    let refused = send(&http, &grants, &asked).await.unwrap_err();
    assert!(refused.kind == "denied" && refused.message.contains("from https:// to http://"), "{refused}");
    assert!(plain.seen().is_empty());
}
