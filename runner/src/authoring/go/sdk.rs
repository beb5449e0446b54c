//! The Go SDK, `plugins/sdk-go`, as this program carries it: without its own tests.

use crate::authoring::files::Carried;

macro_rules! carried {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("../../../../plugins/sdk-go/", $path)))),*]
    };
}

/// Paths and texts.
pub(super) const FILES: [Carried; 73] = carried![
    "answers.go",
    "doc.go",
    "etcd/etcd.go",
    "etcd/etcd_native.go",
    "etcd/etcd_wasm.go",
    "export/configuration/doc.go",
    "export/configuration/export.go",
    "export/healthcheck/doc.go",
    "export/healthcheck/export.go",
    "export/notifier/doc.go",
    "export/notifier/export.go",
    "export/promotion/doc.go",
    "export/promotion/export.go",
    "export/started/doc.go",
    "export/started/started.go",
    "facts.go",
    "facts_wasm.go",
    "failure.go",
    "go.mod",
    "host_native.go",
    "host_wasm.go",
    "http/http.go",
    "http/http_native.go",
    "http/http_wasm.go",
    "internal/decode/decode.go",
    "internal/failure/failure.go",
    "internal/hook/hook.go",
    "internal/host/host.go",
    "internal/registry/registry.go",
    "internal/roles/configuration/role.go",
    "internal/roles/healthcheck/role.go",
    "internal/roles/notifier/role.go",
    "internal/roles/promotion/role.go",
    "internal/runtime/runtime.go",
    "internal/source/source.go",
    "internal/types/types.go",
    "internal/wit/exports/configuration/wit_exports.go",
    "internal/wit/exports/healthcheck/wit_exports.go",
    "internal/wit/exports/notifier/wit_exports.go",
    "internal/wit/exports/promotion/wit_exports.go",
    "internal/wit/runner_plugin_clock/wit_bindings.go",
    "internal/wit/runner_plugin_configuration/wit_bindings.go",
    "internal/wit/runner_plugin_etcd/wit_bindings.go",
    "internal/wit/runner_plugin_facts/wit_bindings.go",
    "internal/wit/runner_plugin_failures/wit_bindings.go",
    "internal/wit/runner_plugin_health_check/wit_bindings.go",
    "internal/wit/runner_plugin_http/wit_bindings.go",
    "internal/wit/runner_plugin_kubernetes/wit_bindings.go",
    "internal/wit/runner_plugin_logging/wit_bindings.go",
    "internal/wit/runner_plugin_notifier/wit_bindings.go",
    "internal/wit/runner_plugin_probes/wit_bindings.go",
    "internal/wit/runner_plugin_promotion/wit_bindings.go",
    "internal/wit/runner_plugin_random/wit_bindings.go",
    "internal/wit/runner_plugin_secrets/wit_bindings.go",
    "internal/wit/runner_plugin_settings/wit_bindings.go",
    "kubernetes/kubernetes.go",
    "kubernetes/kubernetes_native.go",
    "kubernetes/kubernetes_wasm.go",
    "log.go",
    "plugintest/plugintest.go",
    "probes/probes.go",
    "probes/probes_native.go",
    "probes/probes_wasm.go",
    "random/random.go",
    "random/random_native.go",
    "random/random_wasm.go",
    "register.go",
    "register_native.go",
    "register_wasm.go",
    "secrets/secrets.go",
    "secrets/secrets_native.go",
    "secrets/secrets_wasm.go",
    "settings.go",
];

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }

    #[test]
    fn the_whole_sdk_is_carried() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/sdk-go");
        let relative = |path: PathBuf| path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
        let mut there: Vec<String> =
            sources(&folder).into_iter().map(relative).filter(|f| !f.ends_with("_test.go")).collect();
        there.sort();
        let mut carried: Vec<String> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        carried.sort();
        assert_eq!(carried, there);
    }
}
