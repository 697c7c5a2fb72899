//! The sealing key, what it seals, and the secrets that the configuration names.

use super::Patient;
use super::finding::{Check, Finding, shown};
use crate::amount::count;
use crate::config::{self, Secrets};
use crate::credentials::{KeyError, Missing, Vault, VaultError, load_key};
use crate::store::Store;
use crate::telemetry;

/// Whether the key is there and is that of the store.
pub(super) async fn key(patient: &Patient, store: &Store) -> (Vec<Finding>, Option<Vault>) {
    let place = place(patient);
    match Vault::look(store.clone(), &patient.config.secrets, patient.clock.clone()).await {
        Ok(Some(look)) => {
            let id = look.vault.key_id();
            let finding = match (look.is_next, look.is_new) {
                (true, _) => Check::Key.warning(
                    &place,
                    format!("a change of keys was broken off: the store is sealed with the next key {id}, which is not in its place yet"),
                    "start the host, or run `sangam secret rotate-key` again: either puts it there",
                ),
                (false, true) => Check::Key.ok(&place, format!("the key {id} is there; nothing has been sealed yet")),
                (false, false) => Check::Key.ok(&place, format!("the key {id} is that of the store")),
            };
            (vec![finding], Some(look.vault))
        }
        Ok(None) => (vec![Check::Key.ok(&place, "there is none yet: the first start makes it")], None),
        Err(error) => (vec![wrong(&place, &error)], None),
    }
}

/// The same where there is no store to compare it with.
pub(super) async fn key_alone(patient: &Patient) -> Vec<Finding> {
    let place = place(patient);
    vec![match load_key(&patient.config.secrets, Missing::Refuse).await {
        Ok(key) => Check::Key.ok(&place, format!("the key {} is there; there is no store to compare it with", key.id())),
        Err(KeyError::Missing { .. }) => Check::Key.ok(&place, "there is none; the first start makes it, where nothing was sealed before"),
        Err(error) => wrong(&place, &VaultError::Key(error)),
    }]
}

fn wrong(place: &str, error: &VaultError) -> Finding {
    let advice = match error {
        VaultError::OtherKey { .. } => {
            "put the key back that the store was sealed with (a backup of the key file, or `FILE.ID` beside it after a change of keys); without it, \
             set every secret again in a new store"
        }
        VaultError::Key(KeyError::Missing { .. }) => {
            "restore the key file from its backup; without it, no secret in the store ever opens again"
        }
        VaultError::Key(KeyError::Exposed { .. }) => {
            "take the rights of others away; if somebody may have read it, `sangam secret rotate-key`"
        }
        VaultError::Key(KeyError::File { .. }) => "let the host's user read it: `chown` it to that user, mode 0600",
        VaultError::Key(KeyError::Variable { .. }) => {
            "set it where the host is started (systemd: `LoadCredential` or `EnvironmentFile`), and here"
        }
        VaultError::Key(KeyError::Command { .. } | KeyError::CommandFailed { .. }) => {
            "run the command of `key-command` by hand and mend what it says"
        }
        VaultError::Key(KeyError::Malformed { .. }) => "put the right key there; see docs/configuration.md, [secrets]",
        VaultError::Store(_) => "see what is said of the store",
    };
    Check::Key.error(place, telemetry::chain(error), advice)
}

fn place(patient: &Patient) -> String {
    match &patient.config.secrets {
        Secrets::File(path) => shown(path, &patient.config.base),
        Secrets::Env(name) => format!("${name}"),
        // Its arguments may be secret.
        Secrets::Command(command) => command.first().cloned().unwrap_or_default(),
    }
}

/// Whether what is sealed opens, and what the file names is there.
pub(super) async fn sealed(patient: &Patient, vault: &Vault) -> Vec<Finding> {
    let (closed, list) = match (vault.closed().await, vault.list().await) {
        (Ok(closed), Ok(list)) => (closed, list),
        (Err(error), _) | (_, Err(error)) => {
            return vec![Check::Secrets.error("", telemetry::chain(&error), "see what is said of the store")];
        }
    };
    let mut findings: Vec<Finding> = closed
        .iter()
        .map(|why| {
            let advice = "set it again (`sangam secret set NAME`, `sangam connect NAME`), or restore key and store from the same backup";
            Check::Secrets.error("", why, advice)
        })
        .collect();
    let named = patient.loaded.as_ref().map(|loaded| config::secrets_named(loaded.revision_content())).unwrap_or_default();
    for name in named.iter().filter(|name| !list.iter().any(|known| known.name == **name)) {
        let message = format!("the configuration names ${{secret:{name}}}, and nobody has set it");
        findings.push(Check::Secrets.error(name, message, format!("`sangam secret set {name}` reads it from standard input")));
    }
    if findings.is_empty() {
        findings.push(Check::Secrets.ok(
            "",
            match list.len() as u64 {
                0 => "none is kept in the store, and the file names none".to_owned(),
                number => format!(
                    "{} in the store; all that is sealed opens, and the file names none that is missing",
                    count(number, "secret", "secrets")
                ),
            },
        ));
    }
    findings
}
