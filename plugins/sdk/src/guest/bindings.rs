//! What `wit-bindgen` generates: one module for each world of `wit/roles.wit`.
//!
//! A world for each exported interface, because each world's type is linked into a component by that world's own `export!`
//! alone (that is what `pub_export_macro` is for): a role that a plugin does not name is not in its component.

// Generated: the component's ABI is made of raw pointers, and its items have no documentation of their own.
#![allow(unsafe_code, missing_docs, missing_debug_implementations, unreachable_pub)]

pub mod facts {
    wit_bindgen::generate!({ path: ["../../wit", "wit"], world: "runner:sdk/facts", generate_all });
}

pub mod capabilities {
    wit_bindgen::generate!({ path: ["../../wit", "wit"], world: "runner:sdk/capabilities", generate_all });
}

pub mod configuration {
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "runner:sdk/configuration",
        pub_export_macro: true,
        default_bindings_module: "runner_plugin::guest::configuration",
    });
}

pub mod health_check {
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "runner:sdk/health-check",
        with: { "runner:plugin/facts@0.1.1": crate::guest::bindings::facts::runner::plugin::facts },
        pub_export_macro: true,
        default_bindings_module: "runner_plugin::guest::health_check",
    });
}

pub mod promotion {
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "runner:sdk/promotion",
        with: { "runner:plugin/facts@0.1.1": crate::guest::bindings::facts::runner::plugin::facts },
        pub_export_macro: true,
        default_bindings_module: "runner_plugin::guest::promotion",
    });
}

pub mod notifier {
    wit_bindgen::generate!({
        path: ["../../wit", "wit"],
        world: "runner:sdk/notifier",
        pub_export_macro: true,
        default_bindings_module: "runner_plugin::guest::notifier",
    });
}
