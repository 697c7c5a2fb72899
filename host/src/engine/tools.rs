//! The engine of verbs that have no store: `plugin embed`, `test`, `certify`, `dev`. Its cache is the user's own.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::{SecureRandom as _, SystemRandom};

use super::{Engine, EngineError};
use crate::config;
use crate::key_file;

/// Where compiled code is kept, if somebody wants it elsewhere.
const VARIABLE: &str = "SANGAM_CACHE";
/// Within the folder: what its files are authenticated with.
const KEY: &str = "key";

impl Engine {
    /// An engine for a tool. Compiled code is kept in the user's cache (`SANGAM_CACHE`, else `XDG_CACHE_HOME/sangam`, else `~/.cache/sangam`),
    /// which all tools of the user share. What takes long is said on standard error.
    ///
    /// # Errors
    /// [`EngineError::Start`]: not on this machine.
    pub fn for_tools() -> Result<Engine, EngineError> {
        let progress = Arc::new(|line: &str| anstream::eprintln!("{line}"));
        let (folder, secret) = match cache_of_the_user() {
            Ok((folder, secret)) => (Some(folder), secret),
            // Without it a tool compiles each time.
            Err(error) => {
                anstream::eprintln!("{error}");
                (None, [0; 32])
            }
        };
        Engine::start(folder, secret, &config::Engine::default(), progress)
    }
}

/// The folder of the user's cache, and what is in it is authenticated with.
///
/// # Errors
/// It can't be kept, or others may read its key.
pub fn cache_of_the_user() -> io::Result<(PathBuf, [u8; 32])> {
    let folder =
        folder().ok_or_else(|| io::Error::other(format!("there is no home to keep compiled code in; {VARIABLE} names a folder")))?;
    match secret(&folder) {
        Ok(secret) => Ok((folder, secret)),
        Err(error) => {
            Err(io::Error::other(format!("compiled code can't be kept in {}: {error}; {VARIABLE} names another folder", folder.display())))
        }
    }
}

fn folder() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    named(VARIABLE).or_else(|| Some(named("XDG_CACHE_HOME")?.join("sangam"))).or_else(|| Some(named("HOME")?.join(".cache/sangam")))
}

/// The key of the folder, made when it is first asked for.
fn secret(folder: &Path) -> io::Result<[u8; 32]> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join(KEY);
    if let Some(secret) = read(&path)? {
        return Ok(secret);
    }
    let mut secret = [0; 32];
    SystemRandom::new().fill(&mut secret).expect("the operating system has a random number generator");
    match key_file::make(&path, &secret) {
        Ok(()) => Ok(secret),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(&path)?.ok_or_else(|| io::Error::other(format!("{} has come and gone", path.display())))
        }
        Err(error) => Err(error),
    }
}

/// The key in a file that is its owner's alone; `None`: there is none.
fn read(path: &Path) -> io::Result<Option<[u8; 32]>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    if key_file::exposed(&file.metadata()?).is_some() {
        return Err(io::Error::other(format!("others may read {}, and so make code that would run as yours: remove it", path.display())));
    }
    file.take(33).read_to_end(&mut text)?;
    let secret = <[u8; 32]>::try_from(text).map_err(|_| io::Error::other(format!("{} is no key: remove it", path.display())))?;
    Ok(Some(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_tools_of_a_user_have_one_key_that_nobody_else_can_read() -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let home = tempfile::tempdir()?;
        let folder = home.path().join("sangam");
        let first = secret(&folder)?;
        assert_ne!(first, [0; 32]);
        assert_eq!(secret(&folder)?, first);
        let path = folder.join(KEY);
        assert_eq!(std::fs::metadata(&path)?.mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&folder)?.mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(&folder)?.count(), 1, "only the key stays");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))?;
        let error = secret(&folder).expect_err("others may read it").to_string();
        assert!(error.contains("remove it"), "{error}");
        Ok(())
    }
}
