use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// What every plugin says of itself. Implement [`Connector`](crate::Connector), [`Source`](crate::Source) or both besides.
pub trait Plugin: Sized {
    /// The plugin's configuration, from `config = { … }` of the configuration file. Its keys are kebab-case there:
    /// `#[serde(rename_all = "kebab-case", deny_unknown_fields)]`.
    type Config: DeserializeOwned + JsonSchema;
    /// Lower-case letters, digits and hyphens, beginning with a letter; at most 64.
    const NAME: &'static str;
    /// For people, such as `QuickBooks Online`.
    const TITLE: &'static str;
    /// What the plugin is good for, in a few sentences.
    const DESCRIPTION: &'static str = "";
    /// Origins the plugin expects to reach. `${base-url}` stands for the configuration value of that name.
    const HOSTS: &'static [&'static str] = &[];
    /// Requests that only read although their method is a writing one: `POST /crm/*/search`, where `*` is one segment.
    /// They count as reads where the administrator lists them too.
    const READ_ONLY: &'static [&'static str] = &[];
    /// Types of events that its actions bring in, with `*` for any characters. An event of a type that the administrator does not list
    /// under `emits` too fails the action.
    const EMITS: &'static [&'static str] = &[];
}
