//! Where the sealing key comes from: a file, an environment variable or a command.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use super::key::{KEY_BYTES, SealingKey};
use crate::config::Secrets;
use crate::key_file;

/// Most bytes read as a key: the 44 characters of its base64 with room for white space.
const MOST_TEXT: u64 = 1024;
/// How long a key command may take, for example to ask a vault in the network.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// What to do where a key file does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Make it with a fresh key: nothing was sealed before.
    Create,
    /// Refuse: something was sealed with the key that was in it.
    Refuse,
}

/// Why there is no sealing key. Trying again can't help, except with a command.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file is gone, but the store holds what it sealed.
    #[error(
        "the key file {} is missing, and the store holds secrets sealed with its key: restore the file from a backup",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be read or made.
    #[error("reading or making the key file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others on this machine can read the file.
    #[error("the key file {0} can be read by other users (mode {mode:04o}): run `chmod 600 {0}`", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The variable does not exist.
    #[error("the environment variable {name}, named by `key-env`, is not set")]
    Variable {
        /// Its name.
        name: String,
    },
    /// The command could not be run.
    #[error("running the key command `{program}`")]
    Command {
        /// Its first word; the others may be secret.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The command ended badly or took too long.
    #[error("the key command `{program}` {problem}")]
    CommandFailed {
        /// Its first word.
        program: String,
        /// How it ended.
        problem: String,
    },
    /// What was read is no key.
    #[error("{origin} holds no sealing key: expected 32 bytes in base64, as `openssl rand -base64 32` prints them")]
    Malformed {
        /// The file, variable or command.
        origin: String,
    },
}

/// Reads the key, making its file at first use where `missing` allows.
pub async fn load(secrets: &Secrets, missing: Missing) -> Result<SealingKey, KeyError> {
    load_within(secrets, missing, COMMAND_TIME).await
}

async fn load_within(secrets: &Secrets, missing: Missing, time: Duration) -> Result<SealingKey, KeyError> {
    let (text, origin) = match secrets {
        // A few bytes, once, before the host serves anyone: not worth a blocking thread.
        Secrets::File(path) => (from_file(path, missing)?, format!("the key file {}", path.display())),
        Secrets::Env(name) => {
            let text = std::env::var(name).map_err(|_| KeyError::Variable { name: name.clone() })?;
            (Zeroizing::new(text.into_bytes()), format!("the environment variable {name}"))
        }
        Secrets::Command(command) => {
            let program = command.first().map_or("", String::as_str);
            let text = match tokio::time::timeout(time, from_command(program, command)).await {
                Ok(text) => text?,
                Err(_) => {
                    return Err(failed(program, format!("gave no key within {time:?}")));
                }
            };
            (text, format!("the output of the key command `{program}`"))
        }
    };
    parse(&text).ok_or(KeyError::Malformed { origin })
}

/// Where the next key is put before everything is sealed with it: beside the present one. A command has no such place.
pub fn next(secrets: &Secrets) -> Option<Secrets> {
    match secrets {
        Secrets::File(path) => Some(Secrets::File(key_file::beside(path, "next"))),
        Secrets::Env(name) => Some(Secrets::Env(format!("{name}_NEXT"))),
        Secrets::Command(_) => None,
    }
}

/// The key with that fingerprint: the present one as it is now, or the next one. A next one in a file takes the place of the present one, which is kept
/// aside; that can be broken off at any moment, and be done by several processes at the same time.
pub async fn matching(secrets: &Secrets, fingerprint: &[u8]) -> Result<Option<SealingKey>, KeyError> {
    let Some((key, former)) = found(secrets, fingerprint).await? else { return Ok(None) };
    if let (Some(former), Secrets::File(path), Some(Secrets::File(next))) = (former, secrets, next(secrets)) {
        promote(path, &next, &former).map_err(|source| KeyError::File { path: path.clone(), source })?;
    }
    Ok(Some(key))
}

/// The key with that fingerprint, where it is; with the id of the present one, if it is the next.
pub(super) async fn found(secrets: &Secrets, fingerprint: &[u8]) -> Result<Option<(SealingKey, Option<String>)>, KeyError> {
    let present = load(secrets, Missing::Refuse).await?;
    if present.fingerprint() == fingerprint {
        return Ok(Some((present, None)));
    }
    let Some(next) = next(secrets) else { return Ok(None) };
    let Ok(key) = load(&next, Missing::Refuse).await else { return Ok(None) };
    Ok((key.fingerprint() == fingerprint).then(|| (key, Some(present.id()))))
}

/// Puts the next key in the place of the present one, which stays beside it under its id: for backups from before.
fn promote(path: &Path, next: &Path, former: &str) -> io::Result<()> {
    match fs::hard_link(path, key_file::beside(path, former)) {
        Ok(()) => {}
        // Kept by an earlier try, or by another process.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    match fs::rename(next, path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    key_file::sync_folder(path)
}

fn parse(text: &[u8]) -> Option<SealingKey> {
    let bytes = Zeroizing::new(STANDARD.decode(text.trim_ascii()).ok()?);
    <&[u8; KEY_BYTES]>::try_from(bytes.as_slice()).ok().map(SealingKey::new)
}

fn from_file(path: &Path, missing: Missing) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let failed = |source| KeyError::File { path: path.to_path_buf(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => match missing {
            Missing::Refuse => {
                return Err(KeyError::Missing { path: path.to_path_buf() });
            }
            Missing::Create => {
                match create(path) {
                    Ok(()) => {}
                    // Another process made it first: its key counts.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(failed(error)),
                }
                File::open(path).map_err(failed)?
            }
        },
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if let Some(mode) = key_file::exposed(&metadata) {
        return Err(KeyError::Exposed { path: path.to_path_buf(), mode });
    }
    let mut text = Zeroizing::new(Vec::with_capacity(MOST_TEXT as usize));
    file.take(MOST_TEXT).read_to_end(&mut text).map_err(failed)?;
    Ok(text)
}

/// Makes the file with a fresh key.
fn create(path: &Path) -> io::Result<()> {
    fs::create_dir_all(key_file::folder(path))?;
    let mut text = Zeroizing::new(STANDARD.encode(*SealingKey::generate()));
    text.push('\n');
    key_file::make(path, text.as_bytes())
}

async fn from_command(program: &str, command: &[String]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let could_not = |source| KeyError::Command { program: program.to_owned(), source };
    let mut child = tokio::process::Command::new(program)
        .args(command.get(1..).unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit()) // its own words about what went wrong are better than ours
        .kill_on_drop(true)
        .spawn()
        .map_err(could_not)?;
    let output = child.stdout.take().expect("standard output was asked for");
    let mut text = Zeroizing::new(Vec::with_capacity(MOST_TEXT as usize));
    output.take(MOST_TEXT).read_to_end(&mut text).await.map_err(could_not)?;
    let status = child.wait().await.map_err(could_not)?;
    if !status.success() {
        return Err(failed(program, format!("ended with {status}")));
    }
    Ok(text)
}

fn failed(program: &str, problem: String) -> KeyError {
    KeyError::CommandFailed { program: program.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_command_that_hangs_is_given_up_and_ended() {
        let command = Secrets::Command(["sleep", "600"].map(str::to_owned).to_vec());
        let error = load_within(&command, Missing::Refuse, Duration::from_millis(50)).await.expect_err("no key").to_string();
        assert_eq!(error, "the key command `sleep` gave no key within 50ms");
    }

    #[tokio::test]
    async fn a_key_command_that_never_stops_talking_is_cut_off() {
        let command = Secrets::Command(["yes", "QUJD"].map(str::to_owned).to_vec());
        let error = load(&command, Missing::Refuse).await.expect_err("no key").to_string();
        assert!(error.contains("the key command `yes`"), "{error}");
    }

    #[test]
    fn a_key_file_that_many_make_at_once_holds_one_key_for_all() {
        for _ in 0..50 {
            let folder = tempfile::tempdir().expect("a folder");
            let (path, start) = (folder.path().join("k"), std::sync::Barrier::new(4));
            let keys: Vec<_> = std::thread::scope(|threads| {
                let make = || {
                    start.wait();
                    let text = from_file(&path, Missing::Create).expect("made, or made by another");
                    parse(&text).expect("a whole key").fingerprint()
                };
                let makers: Vec<_> = (0..4).map(|_| threads.spawn(make)).collect();
                makers.into_iter().map(|maker| maker.join().expect("it does not panic")).collect()
            });
            assert!(keys.iter().all(|key| *key == keys[0]), "one key for all");
            assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1, "nothing is left beside it");
        }
    }

    #[test]
    fn the_next_key_takes_the_place_of_the_present_one_which_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, next) = (folder.path().join("k"), folder.path().join("k.next"));
        fs::write(&path, "former").expect("written");
        fs::write(&next, "next").expect("written");
        for _ in 0..2 {
            promote(&path, &next, "0011").expect("done, or done before");
            let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("it is there");
            assert_eq!((read("k").as_str(), read("k.0011").as_str(), next.exists()), ("next", "former", false));
        }
    }
}
