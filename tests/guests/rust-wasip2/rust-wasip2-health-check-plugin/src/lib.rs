//! A health check built for `wasm32-wasip2`, the target that Rust users take out of habit.
//!
//! It uses the standard library as if it had a machine of its own, and reports what it saw as findings. In runner's empty WASI
//! world it finds no file, no environment and no network; time and randomness come from the host, and what it prints belongs
//! in the plugin's log.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::TcpStream;
use std::time::SystemTime;

use bindings::exports::runner::plugin::configuration::{self, Problem};
use bindings::exports::runner::plugin::health_check::{self, Cluster, Finding, Newcomer, Severity};

mod bindings {
    wit_bindgen::generate!({ path: "../../../../wit", world: "health-check-plugin", generate_all });
}

struct Wasip2;

impl configuration::Guest for Wasip2 {
    fn validate(settings: String) -> Vec<Problem> {
        match settings.trim() {
            "{}" => vec![],
            _ => vec![Problem { path: String::new(), message: "this plugin has no settings".to_owned() }],
        }
    }
}

impl health_check::Guest for Wasip2 {
    fn check(cluster: Cluster, newcomer: Newcomer) -> Result<Vec<Finding>, String> {
        println!("{} wants to join {} members", newcomer.name(), cluster.members().len());
        eprintln!("this goes to standard error");
        Ok(vec![
            saw("wasi-files", file()),
            saw("wasi-environment", format!("{} environment variables", std::env::vars().count())),
            saw("wasi-network", network()),
            saw("wasi-time", time(cluster.observed_at_ms())),
            saw("wasi-random", random()),
        ])
    }
}

fn saw(code: &str, message: String) -> Finding {
    Finding { severity: Severity::Info, code: code.to_owned(), message, remedy: None, member: None }
}

fn file() -> String {
    match std::fs::read("/etc/hostname") {
        Ok(bytes) => format!("read {} bytes of /etc/hostname", bytes.len()),
        Err(error) => format!("no file: {:?}", error.kind()),
    }
}

fn network() -> String {
    match TcpStream::connect(("127.0.0.1", 2379)) {
        Ok(_) => "connected to 127.0.0.1:2379".to_owned(),
        Err(error) => format!("no network: {:?}", error.kind()),
    }
}

/// Whether the host's wall clock agrees with the time of the observation to within a minute.
fn time(observed_ms: u64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
    match now.abs_diff(observed_ms) {
        0..60_000 => "the clock agrees with the observation".to_owned(),
        _ => format!("the clock says {now} ms, the observation {observed_ms} ms"),
    }
}

/// What a hash map would be keyed with: another number in every instance, where randomness comes from the host.
fn random() -> String {
    format!("random number {:x}", RandomState::new().hash_one(1))
}

bindings::export!(Wasip2 with_types_in bindings);
