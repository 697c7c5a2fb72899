//! `sangam secret rotate-key`.

use std::path::PathBuf;

use super::{ConfigArg, Failure};
use crate::audit::By;
use crate::clock::Clock;
use crate::config::{self, Secrets};
use crate::crash::Crash;
use crate::credentials::{Missing, SealingKey, Vault, load_key, next_key};
use crate::store::Store;

/// Seals everything in the store with another key: all of it or nothing, whenever it is broken off. Hosts that run take the new key up by themselves where
/// they can get it. The new key is made in a file beside the present one (`FILE.next`), which it then replaces; the former one stays as `FILE.ID`. With
/// `key-env = "NAME"` it is taken from `NAME_NEXT`.
#[derive(Debug, clap::Args)]
pub(super) struct RotateKey {
    /// Only make the new key's file, to be copied to the other hosts first
    #[arg(long, conflicts_with_all = ["to_file", "to_env", "to_command"])]
    prepare: bool,
    /// Take the new key from this file, made if it does not exist
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to_env", "to_command"])]
    to_file: Option<PathBuf>,
    /// Take the new key from this environment variable
    #[arg(long, value_name = "NAME", conflicts_with = "to_command")]
    to_env: Option<String>,
    /// Take the new key from the output of this command
    #[arg(long, value_name = "PROGRAM", num_args = 1.., allow_hyphen_values = true)]
    to_command: Option<Vec<String>>,
    #[command(flatten)]
    config: ConfigArg,
}

impl RotateKey {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let crash = Crash::from_environment().map_err(|unknown| Failure::Usage(unknown.to_string()))?;
        let loaded = config::load(&self.config.config).map_err(|problems| Failure::Usage(problems.to_string()))?;
        let secrets = loaded.config.secrets.clone();
        let store = Store::open_beside_armed(&loaded.config.store.url, crash).await.map_err(|error| Failure::error(&error))?;
        let vault = Vault::open(store.clone(), &secrets, Clock::system()).await.map_err(|error| Failure::error(&error))?;
        let (target, stays) = self.target(&secrets)?;
        let key = load_key(&target, Missing::Create).await.map_err(|error| Failure::error(&error))?;
        if self.prepare {
            store.close().await;
            anstream::println!(
                "the next key {} is in {}: copy it beside the key of each other host, then run this without --prepare",
                key.id(),
                shown(&target)
            );
            return Ok(());
        }
        let (former, present) = (vault.key_id(), key.id());
        if former == present {
            return Err(Failure::Usage(format!("{} holds the present key {present}; the new one must be another", shown(&target))));
        }
        let count = self.seal(&vault, key).await?;
        // Puts a new file in the place of the present one. Where this is not reached, the next program that opens the store does it.
        if !stays {
            Vault::open(store.clone(), &secrets, Clock::system()).await.map_err(|error| Failure::error(&error))?;
        }
        store.close().await;
        anstream::println!("{count} values are sealed with the key {present}");
        match (&secrets, stays) {
            (Secrets::File(path), false) => {
                anstream::eprintln!(
                    "the former key is kept in {}.{former}: backups from before need it; remove it when they are gone",
                    path.display()
                );
            }
            _ => anstream::eprintln!("let [secrets] say where the new key is ({}), on each host, and restart it", shown(&target)),
        }
        Ok(())
    }

    async fn seal(&self, vault: &Vault, key: SealingKey) -> Result<usize, Failure> {
        vault.rotate(key, &By::shell()).await.map_err(|error| Failure::error(&error))
    }

    /// Where the new key comes from, and whether it stays there: then the configuration has to be changed.
    fn target(&self, secrets: &Secrets) -> Result<(Secrets, bool), Failure> {
        let given = match (&self.to_file, &self.to_env, &self.to_command) {
            (Some(file), ..) => Some(Secrets::File(file.clone())),
            (_, Some(name), _) => Some(Secrets::Env(name.clone())),
            (.., Some(command)) => Some(Secrets::Command(command.clone())),
            (None, None, None) => None,
        };
        match (given, next_key(secrets)) {
            (Some(given), _) => Ok((given, true)),
            (None, Some(next @ Secrets::File(_))) => Ok((next, false)),
            (None, Some(next)) if !self.prepare => Ok((next, true)),
            (None, _) => {
                Err(Failure::Usage("say where the new key is: --to-file FILE, --to-env NAME or --to-command PROGRAM …".to_owned()))
            }
        }
    }
}

fn shown(secrets: &Secrets) -> String {
    match secrets {
        Secrets::File(path) => path.display().to_string(),
        Secrets::Env(name) => format!("the environment variable {name}"),
        // Its arguments may be secret.
        Secrets::Command(command) => format!("the output of `{}`", command.first().map_or("", String::as_str)),
    }
}
