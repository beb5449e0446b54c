//! Answers over HTTP: a registry's, and a member's metrics.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use runner::cluster::Cluster as _;
use runner::cluster::etcd::EtcdCluster;
use runner::supply::{Access, Candidate, Digest, Wanted};
use serde_json::json;

use super::mutate::Mutation;
use super::seeds::Seeds;
use super::{Fed, Kind};

/// All kinds.
pub(super) fn kinds(seeds: &Seeds) -> Vec<Kind> {
    let component = seeds.component.clone();
    let (manifest, config) = artifact(&component);
    let good = Artifact { manifest: manifest.clone(), config: config.clone(), component };
    let of_config = good.clone();
    let of_answer = good.clone();
    let answer = http(&manifest);
    vec![
        Kind {
            name: "registry's manifest",
            seeds: vec![manifest],
            feed: Arc::new(move |_: &Path, _: Mutation, bytes: &[u8]| {
                pulled(Artifact { manifest: bytes.to_vec(), ..good.clone() }, None)
            }),
        },
        Kind {
            name: "registry's configuration",
            seeds: vec![config],
            feed: Arc::new(move |_: &Path, _: Mutation, bytes: &[u8]| {
                pulled(Artifact { config: bytes.to_vec(), ..of_config.clone() }, None)
            }),
        },
        Kind {
            name: "registry's answer",
            seeds: vec![answer],
            feed: Arc::new(move |_: &Path, _: Mutation, bytes: &[u8]| pulled(of_answer.clone(), Some(bytes.to_vec()))),
        },
        Kind {
            name: "member's metrics",
            seeds: vec![http(seeds.metrics.as_bytes())],
            feed: Arc::new(|_: &Path, _: Mutation, bytes: &[u8]| {
                let answer = bytes.to_vec();
                let url = serve(move |_| answer.clone());
                let cluster = EtcdCluster::new(None).expect("no files to read");
                Fed {
                    taken: awaited(cluster.metrics(&format!("http://{url}"))).map(drop).map_err(|e| e.to_string()),
                    wrong: None,
                }
            }),
        },
    ]
}

/// A plugin as a registry has it.
#[derive(Clone)]
struct Artifact {
    manifest: Vec<u8>,
    config: Vec<u8>,
    component: Vec<u8>,
}

/// Manifest and configuration of the CNCF Wasm OCI artifact layout.
fn artifact(component: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let layer = Digest::of(component).to_string();
    let config = json!({
        "created": "2026-01-01T00:00:00Z", "architecture": "wasm", "os": "wasip2", "layerDigests": [layer],
        "component": { "exports": [], "imports": [], "target": null },
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.wasm.config.v0+json",
            "digest": Digest::of(&config).to_string(), "size": config.len(),
        },
        "layers": [{ "mediaType": "application/wasm", "digest": layer, "size": component.len() }],
    });
    (manifest.to_string().into_bytes(), config)
}

/// Pulls the artifact; `answer` is what the registry sends, byte for byte, when it is asked for the manifest.
fn pulled(artifact: Artifact, answer: Option<Vec<u8>>) -> Fed {
    let wanted_digest = Digest::of(&artifact.component);
    let of_config = format!("blobs/{}", Digest::of(&artifact.config));
    let host = serve(move |path| match path {
        "/v2/" => http(b"{}"),
        _ if path.contains("/manifests/") => answer.clone().unwrap_or_else(|| http(&artifact.manifest)),
        _ if path.ends_with(&of_config) => http(&artifact.config),
        // A manifest that was hurt may name any digest: it gets the component all the same, or what was meant to be it.
        _ => http(&artifact.component),
    });
    let source = format!("oci://{host}/plugins/steady-sync:1.0").parse().expect("a good reference");
    let wanted = Wanted { access: Access { plain_http: true, ..Access::default() }, ..Wanted::default() };
    let fetched = awaited(Candidate::bytes_of(&source, &wanted, &|_| {}));
    let wrong = fetched.as_ref().ok().filter(|bytes| Digest::of(&bytes.component) != wanted_digest);
    let wrong = wrong.map(|_| "it took a component that is not the one of the manifest".to_owned());
    Fed { taken: fetched.map(drop).map_err(|e| e.to_string()), wrong }
}

fn http(body: &[u8]) -> Vec<u8> {
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Answers requests on a port of its own until a second passes without one, with what is given for the path. Gives host and port.
fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
    let host = listener.local_addr().expect("it is bound").to_string();
    std::thread::spawn(move || {
        // Ends with the process at the latest; a pull makes at most a handful of connections.
        for stream in listener.incoming().flatten().take(8) {
            let _ = one_answer(stream, &answer);
        }
    });
    host
}

fn one_answer(mut stream: TcpStream, answer: &dyn Fn(&str) -> Vec<u8>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    stream.write_all(&answer(path))
}

fn awaited<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(what)
}
