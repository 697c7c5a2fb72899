//! The TOML file: parsed, checked as a whole, turned into domain types.
//!
//! [`load`] and [`parse`] find all mistakes in one pass, each with line, column and what to do; [`check_plugins`] and
//! [`check_grants`] compare the result with what the plugins say of themselves. Nobody else knows TOML.

mod asked;
mod authority;
mod braces;
mod canary;
mod check;
mod clear_text;
mod connections;
mod coverage;
mod credentials;
mod destination;
mod engine;
mod events;
mod excerpt;
mod expectation;
mod expression;
mod facts;
mod fields;
mod file;
mod grants;
mod header;
pub mod init;
mod item;
mod journal;
mod limits;
mod lock;
mod mail;
mod model;
mod name;
mod nats;
mod needs;
mod oauth2;
mod oci;
mod oidc;
mod origin;
mod outside;
mod own_api;
mod path;
mod permissions;
mod place;
mod plugins;
mod position;
mod problems;
mod quiet;
mod reader;
mod reference;
mod registries;
mod repeat;
mod report;
mod revision;
mod routes;
mod section;
mod server;
mod signing;
mod sources;
mod steps;
mod subscribers;
mod telemetry;
mod templates;
mod tls;
mod trust;
mod units;
mod wanted;
mod with;

#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use toml::de::DeTable;

pub use self::asked::check_grants;
pub use self::check::check_plugins;
pub use self::connections::{Connections, ForwardedHeader};
pub use self::excerpt::Excerpt;
pub use self::facts::{ActionFacts, PluginFacts, StreamFacts};
pub use self::journal::{JournalPolicy, OnUnrepeated};
pub use self::lock::{Lock, Pin, Unapproved};
pub use self::model::*;
pub use self::name::new_name;
pub use self::oci::OciReference;
pub(crate) use self::oci::{SCHEME as OCI, is_digest};
pub use self::oidc::{ClaimRule, Oidc};
pub use self::outside::Outside;
pub use self::permissions::Permissions;
pub use self::position::{Position, Positions};
pub use self::problems::{Problem, Problems, Severity, misleads};
pub use self::reference::ReferenceError;
pub(crate) use self::reference::secrets_named;
pub use self::subscribers::{WEBHOOK_DELIVERY, WEBHOOK_ROUTE, WEBHOOK_SOURCE};
pub use self::telemetry::{LogStyle, Otlp, Telemetry};
pub use self::tls::{ClientCertificates, Tls};
pub use self::trust::{PublicKey, Signer, Trust};
pub use self::wanted::{Granting, Wanted, wanted};

use self::outside::read_bounded;
use self::problems::FileText;
use self::reader::Reader;

/// Largest configuration file, in bytes.
pub const MAX_FILE_SIZE: u64 = 4 << 20;

/// A valid file: what it means, and what is needed to speak of its lines.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it means.
    pub config: Config,
    /// Where everything stands.
    pub positions: Positions,
    /// The text.
    pub text: Arc<str>,
    /// The file's name as it was given.
    pub file: String,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
    revision: Value,
    /// Byte ranges of the text that hold a secret.
    hidden: Vec<std::ops::Range<usize>>,
}

impl Loaded {
    /// What makes the revision, as JSON: everything but `[server]`, `[store]`, `[secrets]`, `[engine]` and `[trust]`,
    /// references unresolved, so that no secret is in it. [`parse_revision`] reads it back.
    pub fn revision_content(&self) -> &Value {
        &self.revision
    }

    /// `sha256:…` of [`Loaded::revision_content`]: the same for files that differ in comments and order only.
    pub fn revision_digest(&self) -> String {
        revision::digest(&self.revision)
    }

    /// Problems of this file ready to be shown, such as those of [`check_plugins`] and `warnings`.
    pub fn problems(&self, list: Vec<Problem>) -> Problems {
        Problems::new(self.file.clone(), self.text.clone(), list)
    }
}

/// Reads and checks a configuration file. Relative paths in it are relative to its folder.
///
/// # Errors
///
/// Everything that is wrong with it, or the one reason why it can't be read.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    load_as_far_as_possible(path).map_err(|(problems, _)| problems)
}

/// The same. A file with mistakes gives what could be read of it as well, for who looks for what else is wrong: what is missing there has its
/// default, or is not there. Nothing may run on it.
///
/// # Errors
///
/// As [`load`].
pub fn load_as_far_as_possible(path: &Path) -> Result<Loaded, (Problems, Option<Box<Config>>)> {
    let file = path.display().to_string();
    let failed = |message: String, help: &str| {
        let mut problem = Problem::at(&FileText::new("".into()), &(0..0), Severity::Error, message);
        problem.help(help);
        (Problems::new(file.clone(), "".into(), vec![problem]), None)
    };
    let text = read_bounded(path, MAX_FILE_SIZE).map_err(|error| {
        let help = match error.kind() {
            io::ErrorKind::NotFound => "`sangam init` writes a working one; `--config FILE` names another",
            _ => "check that it is a text file which the user of the host may read",
        };
        failed(format!("can't read the configuration: {error}"), help)
    })?;
    let absolute = std::path::absolute(path)
        .map_err(|error| failed(format!("can't tell the folder of the configuration: {error}"), "name it by its full path"))?;
    let base = absolute.parent().unwrap_or(Path::new("/"));
    parsed(&text, &file, base, &Outside::process())
}

/// Checks the text of a configuration. `base` is the absolute folder that relative paths are relative to.
///
/// # Errors
///
/// Everything that is wrong with it. Where the syntax is wrong, only that.
pub fn parse(text: &str, file: &str, base: &Path, outside: &Outside<'_>) -> Result<Loaded, Problems> {
    parsed(text, file, base, outside).map_err(|(problems, _)| problems)
}

fn parsed(text: &str, file: &str, base: &Path, outside: &Outside<'_>) -> Result<Loaded, (Problems, Option<Box<Config>>)> {
    let source = FileText::new(text.into());
    let mut reader = Reader::new(&source, base, outside);
    let r = &mut reader;
    let (root, syntax_errors) = DeTable::parse_recoverable(text);
    let readable = report_syntax(r, &syntax_errors);
    let root = root.get_ref();
    let positions = Positions::of(root);
    let read = readable.then(|| file::config(r, root, &positions));
    let revision = if readable { revision::content(r, root) } else { Value::Null };
    let Reader { problems, hidden, components, .. } = reader;
    let masked = if readable { masked(text, &hidden) } else { keys_only(text) };
    let list = Problems::new(file, masked, problems);
    match read {
        Some((config, true)) if !list.has_errors() => {
            let mut loaded =
                Loaded { config, positions, text: source.text().clone(), file: file.to_owned(), warnings: list.list, revision, hidden };
            loaded.warnings.extend(fields::check(&loaded));
            Ok(loaded)
        }
        read => {
            // They can be looked at whatever else is wrong with the file.
            let place = |span| Problem::at(&source, &span, Severity::Error, "");
            let mut list = list;
            list.components = components.into_iter().map(|(component, span)| (component, place(span))).collect();
            Err((list, read.map(|(config, _)| Box::new(config))))
        }
    }
}

/// Reads back what [`Loaded::revision_content`] gave, perhaps long ago. Variables and files are looked up anew;
/// `[server]`, `[store]`, `[secrets]`, `[engine]` and `[trust]` have their defaults, since they are no part of it.
///
/// # Errors
///
/// What is wrong with it for this version and this machine.
pub fn parse_revision(content: &Value, base: &Path, outside: &Outside<'_>) -> Result<Loaded, Problems> {
    parse(&revision::toml_text(content), "revision", base, outside)
}

/// Reads `[[routes]]` that are not configured, beside everything else of a configuration ([`Loaded::revision_content`]). Lines are those of `text`.
///
/// # Errors
/// Everything that is wrong with them, or that the text holds something else than routes.
pub fn parse_routes(text: &str, content: &Value, base: &Path, outside: &Outside<'_>) -> Result<Loaded, Problems> {
    const FILE: &str = "route";
    let source = FileText::new(text.into());
    let mut reader = Reader::new(&source, base, outside);
    let r = &mut reader;
    let (root, syntax_errors) = DeTable::parse_recoverable(text);
    if report_syntax(r, &syntax_errors) {
        let root = root.get_ref();
        for (key, _) in root.iter().filter(|(key, _)| key.get_ref() != "routes") {
            r.error(&key.span(), format!("`{}` is no route, and only routes can be tried", key.get_ref()))
                .help("leave it out: plugins, credentials and all else are those of the present configuration");
        }
        if !root.iter().any(|(key, _)| key.get_ref() == "routes") {
            r.error(&(0..0), "there is no route in this").help("begin it with [[routes]]");
        }
    }
    if !reader.problems.is_empty() {
        return Err(Problems::new(FILE, keys_only(text), reader.problems));
    }
    let mut rest = content.clone();
    if let Some(members) = rest.as_object_mut() {
        members.remove("routes");
    }
    // Behind the routes, so that these keep their lines.
    let whole = format!("{text}\n{}", revision::toml_text(&rest));
    let lines = text.split('\n').count();
    let own = |list: Vec<Problem>| list.into_iter().filter(|problem| problem.line <= lines).collect::<Vec<_>>();
    match parse(&whole, FILE, base, outside) {
        Ok(mut loaded) => {
            loaded.warnings = own(loaded.warnings);
            Ok(loaded)
        }
        Err(problems) => {
            let first = problems.list.first().map(|problem| problem.message.clone()).unwrap_or_default();
            let mut list = own(problems.list);
            if !list.iter().any(|problem| problem.severity == Severity::Error) {
                let message = format!("the present configuration can't be read beside it: {first}");
                list.push(Problem::at(&source, &(0..0), Severity::Error, message));
            }
            Err(Problems::new(FILE, source.text().clone(), list))
        }
    }
}

/// The hosts that a plugin with that configuration expects to reach, as `allow-hosts` names them; those that the configuration leaves open are not
/// among them.
pub fn expected_hosts(templates: &[String], config: &Value, schema: &Value) -> Vec<String> {
    let expected = templates.iter().filter_map(|template| expectation::expected_host(template, config, schema));
    expected.map(|host| host.to_string()).collect()
}

/// A configuration as TOML: sections as JSON (`plugins`, `credentials`: objects of tables; `routes`: an array), without nulls.
pub fn toml_text(content: &Value) -> String {
    revision::toml_text(content)
}

/// Says whether the values can be trusted in spite of the errors.
fn report_syntax(r: &mut Reader<'_>, errors: &[toml::de::Error]) -> bool {
    let mut readable = true;
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        // A key that stands twice leaves everything else as it was.
        if error.message() == "duplicate key" {
            let key = r.source.text().get(span.clone()).unwrap_or_default().to_owned();
            r.error(&span, format!("`{key}` is there already")).help("keep one of the two");
        } else {
            readable = false;
            r.error(&span, format!("this is not TOML: {}", error.message()));
        }
    }
    readable
}

/// The text with secrets in clear text made unreadable, for showing lines of it.
fn masked(text: &str, hidden: &[std::ops::Range<usize>]) -> Arc<str> {
    let secret = |at: usize| hidden.iter().any(|range| range.contains(&at));
    text.char_indices().map(|(at, c)| if secret(at) && c != '\n' { '*' } else { c }).collect::<String>().into()
}

/// The text of a file that can't be read, of which nobody knows what is a secret: headers of tables and keys stay, values don't.
fn keys_only(text: &str) -> Arc<str> {
    let is_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | ' ');
    let shown = |line: &str| match line.split_once('=') {
        Some((key, _)) if !key.trim().is_empty() && key.chars().all(is_key) => key.len() + 1,
        None if line.starts_with('[') && line.trim_end().ends_with(']') => line.len(),
        _ => 0,
    };
    let masked = |line: &str| -> String {
        let shown = shown(line);
        line.char_indices().map(|(at, c)| if at < shown || c.is_whitespace() { c } else { '*' }).collect()
    };
    text.split('\n').map(masked).collect::<Vec<_>>().join("\n").into()
}

impl Loaded {
    /// A problem at the place of a path such as `plugins.crm.component`.
    pub fn problem_at(&self, path: &str, severity: Severity, message: impl Into<String>) -> Problem {
        let span = self.positions.get(path).map_or(0..0, |position| position.value.clone());
        Problem::at(&FileText::new(self.text.clone()), &span, severity, message)
    }

    /// What is wrong with a component, at its place; `component` is a plugin's name or what [`canary_of`] makes of it.
    pub fn component_problem(&self, component: &str, why: &str) -> Problem {
        let plugin = plugin_of(component);
        let (key, what) = if component == plugin { ("component", "plugin") } else { ("canary", "the canary of plugin") };
        self.problem_at(&format!("plugins.{plugin}.{key}"), Severity::Error, format!("{what} {plugin}: {why}"))
    }
}

/// The one of the candidates that a word was probably meant to be.
pub fn near_name<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    problems::near(word, candidates)
}

/// A duration as the file writes it, such as `"30s"`.
///
/// # Errors
///
/// What is wrong with it, for people.
pub fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    units::duration(text)
}

/// A day or a time, as `since` of a source writes it.
///
/// # Errors
///
/// What is wrong with it, for people.
pub fn parse_moment(text: &str) -> Result<jiff::Timestamp, String> {
    sources::moment(text)
}
