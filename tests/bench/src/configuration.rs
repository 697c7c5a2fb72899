//! The `sangam.toml` of a host that is measured: open, on any port of the loopback, its steps post to sinks.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

/// A configuration under construction.
#[derive(Debug, Clone)]
pub(crate) struct Configuration(String);

impl Configuration {
    /// A host that lets in everybody and has no routes.
    pub(crate) fn new() -> Configuration {
        Configuration::with_server("")
    }

    /// The same with more lines in its `[server]`.
    pub(crate) fn with_server(lines: &str) -> Configuration {
        Configuration(format!("[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n{lines}"))
    }

    /// On a PostgreSQL database.
    pub(crate) fn on_postgres(self, url: &str) -> Configuration {
        self.text(&format!("\n[store]\nurl = \"{url}\"\n"))
    }

    /// Anything else.
    pub(crate) fn text(mut self, text: &str) -> Configuration {
        self.0.push_str(text);
        self
    }

    /// A plugin that may post to a sink. `options` are more lines of its section.
    pub(crate) fn plugin(mut self, name: &str, component: &str, sink: SocketAddr, options: &str) -> Configuration {
        // Writing to a string can't fail.
        let _ = write!(
            self.0,
            "\n[plugins.{name}]\ncomponent = {component:?}\nallow-hosts = [\"http://{sink}\"]\nallow-private-addresses = [\"127.0.0.1/32\"]\n{options}"
        );
        self
    }

    /// A route for a type of events. `options` are more lines of its section.
    pub(crate) fn route(mut self, name: &str, kind: &str, options: &str) -> Configuration {
        let _ = write!(self.0, "\n[[routes]]\nname = \"{name}\"\non = {{ type = \"{kind}\" }}\n{options}");
        self
    }

    /// A step of the last route: the action `request` of a plugin posts the event's id and these fields, whose values are TOML strings.
    pub(crate) fn step(mut self, name: &str, plugin: &str, sink: SocketAddr, options: &str, fields: &[(&str, &str)]) -> Configuration {
        let _ = write!(
            self.0,
            "\n[[routes.steps]]\nname = \"{name}\"\nuses = \"{plugin}.request\"\n{options}[routes.steps.with]\nmethod = \"POST\"\n\
             url = \"http://{sink}/\"\n[routes.steps.with.body]\nevent = \"${{ .event.id }}\"\n"
        );
        for (field, value) in fields {
            let _ = writeln!(self.0, "{field} = \"{value}\"");
        }
        self
    }

    /// As the `sangam.toml` of a folder.
    pub(crate) fn save(&self, folder: &Path) -> std::io::Result<()> {
        std::fs::write(folder.join("sangam.toml"), &self.0)
    }
}

/// The connector of the host itself.
pub(crate) const HTTP: &str = "builtin:http";
/// Of a plugin that shall hold up nobody.
pub(crate) const WIDE: &str = "concurrency = 64\n";

/// One route with one step to one sink.
pub(crate) fn one_step(kind: &str, sink: SocketAddr) -> Configuration {
    Configuration::new().plugin("http", HTTP, sink, WIDE).route("one", kind, "").step("send", "http", sink, "", &[])
}
