//! Manifests and configurations: the CNCF Wasm OCI artifact layout.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::plugins::{self, Face};
use crate::supply::{Digest, SupplyError};
use crate::text::one_line;

/// The kinds of documents and blobs.
pub(super) const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(super) const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
const WASM_LAYER: &str = "application/wasm";

/// Names a layer's file; `oras pull` writes no layer without it.
const TITLE: &str = "org.opencontainers.image.title";

/// Largest configuration; real ones have a few kilobytes.
const MAX_CONFIG: u64 = 1 << 20;

/// An image manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::supply) struct Manifest {
    schema_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
    config: Descriptor,
    #[serde(default)]
    pub(super) layers: Vec<Descriptor>,
}

/// A blob: what it is, and its digest and size.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::supply) struct Descriptor {
    pub(super) media_type: String,
    pub(in crate::supply) digest: Digest,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// A plugin's configuration in a registry.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WasmConfig {
    created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    architecture: String,
    os: String,
    layer_digests: Vec<String>,
    /// Required where `os` is `wasip2`, which all components have.
    component: Option<WasmComponent>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WasmComponent {
    exports: Vec<String>,
    imports: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

impl Descriptor {
    /// The descriptor of this blob.
    pub(super) fn of(media_type: &str, blob: &[u8]) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(blob),
            size: blob.len() as u64,
            annotations: BTreeMap::new(),
        }
    }
}

impl Manifest {
    /// A manifest of these blobs.
    pub(super) fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self { schema_version: 2, media_type: Some(IMAGE_MANIFEST.to_owned()), config, layers }
    }

    /// The manifest of a plugin: its configuration's descriptor and one layer, named after the plugin.
    pub(super) fn of_plugin(config: &[u8], component: &[u8], name: &str) -> Self {
        let mut layer = Descriptor::of(WASM_LAYER, component);
        layer.annotations.insert(TITLE.to_owned(), format!("{name}.wasm"));
        Self::new(Descriptor::of(WASM_CONFIG, config), vec![layer])
    }

    /// Reads an image manifest.
    ///
    /// # Errors
    ///
    /// It is an index or something else, as a sentence without its stop.
    pub(in crate::supply) fn parse(bytes: &[u8]) -> Result<Self, String> {
        /// What tells the kinds of documents apart.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Kind {
            media_type: Option<String>,
            manifests: Option<serde_json::Value>,
        }
        let kind: Kind = serde_json::from_slice(bytes).map_err(|_| "its manifest is not one".to_owned())?;
        if kind.manifests.is_some() || matches!(kind.media_type.as_deref(), Some(IMAGE_INDEX | DOCKER_INDEX)) {
            return Err("it is an index of several manifests; name one of them by its digest".to_owned());
        }
        if let Some(other) = kind.media_type.filter(|kind| ![IMAGE_MANIFEST, DOCKER_MANIFEST].contains(&kind.as_str())) {
            return Err(format!("its manifest is a {}", one_line(&other, 100)));
        }
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|e| format!("its manifest cannot be read: {}", one_line(&e.to_string(), 200)))?;
        match manifest.schema_version {
            2 => Ok(manifest),
            other => Err(format!("its manifest is of schema version {other}")),
        }
    }

    /// The manifest as it is sent.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The one layer that is the component.
    ///
    /// # Errors
    ///
    /// Why this manifest is no plugin's, as a sentence without its stop.
    pub(in crate::supply) fn plugin(&self) -> Result<&Descriptor, String> {
        let kind = one_line(&self.config.media_type, 100);
        if kind != WASM_CONFIG {
            return Err(format!("its configuration is a {kind}, not {WASM_CONFIG}"));
        }
        let layer = match self.layers.as_slice() {
            [layer] => layer,
            layers => return Err(format!("it has {} layers, and a plugin has one", layers.len())),
        };
        if layer.media_type != WASM_LAYER {
            return Err(format!("its layer is a {}, not {WASM_LAYER}", one_line(&layer.media_type, 100)));
        }
        Ok(layer)
    }

    /// The configuration's descriptor and the component's, with sizes that can be.
    pub(super) fn blobs(&self, what: &str) -> Result<(&Descriptor, &Descriptor), SupplyError> {
        let layer = self.plugin().map_err(|why| SupplyError::NotAPlugin { what: what.to_owned(), why })?;
        for (blob, part, limit) in [(&self.config, "configuration", MAX_CONFIG), (layer, "component", plugins::MAX_SIZE)] {
            if blob.size > limit {
                return Err(SupplyError::TooLarge { what: format!("the {part} of {what}"), size: blob.size, limit });
            }
        }
        Ok((&self.config, layer))
    }
}

impl WasmConfig {
    /// The configuration of a component. `created` is a time in RFC 3339.
    pub(super) fn of(face: &Face, component: &Digest, created: String) -> Self {
        Self {
            created,
            author: None,
            architecture: "wasm".to_owned(),
            os: "wasip2".to_owned(),
            layer_digests: vec![component.to_string()],
            component: Some(WasmComponent { exports: face.exports.clone(), imports: face.imports.clone(), target: None }),
        }
    }

    /// The configuration as it is sent.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Fails unless this is the configuration of that component. What it says of imports is not believed: the component is looked
    /// at itself.
    pub(super) fn check(bytes: &[u8], component: &Digest) -> Result<(), String> {
        let config: Self = serde_json::from_slice(bytes)
            .map_err(|e| format!("its configuration cannot be read: {}", one_line(&e.to_string(), 200)))?;
        if config.architecture != "wasm" {
            return Err(format!("it is for the architecture {:?}", one_line(&config.architecture, 40)));
        }
        if config.layer_digests != [component.to_string()] {
            return Err("its configuration is of another component".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn face() -> Face {
        Face {
            contract: Some("0.1.1".into()),
            imports: vec!["runner:plugin/facts@0.1.1".into()],
            exports: vec!["runner:plugin/promotion@0.1.1".into()],
        }
    }

    /// The manifest that a registry has of this component.
    pub(in crate::supply) fn manifest_of(component: &[u8]) -> String {
        let config = WasmConfig::of(&face(), &Digest::of(component), "2024-09-25T12:00:00Z".into()).to_bytes();
        String::from_utf8(Manifest::of_plugin(&config, component, "a").to_bytes()).unwrap()
    }

    #[test]
    fn the_layout_is_the_published_one() {
        let config = WasmConfig::of(&face(), &Digest::of(b"x"), "2024-09-25T12:00:00Z".into()).to_bytes();
        insta::assert_snapshot!(String::from_utf8(config.clone()).unwrap(), @r#"{"created":"2024-09-25T12:00:00Z","architecture":"wasm","os":"wasip2","layerDigests":["sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"],"component":{"exports":["runner:plugin/promotion@0.1.1"],"imports":["runner:plugin/facts@0.1.1"]}}"#);
        insta::assert_snapshot!(manifest_of(b"x"), @r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.wasm.config.v0+json","digest":"sha256:1a33d2c3ab2f2e02af0e97c4193cb1eb3ad0c390f989b88450c20beb6e55ca64","size":259},"layers":[{"mediaType":"application/wasm","digest":"sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881","size":1,"annotations":{"org.opencontainers.image.title":"a.wasm"}}]}"#);
        WasmConfig::check(&config, &Digest::of(b"x")).unwrap();
        assert!(WasmConfig::check(&config, &Digest::of(b"y")).unwrap_err().contains("another component"));
        assert!(WasmConfig::check(b"{}", &Digest::of(b"x")).unwrap_err().contains("missing field"));
    }

    #[test]
    fn what_is_no_plugin_says_what_it_is() {
        let good = manifest_of(b"x");
        let why = |text: &str| Manifest::parse(text.as_bytes()).and_then(|m| m.plugin().cloned()).unwrap_err();
        assert!(why("nonsense").contains("is not one"));
        assert!(why(&good.replace(IMAGE_MANIFEST, IMAGE_INDEX)).contains("an index"));
        assert!(why(r#"{"schemaVersion":2,"manifests":[]}"#).contains("an index"));
        assert!(why(&good.replace(WASM_CONFIG, IMAGE_CONFIG)).contains("not application/vnd.wasm.config.v0+json"));
        assert!(why(&good.replace(WASM_LAYER, "application/x-tar")).contains("its layer is a application/x-tar"));
        assert!(why(&good.replace("\"schemaVersion\":2", "\"schemaVersion\":1")).contains("schema version 1"));
        let mut two = Manifest::parse(good.as_bytes()).unwrap();
        two.layers.push(two.layers[0].clone());
        assert!(two.plugin().unwrap_err().contains("2 layers"));
        two.layers.truncate(1);
        two.layers[0].size = plugins::MAX_SIZE + 1;
        assert!(two.blobs("oci://r/a").unwrap_err().to_string().contains("the component of oci://r/a is 128.0 MiB"));
    }
}
