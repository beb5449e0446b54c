//! A notifier that asks the world for what its settings name, in this order, and says every answer again: in its log, to a webhook,
//! and at last as an error.
//!
//! | setting | default | meaning |
//! | --- | --- | --- |
//! | `ask` | none | any of `random`, `memory`, `secret` (the one named `hook`), `http` (a POST to where the secret says) and `flood` (`memory`, without end) |
//! | `fail` | `false` | whether it ends with an error |

use runner_plugin::prelude::*;
use runner_plugin::{http, probes, random, secrets};
use serde::Deserialize;

/// The notifier and its settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Asker {
    ask: Vec<Wish>,
    fail: bool,
}

/// Something to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Wish {
    Random,
    Memory,
    Secret,
    Http,
    Flood,
}

impl Plugin for Asker {}

impl Notifier for Asker {
    fn notify(&self, _: &[Event]) -> Result<()> {
        let (mut said, mut hook) = (Vec::new(), String::new());
        for wish in &self.ask {
            said.push(match wish {
                Wish::Random => format!("a random number: {}", random::number()),
                Wish::Memory => format!("memory: {} bytes", probes::memory()?.total),
                Wish::Flood => loop {
                    let _ = std::hint::black_box(probes::memory());
                },
                Wish::Secret => {
                    hook = secrets::get("hook")?.reveal();
                    format!("the hook is {hook}")
                }
                Wish::Http => {
                    let response = http::post(&*hook).json(&said).send()?.expect_success()?;
                    format!("{hook} answered {}", response.text())
                }
            });
        }
        said.iter().for_each(log::info);
        if self.fail { Err(Error::new(said.join("; "))) } else { Ok(()) }
    }
}

runner_plugin::export!(Asker: Notifier);
