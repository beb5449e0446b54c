//! Plugins: real components of every language, what they may use, and what runner makes of them.

mod authoring;
mod capabilities;
mod capabilities_of_the_node;
mod contract;
mod go_guests;
mod plugin_tests;
mod policy;
mod probes;
mod recordings;
mod reference_plugins;
mod secrets;
mod verdicts;
