//! The manifest of a component in a registry: what is read of somebody else's, and how ours are written.
//!
//! The shape is that of the OCI image specification 1.1 with the media types of the CNCF's *Wasm OCI artifact layout*, as `wkg` writes it:
//! one layer, the component itself. The configuration blob is not interpreted: what a component is, its own bytes say.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Component, MAX_COMPONENT, digest};
use crate::config::is_digest;

/// Largest manifest and largest configuration blob. The specification lets registries refuse more than 4 MiB; one component needs a kilobyte.
pub(super) const MAX_MANIFEST: u64 = 1 << 20;
/// OCI's own media type of a manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The older one, which some registries turn manifests into.
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Lists of manifests, one for each platform.
const INDEXES: [&str; 2] = ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];
/// Every type that is asked for: an index too, so that it can be refused in words.
pub(super) const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, \
                                   application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

/// Why a manifest names no component that this host would take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON of that shape.
    #[error("its manifest can't be read: {0}")]
    Unreadable(String),
    /// An index.
    #[error("it is an index of several manifests, not one component; name the manifest that is meant by its digest")]
    Index,
    /// Some other type.
    #[error("its manifest is of type {0}, and a component's is {MANIFEST}")]
    Type(String),
    /// Header and body differ: other programs would take the same bytes for something else.
    #[error("the registry calls its manifest {header}, and the manifest itself says {body}")]
    TwoTypes {
        /// `Content-Type`.
        header: String,
        /// `mediaType`.
        body: String,
    },
    /// More or fewer layers than one.
    #[error("it has {0} layers, and a component is exactly one")]
    Layers(usize),
    /// Not a component.
    #[error("its layer is of type {0}, and a component's is {LAYER}, uncompressed; is it an image?")]
    Layer(String),
    /// The bytes are to be fetched from somewhere else.
    #[error("its layer is to be fetched from addresses that the manifest names (urls), which this host does not do")]
    Foreign,
    /// Not sha256.
    #[error("it names its {0} by something else than a sha256 digest")]
    Digest(&'static str),
    /// Too large.
    #[error("its {what} is said to have {size} bytes, and may have {most}")]
    TooLarge {
        /// Layer or configuration.
        what: &'static str,
        /// As the manifest says.
        size: u64,
        /// Bound.
        most: u64,
    },
}

/// Where bytes are and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob {
    pub(super) media_type: String,
    pub(super) digest: String,
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    urls: Vec<String>,
}

/// What is read of a manifest. Annotations are nobody's business here: nothing is named or placed by them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The configuration blob.
    pub(super) config: Blob,
    /// The component.
    pub(super) layer: Blob,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    schema_version: u64,
    media_type: Option<String>,
    config: Option<Blob>,
    layers: Option<Vec<Blob>>,
    manifests: Option<serde::de::IgnoredAny>,
}

impl Manifest {
    /// Reads a manifest; `header` is what its registry calls it.
    pub(super) fn read(bytes: &[u8], header: Option<&str>) -> Result<Manifest, ManifestError> {
        let read: Read = serde_json::from_slice(bytes).map_err(|error| ManifestError::Unreadable(error.to_string()))?;
        // Without parameters such as a charset.
        let header = header.and_then(|header| header.split(';').next()).map(str::trim).filter(|header| *header != "application/json");
        let media_type = match (header, read.media_type.as_deref()) {
            (Some(header), Some(body)) if header != body => {
                return Err(ManifestError::TwoTypes { header: header.to_owned(), body: body.to_owned() });
            }
            (header, body) => body.or(header),
        };
        if read.manifests.is_some() || media_type.is_some_and(|media_type| INDEXES.contains(&media_type)) {
            return Err(ManifestError::Index);
        }
        if let Some(other) = media_type.filter(|media_type| ![MANIFEST, DOCKER_MANIFEST].contains(media_type)) {
            return Err(ManifestError::Type(other.to_owned()));
        }
        if read.schema_version != 2 {
            return Err(ManifestError::Unreadable(format!("its schema version is {}, and 2 is known", read.schema_version)));
        }
        let layers = read.layers.unwrap_or_default();
        let [layer] = &layers[..] else { return Err(ManifestError::Layers(layers.len())) };
        if layer.media_type != LAYER {
            return Err(ManifestError::Layer(layer.media_type.clone()));
        }
        let config = read.config.ok_or_else(|| ManifestError::Unreadable("it names no configuration".to_owned()))?;
        for (what, blob, most) in [("layer", layer, MAX_COMPONENT), ("configuration", &config, MAX_MANIFEST)] {
            if !blob.urls.is_empty() {
                return Err(ManifestError::Foreign);
            }
            if !is_digest(&blob.digest) {
                return Err(ManifestError::Digest(what));
            }
            if blob.size > most {
                return Err(ManifestError::TooLarge { what, size: blob.size, most });
            }
        }
        Ok(Manifest { config, layer: layer.clone() })
    }
}

/// A component as a registry keeps it: three pieces, each with its digest.
#[derive(Debug)]
pub(super) struct Artifact {
    /// The manifest's bytes.
    pub(super) manifest: Vec<u8>,
    /// Its digest: what `@sha256:…` in a reference names.
    pub(super) digest: String,
    /// The configuration blob.
    pub(super) config: Vec<u8>,
    /// The component.
    pub(super) component: Component,
}

impl Artifact {
    /// Writes a component's manifest and configuration. The same component always gives the same bytes, so that pushing it again changes no digest.
    pub(super) fn of(component: Component) -> Artifact {
        let inspection = &component.inspection;
        let config = json!({
            // `wkg` wants a time here; the moment of the push would make every push another artifact.
            "created": "1970-01-01T00:00:00Z",
            "author": null,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [component.digest],
            "component": { "exports": inspection.exports, "imports": inspection.imports, "target": null },
        })
        .to_string()
        .into_bytes();
        let descriptor = inspection.descriptor.as_ref();
        let name = descriptor.map_or("component", |descriptor| descriptor.name.as_str());
        let mut annotations = serde_json::Map::new();
        if let Some(descriptor) = descriptor {
            annotations.insert("org.opencontainers.image.title".to_owned(), Value::from(descriptor.title.as_str()));
            annotations.insert("org.opencontainers.image.version".to_owned(), Value::from(descriptor.version.as_str()));
        }
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": { "mediaType": CONFIG, "digest": digest(&config), "size": config.len() },
            "layers": [{
                "mediaType": LAYER,
                "digest": component.digest,
                "size": component.bytes.len(),
                // Without a file name `oras pull` writes nothing.
                "annotations": { "org.opencontainers.image.title": format!("{name}.wasm") },
            }],
            "annotations": annotations,
        })
        .to_string()
        .into_bytes();
        Artifact { digest: digest(&manifest), manifest, config, component }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(media_type: &str, size: u64) -> Value {
        json!({ "mediaType": media_type, "digest": format!("sha256:{}", "0".repeat(64)), "size": size })
    }

    fn read(change: impl FnOnce(&mut Value), header: Option<&str>) -> Result<Manifest, ManifestError> {
        let mut manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": blob(CONFIG, 2), "layers": [blob(LAYER, 8)] });
        change(&mut manifest);
        Manifest::read(manifest.to_string().as_bytes(), header)
    }

    #[test]
    fn one_uncompressed_component_is_taken_under_both_manifest_types() {
        for header in [None, Some(MANIFEST), Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"), Some("application/json")] {
            assert_eq!(read(|_| {}, header).map(|manifest| manifest.layer.size), Ok(8), "{header:?}");
        }
        let docker = |manifest: &mut Value| manifest["mediaType"] = DOCKER_MANIFEST.into();
        assert!(read(docker, Some(DOCKER_MANIFEST)).is_ok());
        assert!(read(|manifest| drop(manifest.as_object_mut().map(|m| m.remove("mediaType"))), Some(DOCKER_MANIFEST)).is_ok());
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        use ManifestError as E;
        type Lie = Box<dyn FnOnce(&mut Value)>;
        let size = MAX_COMPONENT + 1;
        let cases: Vec<(Lie, E)> = vec![
            (Box::new(|m| m["manifests"] = json!([])), E::Index),
            (Box::new(|m| m["layers"] = json!([])), E::Layers(0)),
            (Box::new(|m| m["layers"] = json!([blob(LAYER, 1), blob(LAYER, 1)])), E::Layers(2)),
            (Box::new(|m| m["layers"][0]["mediaType"] = "application/wasm+gzip".into()), E::Layer("application/wasm+gzip".to_owned())),
            (Box::new(|m| m["layers"][0]["urls"] = json!(["http://169.254.169.254/"])), E::Foreign),
            (Box::new(|m| m["layers"][0]["digest"] = "sha256:../../../etc/passwd".into()), E::Digest("layer")),
            (Box::new(|m| m["config"]["digest"] = "md5:0".into()), E::Digest("configuration")),
            (Box::new(move |m| m["layers"][0]["size"] = size.into()), E::TooLarge { what: "layer", size, most: MAX_COMPONENT }),
        ];
        for (change, expected) in cases {
            assert_eq!(read(change, None), Err(expected));
        }
        assert!(matches!(read(|_| {}, Some(INDEXES[0])), Err(E::TwoTypes { .. })));
        assert!(matches!(read(|m| m["schemaVersion"] = 1.into(), None), Err(E::Unreadable(_))));
        assert!(matches!(read(|m| m["layers"][0]["size"] = json!(-1), None), Err(E::Unreadable(_))));
        assert!(matches!(Manifest::read(&b"[".repeat(100_000), None), Err(E::Unreadable(_))));
    }
}
