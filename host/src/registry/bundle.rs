//! Components in one file, for machines without a network: an OCI image layout 1.1 in a tar, which `oras` and `skopeo` read too.
//!
//! A bundle comes from anywhere. Nothing in it is unpacked by name: only the few names of a layout are taken, everything is read with a bound and
//! compared with its digest, and what is kept goes under its digest into the cache, once all of it has been looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read, Write as _};
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::manifest::{Artifact, MANIFEST, MAX_MANIFEST, Manifest, ManifestError};
use super::{Component, ComponentError, MAX_COMPONENT, Sources, digest};
use crate::config::is_digest;

/// Most files in a bundle: three for each of a few hundred components.
const MOST_FILES: usize = 2048;
/// Most bytes of a bundle.
const MOST_BYTES: u64 = 8 << 30;
/// Most bytes of manifests and configurations, which are read into memory together.
const MOST_SMALL: u64 = 64 << 20;
const LAYOUT: &str = "oci-layout";
const INDEX: &str = "index.json";
const BLOBS: &str = "blobs/sha256/";
/// The reviewed permissions that belong to the components.
const LOCK: &str = "sangam.lock";
/// Annotations of the index: what a component was referred to as (image specification), and whose it was.
const REF_NAME: &str = "org.opencontainers.image.ref.name";
const PLUGIN: &str = "sangam.plugin";

/// Why a bundle is not taken, or can't be made. Nothing has been kept then.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file can't be read.
    #[error("can't read the bundle")]
    Read(#[source] std::io::Error),
    /// The file can't be written.
    #[error("can't write {0}")]
    Write(String, #[source] std::io::Error),
    /// gzip, zstd.
    #[error(
        "the bundle is compressed, which bundles are not: a small file could become an endless one; unpack it first, such as with gunzip"
    )]
    Compressed,
    /// Something that has no place there.
    #[error("the bundle holds {name:?}, {why}")]
    Entry {
        /// As it says.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More than may be.
    #[error("the bundle holds more than it may: {0}")]
    TooMuch(String),
    /// Cut short.
    #[error("the bundle ends within {0:?}")]
    CutShort(String),
    /// Not what its name says.
    #[error("the bundle's {name} has the digest {actual}")]
    OtherBytes {
        /// Which file.
        name: String,
        /// Of its bytes.
        actual: String,
    },
    /// A piece is missing.
    #[error("the bundle lacks {0}")]
    Lacks(String),
    /// Not the layout.
    #[error("the bundle is no OCI image layout: {0}")]
    Layout(String),
    /// A manifest that names no component.
    #[error("manifest {0} of the bundle")]
    Manifest(String, #[source] ManifestError),
    /// Bytes that are no plugin.
    #[error("component {0} of the bundle")]
    Component(String, #[source] Box<ComponentError>),
    /// The cache can't be written.
    #[error("can't write to {folder}, where components are kept")]
    Cache {
        /// Which folder.
        folder: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// A component to be put into a bundle.
#[derive(Debug)]
pub struct Packed {
    /// Of which plugin, as `NAME` or `NAME/canary`.
    pub plugin: String,
    /// What the configuration calls it.
    pub source: String,
    pub(super) artifact: Artifact,
}

impl Packed {
    /// The component's digest.
    pub fn digest(&self) -> &str {
        &self.artifact.component.digest
    }
}

/// What a bundle holds, all of it verified.
#[derive(Debug)]
pub struct Bundle {
    /// Its components, in the order of its index.
    pub components: Vec<Held>,
    /// The lock that came with them.
    pub lock: Option<Vec<u8>>,
    /// Digests of the pieces to keep.
    pieces: BTreeSet<String>,
}

/// One component of a bundle. Texts are the bundle's: data, to be shown escaped.
#[derive(Debug)]
pub struct Held {
    /// Of which plugin it was where the bundle was made.
    pub plugin: String,
    /// What it was referred to as there.
    pub source: String,
    /// Its manifest's digest.
    pub manifest_digest: String,
    /// Its own.
    pub digest: String,
    /// What it is: read off its bytes.
    pub inspection: std::sync::Arc<super::Inspection>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u64,
    manifests: Vec<IndexEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IndexEntry {
    media_type: String,
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Writes a bundle: whole, or not at all. The same components give the same bytes.
///
/// # Errors
/// When it can't be written.
pub fn create(path: &Path, components: &[Packed], lock: Option<&[u8]>) -> Result<(), BundleError> {
    let failed = |error| BundleError::Write(path.display().to_string(), error);
    let index: Vec<_> = components
        .iter()
        .map(|packed| {
            let artifact = &packed.artifact;
            json!({
                "mediaType": MANIFEST,
                "digest": artifact.digest,
                "size": artifact.manifest.len(),
                "annotations": { REF_NAME: packed.source, PLUGIN: packed.plugin },
            })
        })
        .collect();
    let index = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": index }).to_string();
    let mut blobs = BTreeMap::new();
    for Packed { artifact, .. } in components {
        blobs.insert(artifact.digest.clone(), artifact.manifest.as_slice());
        blobs.insert(digest(&artifact.config), artifact.config.as_slice());
        blobs.insert(artifact.component.digest.clone(), artifact.component.bytes.as_slice());
    }
    let part = path.with_added_extension(format!("part-{}", uuid::Uuid::new_v4()));
    let write = || -> std::io::Result<()> {
        let mut tar = tar::Builder::new(File::create_new(&part)?);
        append(&mut tar, LAYOUT, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        append(&mut tar, INDEX, index.as_bytes())?;
        if let Some(lock) = lock {
            append(&mut tar, LOCK, lock)?;
        }
        for (digest, bytes) in &blobs {
            append(&mut tar, &format!("{BLOBS}{}", digest.trim_start_matches("sha256:")), bytes)?;
        }
        let mut file = tar.into_inner()?;
        file.flush()?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    };
    write().inspect_err(|_| drop(std::fs::remove_file(&part))).map_err(failed)
}

fn append(tar: &mut tar::Builder<File>, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    // No time, no user: the same components give the same file.
    header.set_mtime(0);
    tar.append_data(&mut header, name, bytes)
}

/// Reads a bundle and verifies everything in it. Keeps nothing.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn look(path: &Path) -> Result<Bundle, BundleError> {
    let mut small: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
    let mut kept = 0;
    walk(path, |name, size, reader| {
        if sizes.insert(name.to_owned(), size).is_some() {
            return Err(BundleError::Entry { name: name.to_owned(), why: "twice" });
        }
        let bytes = whole(name, size, reader)?;
        if size <= MAX_MANIFEST {
            kept += size;
            if kept > MOST_SMALL {
                return Err(BundleError::TooMuch(format!("{} MiB of manifests", MOST_SMALL >> 20)));
            }
            small.insert(name.to_owned(), bytes);
        }
        Ok(())
    })?;
    let mut piece = |name: &str| small.remove(name).ok_or_else(|| BundleError::Lacks(name.to_owned()));
    piece(LAYOUT)?;
    let index = piece(INDEX)?;
    let lock = piece(LOCK).ok();
    let index: Index = serde_json::from_slice(&index).map_err(|error| BundleError::Layout(format!("{INDEX}: {error}")))?;
    if index.schema_version != 2 || index.manifests.len() > MOST_FILES {
        return Err(BundleError::Layout(format!("{INDEX} has another schema version than 2, or too many manifests")));
    }
    let mut named = Vec::new();
    let mut pieces = BTreeSet::new();
    for entry in index.manifests {
        if entry.media_type != MANIFEST || !is_digest(&entry.digest) {
            return Err(BundleError::Layout(format!("{INDEX} names what is no manifest")));
        }
        let name = file_of(&entry.digest);
        let bytes = small.get(&name).filter(|bytes| bytes.len() as u64 == entry.size).ok_or_else(|| BundleError::Lacks(name))?;
        let manifest = Manifest::read(bytes, None).map_err(|error| BundleError::Manifest(entry.digest.clone(), error))?;
        for blob in [&manifest.config, &manifest.layer] {
            let name = file_of(&blob.digest);
            if sizes.get(&name) != Some(&blob.size) {
                return Err(BundleError::Lacks(format!("{name} of {} bytes", blob.size)));
            }
            pieces.insert(blob.digest.clone());
        }
        pieces.insert(entry.digest.clone());
        named.push((entry, manifest));
    }
    if let Some(stray) = sizes.keys().find(|name| digest_of(name).is_some_and(|digest| !pieces.contains(&digest))) {
        return Err(BundleError::Entry { name: stray.clone(), why: "which nothing in its index leads to" });
    }
    let inspections = inspect(path, &named)?;
    let components = named.into_iter().map(|(mut entry, manifest)| {
        let mut annotation = |name: &str| entry.annotations.remove(name).unwrap_or_default();
        Held {
            plugin: annotation(PLUGIN),
            source: annotation(REF_NAME),
            inspection: inspections[&manifest.layer.digest].clone(),
            digest: manifest.layer.digest,
            manifest_digest: entry.digest,
        }
    });
    Ok(Bundle { components: components.collect(), lock, pieces })
}

/// Looks at every component, one at a time.
fn inspect(path: &Path, named: &[(IndexEntry, Manifest)]) -> Result<BTreeMap<String, std::sync::Arc<super::Inspection>>, BundleError> {
    let layers: BTreeSet<&str> = named.iter().map(|(_, manifest)| manifest.layer.digest.as_str()).collect();
    let mut inspections = BTreeMap::new();
    walk(path, |name, size, reader| {
        let Some(digest) = digest_of(name).filter(|digest| layers.contains(digest.as_str())) else { return Ok(()) };
        let component = Component::new(whole(name, size, reader)?);
        let component = component.map_err(|error| BundleError::Component(digest.clone(), Box::new(error)))?;
        inspections.insert(digest, component.inspection);
        Ok(())
    })?;
    match layers.into_iter().find(|layer| !inspections.contains_key(*layer)) {
        Some(layer) => Err(BundleError::Lacks(file_of(layer))),
        None => Ok(inspections),
    }
}

/// Keeps the pieces of a bundle that was looked at.
///
/// # Errors
/// When the cache can't be written, or the file has changed since.
pub fn install(path: &Path, bundle: &Bundle, sources: &Sources) -> Result<(), BundleError> {
    walk(path, |name, size, reader| {
        if digest_of(name).is_none_or(|digest| !bundle.pieces.contains(&digest)) {
            return Ok(());
        }
        let bytes = whole(name, size, reader)?;
        let cache = |source| BundleError::Cache { folder: sources.cache_folder().display().to_string(), source };
        sources.keep(&bytes).map(drop).map_err(cache)
    })
}

/// Every file of a bundle, its name one of a layout's and its size within bounds.
fn walk(path: &Path, mut each: impl FnMut(&str, u64, &mut dyn Read) -> Result<(), BundleError>) -> Result<(), BundleError> {
    let mut magic = [0; 4];
    let mut file = File::open(path).map_err(BundleError::Read)?;
    let begin = file.read(&mut magic).map_err(BundleError::Read)?;
    if matches!(&magic[..begin], [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd] | [b'B', b'Z', b'h', ..] | [0xfd, b'7', b'z', b'X']) {
        return Err(BundleError::Compressed);
    }
    let file = File::open(path).map_err(BundleError::Read)?;
    let mut archive = tar::Archive::new(BufReader::new(file));
    let (mut files, mut bytes) = (0, 0_u64);
    // Raw: extensions that give a file another name, size or form are files of a forbidden type here.
    for entry in archive.entries().map_err(BundleError::Read)?.raw(true) {
        let mut entry = entry.map_err(BundleError::Read)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = entry.header().entry_type();
        let size = entry.size();
        let plain = name.strip_prefix("./").unwrap_or(&name);
        if kind.is_dir() && ["", "blobs/", "blobs", "blobs/sha256/", "blobs/sha256"].contains(&plain) {
            continue;
        }
        if !kind.is_file() {
            return Err(BundleError::Entry { name, why: "which is no plain file" });
        }
        if ![LAYOUT, INDEX, LOCK].contains(&plain) && digest_of(plain).is_none() {
            return Err(BundleError::Entry { name, why: "which has no place in an OCI image layout" });
        }
        let most = if digest_of(plain).is_some() { MAX_COMPONENT } else { MAX_MANIFEST };
        if size > most {
            return Err(BundleError::TooMuch(format!("{name:?} has {size} bytes, and may have {most}")));
        }
        (files, bytes) = (files + 1, bytes + size);
        if files > MOST_FILES || bytes > MOST_BYTES {
            return Err(BundleError::TooMuch(format!("{MOST_FILES} files and {} GiB", MOST_BYTES >> 30)));
        }
        let plain = plain.to_owned();
        each(&plain, size, &mut entry)?;
    }
    Ok(())
}

/// A file's bytes, which are as many as it says and have the digest that it is named by.
fn whole(name: &str, size: u64, reader: &mut dyn Read) -> Result<Vec<u8>, BundleError> {
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes).map_err(BundleError::Read)?;
    if bytes.len() as u64 != size {
        return Err(BundleError::CutShort(name.to_owned()));
    }
    match digest_of(name) {
        Some(wanted) if digest(&bytes) != wanted => Err(BundleError::OtherBytes { name: name.to_owned(), actual: digest(&bytes) }),
        _ => Ok(bytes),
    }
}

fn file_of(digest: &str) -> String {
    format!("{BLOBS}{}", digest.trim_start_matches("sha256:"))
}

fn digest_of(name: &str) -> Option<String> {
    let digest = format!("sha256:{}", name.strip_prefix(BLOBS)?);
    is_digest(&digest).then_some(digest)
}
