//! Memory that is written once and then never changes: compiled code is mapped from it, page by page as it is needed, and the initial memories
//! of instances with it, without another copy of either.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// Code to be loaded.
pub(super) enum Code {
    /// A file in memory that the kernel lets nobody change.
    Sealed(File),
    /// Where there is no such thing.
    Bytes(Vec<u8>),
}

/// The same while it is being written.
pub(super) enum Sealed {
    File(File),
    Bytes(Vec<u8>),
}

impl Sealed {
    /// Room for so many bytes.
    pub(super) fn new(size: u64) -> io::Result<Sealed> {
        match memory_file() {
            Some(file) => Ok(Sealed::File(file)),
            None => Ok(Sealed::Bytes(Vec::with_capacity(usize::try_from(size).map_err(io::Error::other)?))),
        }
    }

    pub(super) fn seal(self) -> io::Result<Code> {
        match self {
            Sealed::File(file) => seal(file).map(Code::Sealed),
            Sealed::Bytes(bytes) => Ok(Code::Bytes(bytes)),
        }
    }
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sealed::File(file) => file.write(bytes),
            Sealed::Bytes(all) => all.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where this process can open it once more.
pub(super) fn path(file: &File) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(target_os = "linux")]
fn memory_file() -> Option<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Nobody shall start it as a program; kernels before 6.3 don't know that.
    let made = memfd_create("sangam-code", flags | MemfdFlags::NOEXEC_SEAL).or_else(|_| memfd_create("sangam-code", flags));
    let file = File::from(made.ok()?);
    // Without /proc it could not be mapped.
    path(&file).exists().then_some(file)
}

#[cfg(target_os = "linux")]
fn seal(file: File) -> io::Result<File> {
    use rustix::fs::{SealFlags, fcntl_add_seals};
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

#[cfg(not(target_os = "linux"))]
fn memory_file() -> Option<File> {
    None
}

#[cfg(not(target_os = "linux"))]
fn seal(file: File) -> io::Result<File> {
    Ok(file)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_can_be_changed_by_nobody() -> io::Result<()> {
        let mut target = Sealed::new(4)?;
        target.write_all(b"code")?;
        let Code::Sealed(mut file) = target.seal()? else { panic!("this kernel makes files in memory") };
        assert!(file.write_all(b"other").is_err());
        assert!(file.set_len(0).is_err());
        // By somebody who opens it anew neither.
        assert!(File::options().write(true).open(path(&file))?.write_all(b"other").is_err());
        assert_eq!(std::fs::read(path(&file))?, b"code");
        Ok(())
    }
}
