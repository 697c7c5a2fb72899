//! `sangam.lock`: which components were approved, and what each of them may ask for.
//!
//! It stands beside the configuration file and has its name, so that both go into version control together and a change of either is read
//! by a person. `sangam plugin approve` writes it; hosts only read it. Its form has a version of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::item::Item;
use super::model::{canary_of, plugin_of};
use super::outside::{Outside, read_bounded};
use super::permissions::Permissions;
use super::problems::{FileText, Problem, Problems, Severity};
use super::reader::Reader;
use super::revision::string;
use super::section::Section;
use super::trust::PublicKey;
use super::{Loaded, MAX_FILE_SIZE, name, plugins, report_syntax};

/// Version of the file's form.
const VERSION: u64 = 1;

const HEADING: &str = "\
# What was approved: the components of the plugins, and what each of them may ask for. Written by `sangam plugin approve`, to
# be read in a diff and kept in version control beside the configuration. Connectors in the binary are not in it.
";

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Components by the names that [`canary_of`] gives.
    pub pins: BTreeMap<String, Pin>,
}

/// One component as it was approved, or as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Where it was found, as the configuration writes it. For people: the digest says what it is.
    pub source: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// What it calls itself. Empty: not known without running it.
    pub plugin: String,
    /// The version that it says it has.
    pub release: String,
    /// Version of the contract it was built for.
    pub contract: String,
    /// Keys that signed it.
    pub signed_by: Vec<PublicKey>,
    /// What it may ask for.
    pub permissions: Permissions,
}

/// Why a component does not count as approved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unapproved {
    /// `require-lock`, and there is no lock.
    #[error("it was not approved: there is no {0}, and `require-lock` asks for one")]
    NoLock(String),
    /// The lock does not have it.
    #[error("it was not approved: {0} does not have it")]
    Missing(String),
    /// The lock has another one.
    #[error("it is not the component that was approved ({was}, now {is}); {more}")]
    Other {
        /// Release and digest that were approved, short.
        was: String,
        /// The same of what was found.
        is: String,
        /// What it wants beyond that, as a sentence.
        more: String,
    },
    /// The lock has it, but says other things of it than are true.
    #[error("{file} says other things of it than can be read off it ({what}); it was edited by hand, or by another version of Sangam")]
    Edited {
        /// The lock.
        file: String,
        /// What differs.
        what: String,
    },
}

impl Unapproved {
    /// What to do about it.
    pub fn help(&self, component: &str) -> String {
        let plugin = plugin_of(component);
        match self {
            Unapproved::NoLock(_) | Unapproved::Missing(_) => {
                format!("`sangam plugin approve {plugin}` shows what it may ask for, and asks")
            }
            Unapproved::Other { .. } => format!("if the new one is meant: `sangam plugin approve {plugin}` shows the difference, and asks"),
            Unapproved::Edited { .. } => format!("restore the file, or run `sangam plugin approve {plugin}`"),
        }
    }
}

impl Lock {
    /// Whether a component is the one that was approved. `whole`: all that it asks for is known, not what its imports show alone.
    ///
    /// # Errors
    ///
    /// How it differs, in words.
    pub fn judge(&self, file: &str, component: &str, found: &Pin, whole: bool) -> Result<(), Unapproved> {
        let Some(pin) = self.pins.get(component) else { return Err(Unapproved::Missing(file.to_owned())) };
        if pin.digest != found.digest {
            return Err(Unapproved::Other {
                was: pin.short(),
                is: found.short(),
                more: wanting(&found.permissions.beyond(&pin.permissions)),
            });
        }
        if !whole {
            return Ok(());
        }
        let mut what = Vec::new();
        for (name, one, other) in [
            ("plugin", &pin.plugin, &found.plugin),
            ("release", &pin.release, &found.release),
            ("contract", &pin.contract, &found.contract),
        ] {
            if one != other {
                what.push(format!("{name}: {one:?} for {other:?}"));
            }
        }
        if pin.signed_by != found.signed_by {
            what.push("signed-by".to_owned());
        }
        what.extend(found.permissions.beyond(&pin.permissions).into_iter().map(|word| format!("it may {word}")));
        what.extend(pin.permissions.beyond(&found.permissions).into_iter().map(|word| format!("it can't {word}")));
        if what.is_empty() { Ok(()) } else { Err(Unapproved::Edited { file: file.to_owned(), what: what.join("; ") }) }
    }

    /// The file's text: what is read back is equal.
    pub fn text(&self) -> String {
        let mut text = format!("{HEADING}version = {VERSION}\n");
        for plugin in self.pins.keys().filter(|name| plugin_of(name) == *name) {
            for (component, header) in [(plugin.clone(), plugin.clone()), (canary_of(plugin), format!("{plugin}.canary"))] {
                if let Some(pin) = self.pins.get(&component) {
                    write!(text, "\n[plugins.{header}]\n").expect("writing to a string can't fail");
                    pin.write(&mut text);
                }
            }
        }
        text
    }

    /// Writes the file whole, or leaves the one that is there.
    ///
    /// # Errors
    ///
    /// Why it can't be written.
    pub fn write(&self, file: &Path) -> io::Result<()> {
        let partial = file.with_extension("lock.part");
        std::fs::write(&partial, self.text())?;
        std::fs::rename(&partial, file)
    }
}

/// What an upgrade wants beyond what was approved.
fn wanting(more: &[String]) -> String {
    match more {
        [] => "it wants nothing more than what was approved".to_owned(),
        more => format!("it wants more than what was approved: to {}", more.join("; to ")),
    }
}

impl Pin {
    /// Release and digest, for a sentence.
    pub fn short(&self) -> String {
        let digest = self.digest.get(..19).unwrap_or(&self.digest);
        if self.release.is_empty() { digest.to_owned() } else { format!("{} {digest}", self.release) }
    }

    fn write(&self, text: &mut String) {
        let texts = [
            ("source", &self.source),
            ("digest", &self.digest),
            ("plugin", &self.plugin),
            ("release", &self.release),
            ("contract", &self.contract),
        ];
        for (key, value) in texts {
            writeln!(text, "{key} = {}", string(value)).expect("writing to a string can't fail");
        }
        let Permissions { imports, hosts, read_only, emits, streams } = &self.permissions;
        let signed_by = self.signed_by.iter().map(|key| key.to_string()).collect();
        list(text, "signed-by", signed_by);
        for (key, values) in [("imports", imports), ("hosts", hosts), ("read-only", read_only), ("emits", emits), ("streams", streams)] {
            list(text, key, values.iter().cloned().collect());
        }
    }
}

/// A list with a line for each value, so that a diff shows what came and went.
fn list(text: &mut String, key: &str, values: Vec<String>) {
    if values.is_empty() {
        return;
    }
    let lines: Vec<String> = values.iter().map(|value| format!("  {},\n", string(value))).collect();
    writeln!(text, "{key} = [\n{}]", lines.concat()).expect("writing to a string can't fail");
}

impl Loaded {
    /// Where the lock of this file is: beside it, of the same name.
    pub fn lock_file(&self) -> PathBuf {
        Path::new(&self.file).with_extension("lock")
    }

    /// Reads the lock. `None`: there is none.
    ///
    /// # Errors
    ///
    /// What is wrong with it, at its lines.
    pub fn lock(&self) -> Result<Option<Lock>, Problems> {
        let path = self.lock_file();
        let file = path.display().to_string();
        match read_bounded(&path, MAX_FILE_SIZE) {
            Ok(text) => parse(&text, &file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                let mut problem = Problem::at(&FileText::new("".into()), &(0..0), Severity::Error, format!("can't read the lock: {error}"));
                problem.help("what was approved is not known without it");
                Err(Problems::new(file, "".into(), vec![problem]))
            }
        }
    }

    /// How the file writes where a component is, references unresolved.
    pub fn written_source(&self, component: &str) -> String {
        let plugin = plugin_of(component);
        let key = if plugin == component { "component" } else { "canary/component" };
        let written = self.revision_content().pointer(&format!("/plugins/{plugin}/{key}"));
        written.and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    }
}

/// Reads the text of a lock.
pub(super) fn parse(text: &str, file: &str) -> Result<Lock, Problems> {
    let source = FileText::new(text.into());
    let outside = Outside::process();
    let mut reader = Reader::new(&source, Path::new(""), &outside);
    let r = &mut reader;
    let (root, errors) = DeTable::parse_recoverable(text);
    let lock = if report_syntax(r, &errors) { lock(r, root.get_ref()) } else { Lock::default() };
    let problems = reader.problems;
    if problems.is_empty() { Ok(lock) } else { Err(Problems::new(file, text.into(), problems)) }
}

fn lock(r: &mut Reader<'_>, root: &DeTable<'_>) -> Lock {
    let mut section = Section::new(root, 0..0, "the lock");
    let mut pins = BTreeMap::new();
    if let Some(item) = section.required(r, "version", "1")
        && item.integer(r, 1..=u64::MAX).is_some_and(|version| version != VERSION)
    {
        r.error(&item.span, format!("this lock has a form that this version of Sangam does not know (it knows {VERSION})"))
            .help("use the version of Sangam that wrote it, or delete it and approve anew");
        return Lock::default();
    }
    let members = section.get("plugins").and_then(|item| item.table(r, "[plugins]")).map(|table| table.members()).unwrap_or_default();
    section.finish(r);
    for member in members {
        name::check(r, &member.key, "plugin", &member.name);
        let Some(mut section) = member.table(r, format!("[plugins.{}]", member.name)) else { continue };
        let canary = section.get("canary").and_then(|item| item.table(r, format!("[plugins.{}.canary]", member.name)));
        pins.extend(pin(r, section).map(|pin| (member.name.clone(), pin)));
        pins.extend(canary.and_then(|section| pin(r, section)).map(|pin| (canary_of(&member.name), pin)));
    }
    Lock { pins }
}

fn pin(r: &mut Reader<'_>, mut section: Section<'_>) -> Option<Pin> {
    let mut text = |r: &mut Reader<'_>, key: &'static str, example: &str| {
        section.required(r, key, example).and_then(|item| item.text(r)).map(|text| text.value.to_owned())
    };
    let source = text(r, "source", "\"plugins/crm.wasm\"");
    let (plugin, release, contract) = (text(r, "plugin", "\"crm\""), text(r, "release", "\"1.0.0\""), text(r, "contract", "\"0.1.0\""));
    let digest = section.required(r, "digest", "\"sha256:…\"").and_then(|item| item.parsed(r, plugins::digest));
    let each = |r: &mut Reader<'_>, item: &Item<'_>| item.texts(r).iter().map(|text| text.value.to_owned()).collect();
    let signed_by = section.get("signed-by").map(|item| {
        let items = item.items(r).unwrap_or_default();
        items.iter().filter_map(|item| item.parsed(r, PublicKey::parse)).collect()
    });
    let mut set = |r: &mut Reader<'_>, key: &'static str| section.get(key).map(|item| each(r, &item)).unwrap_or_default();
    let permissions = Permissions {
        imports: set(r, "imports"),
        hosts: set(r, "hosts"),
        read_only: set(r, "read-only"),
        emits: set(r, "emits"),
        streams: set(r, "streams"),
    };
    section.finish(r);
    let signed_by = signed_by.unwrap_or_default();
    Some(Pin { source: source?, digest: digest?, plugin: plugin?, release: release?, contract: contract?, signed_by, permissions })
}
