//! `acme-join`: what Acme Linux ships in the place of `runner`.
//!
//! The whole command line under Acme's name, with Acme's profile and the plugin that it makes mandatory inside: nothing on the node
//! can be left away or exchanged by mistake. `version-window.wasm` is the reference plugin of runner 0.1.0, checked in as a vendor
//! would check in theirs; `runner plugin build` makes such a file.

use std::process::ExitCode;

use runner::Distribution;

const PROFILE: &str = include_str!("../profile.toml");
static VERSION_WINDOW: &[u8] = include_bytes!("../version-window.wasm");

fn main() -> ExitCode {
    Distribution::new("acme-join", "1.2.0").profile(PROFILE).plugin("version-window", VERSION_WINDOW).main()
}
