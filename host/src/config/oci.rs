//! References to components in OCI registries: `oci://registry.example/name:tag@sha256:…`.
//!
//! The grammar is that of the OCI distribution specification 1.1 (*Pulling manifests*), so that nothing written here can climb out of a
//! registry's path. No registry is a default: a name that leads to another machine than its reader thinks is how components are swapped.

use std::fmt;

use url::{Host, Url};

use super::origin::is_loopback;

/// What a reference begins with in the configuration.
pub(crate) const SCHEME: &str = "oci://";
/// Longest name of a repository; registries refuse longer ones together with their host.
const MOST_REPOSITORY: usize = 255;
/// Longest tag (distribution specification).
const MOST_TAG: usize = 128;

/// A component in a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OciReference {
    /// Host with its port if one is written: `registry.example`, `127.0.0.1:5000`.
    pub registry: String,
    /// `team/name`.
    pub repository: String,
    /// `1.4`. Can lead to another manifest tomorrow.
    pub tag: Option<String>,
    /// `sha256:…` of the manifest, which names the component by its digest: this can't lead elsewhere.
    pub digest: Option<String>,
}

impl OciReference {
    /// Reads a reference, with `oci://` before it or without.
    ///
    /// # Errors
    ///
    /// What is wrong and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("`{text}` is not a reference to a registry: {why}; write oci://registry.example/name:tag@sha256:… and 64 digits")
        };
        let rest = text.strip_prefix(SCHEME).unwrap_or(text);
        if rest.contains("://") {
            return Err(wrong("it begins with another scheme than oci"));
        }
        let (registry, rest) = rest.split_once('/').ok_or_else(|| wrong("there is no name after the registry"))?;
        let registry = registry_host(registry).map_err(|why| wrong(&why))?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (rest, None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        if !is_repository(repository) {
            return Err(wrong("the name is made of lower-case letters, digits, `.`, `_`, `-` and `/` between them"));
        }
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag is made of up to 128 letters, digits, `.`, `_` and `-`"));
        }
        if digest.is_some_and(|digest| !is_digest(digest)) {
            return Err(wrong("a digest is sha256: and 64 hexadecimal digits in lower case"));
        }
        if tag.is_none() && digest.is_none() {
            return Err(wrong("it has neither tag nor digest"));
        }
        Ok(Self { registry, repository: repository.to_owned(), tag: tag.map(str::to_owned), digest: digest.map(str::to_owned) })
    }

    /// The same, pinned to a manifest.
    pub fn pinned(&self, digest: &str) -> Self {
        Self { digest: Some(digest.to_owned()), ..self.clone() }
    }

    /// What the registry is asked for: the digest where there is one.
    pub fn wanted(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).expect("a reference has a tag or a digest")
    }

    /// The last part of the name, fit to be a file's.
    pub fn short_name(&self) -> &str {
        self.repository.rsplit('/').next().expect("splitting gives at least one part")
    }
}

impl fmt::Display for OciReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

/// Reads the host of a registry, with its port if one is written; lower case.
pub(super) fn registry_host(text: &str) -> Result<String, String> {
    // A first part without dot or port is how other tools abbreviate their vendor's registry.
    if !text.contains(['.', ':']) && text != "localhost" {
        return Err(format!("`{text}` is not the host of a registry: name it in full, such as registry.example"));
    }
    let url = Url::parse(&format!("https://{text}/")).map_err(|error| format!("`{text}` is not the host of a registry ({error})"))?;
    let alone = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if !alone || url.password().is_some() || text.contains(['/', '@', '\\']) {
        return Err(format!("`{text}` is not the host of a registry: write the host alone, with its port if it has one"));
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.trim_end_matches('.').to_owned(),
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => format!("[{address}]"),
        None => return Err(format!("`{text}` names no host")),
    };
    Ok(match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host,
    })
}

/// Whether a registry's host is this machine.
pub(crate) fn is_local(registry: &str) -> bool {
    let url = Url::parse(&format!("https://{registry}/"));
    url.is_ok_and(|url| url.host_str().is_some_and(|host| is_loopback(host.trim_matches(['[', ']']))))
}

/// `sha256:` and 64 hexadecimal digits in lower case.
pub(crate) fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Parts of lower-case letters and digits, joined by `.`, `_`, `__`, hyphens and slashes.
fn is_repository(text: &str) -> bool {
    let part = |part: &str| {
        let mut separator = String::new();
        for c in part.chars() {
            match c {
                'a'..='z' | '0'..='9' => {
                    let fine = matches!(separator.as_str(), "" | "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-');
                    if !fine {
                        return false;
                    }
                    separator.clear();
                }
                '.' | '_' | '-' => separator.push(c),
                _ => return false,
            }
        }
        separator.is_empty() && part.starts_with(|first: char| first.is_ascii_alphanumeric())
    };
    text.len() <= MOST_REPOSITORY && text.split('/').all(part)
}

fn is_tag(text: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=MOST_TAG).contains(&text.len()) && text.starts_with(word) && text.chars().all(|c| word(c) || matches!(c, '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_written_alike() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        for text in [
            "oci://registry.example/crm:1.4".to_owned(),
            format!("oci://registry.example:5443/team/crm-x__y:1.4@{digest}"),
            format!("oci://127.0.0.1:5000/crm@{digest}"),
            "oci://[::1]:5000/a:b".to_owned(),
            "oci://localhost/a:b".to_owned(),
        ] {
            let reference = OciReference::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(reference.to_string(), text);
            assert_eq!(OciReference::parse(text.trim_start_matches(SCHEME)), Ok(reference));
        }
        assert_eq!(OciReference::parse("Registry.Example/a:B").map(|r| r.to_string()).as_deref(), Ok("oci://registry.example/a:B"));
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "crm:1",
            "crm/x:1",
            "oci://registry.example",
            "oci://registry.example/",
            "oci://registry.example/crm",
            "oci://registry.example/../crm:1",
            "oci://registry.example/a/../../v2:1",
            "oci://registry.example/a//b:1",
            "oci://registry.example/A:1",
            "oci://registry.example/a%2f..:1",
            "oci://registry.example/a?x=1:1",
            "oci://registry.example/a:1/../..",
            "oci://registry.example/a:",
            "oci://registry.example/a:1@sha256:00",
            "oci://registry.example/a:1@sha512:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "oci://user:pw@registry.example/a:1",
            "oci://registry.example#/a:1",
            "oci://registry.example:port/a:1",
            "https://registry.example/a:1",
            "oci://registry.example/a:1\r\nHost: x",
            "oci://registry\\.example/a:1",
        ] {
            assert!(OciReference::parse(text).is_err(), "{text}: {:?}", OciReference::parse(text));
        }
    }

    #[test]
    fn only_this_machine_is_local() {
        for (registry, local) in [
            ("127.0.0.1:5000", true),
            ("localhost:5000", true),
            ("[::1]:5000", true),
            ("registry.localhost", true),
            ("127.0.0.1.example:5000", false),
            ("10.0.0.1:5000", false),
        ] {
            assert_eq!(is_local(registry), local, "{registry}");
        }
    }
}
