use super::*;

fn grant(json: &str) -> HttpGrant {
    serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"))
}

fn ask(grants: &[HttpGrant], method: &str, url: &str) -> Result<(), String> {
    let request = HttpRequest {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        timeout_ms: None,
    };
    permit(grants, &request).map_err(|refused| refused.to_string())
}

#[test]
fn what_is_granted_is_permitted() {
    let grants = [
        grant(r#"{"hosts": ["api.example.com", "*.hooks.example.com"]}"#),
        grant(
            r#"{"hosts": ["10.0.0.1"], "methods": ["POST"], "ports": [8080], "plain": true, "privateNetworks": ["10.0.0.0/8"]}"#,
        ),
    ];
    for (method, url) in [
        ("GET", "https://api.example.com/x?y=z"),
        ("GET", "https://API.example.com.:443/"),
        ("GET", "https://a.hooks.example.com"),
        ("POST", "http://10.0.0.1:8080/"),
    ] {
        assert_eq!(ask(&grants, method, url), Ok(()), "{method} {url}");
    }
}

#[test]
fn what_is_missing_is_said() {
    let grants = [grant(r#"{"hosts": ["api.example.com"], "ports": [443, 80]}"#)];
    for (method, url, said) in [
        ("GET", "https://other.example.com/token", "denied: the host other.example.com was not granted"),
        ("GET", "https://api.example.com:8443/", "denied: port 8443 of api.example.com was not granted"),
        ("GET", "http://api.example.com/", "denied: plain http:// to api.example.com was not granted"),
        ("DELETE", "https://api.example.com/", "denied: DELETE to api.example.com was not granted"),
    ] {
        assert_eq!(ask(&grants, method, url).unwrap_err(), said);
    }
    assert!(ask(&grants, "get", "https://api.example.com/").unwrap_err().starts_with("invalid"));
    assert!(ask(&grants, "CONNECT", "https://api.example.com/").unwrap_err().starts_with("invalid"));
}

#[test]
fn tricks_with_urls_are_refused() {
    let grants = [grant(r#"{"hosts": ["good.example"], "ports": [443, 80], "plain": true}"#)];
    for url in [
        "https://good.example@evil.example/",
        "https://good.example:pw@evil.example/",
        "https://@good.example/",
        "https://evil.example\\@good.example/",
        "https://good.example\\.evil.example/",
        "https://good.example\u{0}.evil.example/",
        "https://good.ex\tample/",
        " https://good.example/",
        "https://evil.example#@good.example/",
        "https://evil.example?good.example",
        "https://good.example.evil.example/",
        "ftp://good.example/",
        "file:///etc/passwd",
        "good.example/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:7f00:1]/",
        "http://①②⑦.⓪.⓪.①/",
    ] {
        assert!(ask(&grants, "GET", url).is_err(), "{url:?}");
    }
}

#[test]
fn a_granted_address_is_not_a_granted_network() {
    let alone = [grant(r#"{"hosts": ["127.0.0.1", "169.254.169.254"], "plain": true, "ports": [80]}"#)];
    assert!(ask(&alone, "GET", "http://127.0.0.1/").unwrap_err().contains("127.0.0.1 is a loopback address"));
    assert!(ask(&alone, "GET", "http://0x7f000001/").unwrap_err().contains("a loopback address"));
    let broad = [HttpGrant { private_networks: vec!["0.0.0.0/0".parse().unwrap()], ..alone[0].clone() }];
    assert_eq!(ask(&broad, "GET", "http://127.0.0.1/"), Ok(()));
    assert!(ask(&broad, "GET", "http://169.254.169.254/").unwrap_err().contains("metadata"));
}

#[test]
fn two_grants_do_not_make_a_third() {
    let grants = [
        grant(r#"{"hosts": ["a.example"], "methods": ["POST"]}"#),
        grant(r#"{"hosts": ["a.example"], "ports": [8443]}"#),
        grant(r#"{"hosts": ["b.example"], "methods": ["DELETE"]}"#),
    ];
    assert_eq!(ask(&grants, "POST", "https://a.example/"), Ok(()));
    assert_eq!(ask(&grants, "GET", "https://a.example:8443/"), Ok(()));
    assert!(ask(&grants, "POST", "https://a.example:8443/").is_err());
    assert!(ask(&grants, "DELETE", "https://a.example/").is_err());
}

#[test]
fn bad_grants_are_refused_when_they_are_read() {
    for bad in [
        r#"{"hosts": []}"#,
        r#"{"hosts": ["https://a"]}"#,
        r#"{"hosts": ["*"]}"#,
        r#"{"hosts": ["a"], "methods": ["get"]}"#,
        r#"{"hosts": ["a"], "methods": ["CONNECT"]}"#,
        r#"{"hosts": ["a"], "ports": [0]}"#,
        r#"{"hosts": ["a"], "privateNetworks": ["10.0.0.0/33"]}"#,
        r#"{"hosts": ["a"], "host": "b"}"#,
    ] {
        assert!(serde_json::from_str::<HttpGrant>(bad).is_err(), "{bad}");
    }
}

#[test]
fn headers_that_would_reach_somebody_else_are_refused() {
    let grants = [grant(r#"{"hosts": ["a.example"]}"#)];
    let with = |name: &str, value: &str| {
        let headers = vec![Header { name: name.to_owned(), value: value.to_owned() }];
        let url = "https://a.example/".to_owned();
        permit(&grants, &HttpRequest { method: "GET".to_owned(), url, headers, body: Vec::new(), timeout_ms: None })
    };
    assert!(with("Authorization", "Bearer x").is_ok());
    for (name, value) in [
        ("Host", "evil.example"),
        ("transfer-encoding", "chunked"),
        ("Content-Length", "0"),
        ("Connection", "upgrade"),
        ("Proxy-Authorization", "x"),
        ("X", "a\r\nHost: evil"),
        ("X\r\nHost", "evil"),
        ("", "x"),
    ] {
        assert_eq!(with(name, value).unwrap_err().kind, "invalid", "{name:?}");
    }
}
