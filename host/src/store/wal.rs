//! The log of a file, by its bytes (sqlite.org/fileformat2.html, section 4): looked through and written once more after a flush that failed.
//!
//! A system that could not write pages may take them for written from then on, and says of the next flush that all is well: then the log has a gap on the disk, and
//! what is after it is lost in a power cut. So all of it is written again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Bytes of the header of a log, and of that of a frame.
const HEADER: usize = 32;
const FRAME: usize = 24;
/// The last bit says whether checksums are made of words with the most significant byte first.
const MAGIC: u32 = 0x377f_0682;

/// The log of a database that is open: SQLite puts it beside the file itself, not beside a link to it.
pub(super) fn log_of(database: &Path) -> PathBuf {
    let mut path = std::fs::canonicalize(database).unwrap_or_else(|_| database.to_owned()).into_os_string();
    path.push("-wal");
    path.into()
}

/// Writes the first so many frames of a log once more as they are, and flushes them. Nobody may write to it meanwhile.
///
/// # Errors
/// When it can't be written, or is not what was written: the system has given up some of it already.
pub(super) fn write_again(log: &Path, frames: u64) -> io::Result<()> {
    let file = File::options().read(true).write(true).open(log)?;
    let mut header = [0; HEADER];
    file.read_exact_at(&mut header, 0)?;
    let magic = word(&header[..4]);
    let mut sum = checksum(magic, (0, 0), &header[..24]);
    if magic & !1 != MAGIC || sum != (word(&header[24..28]), word(&header[28..])) {
        return Err(damaged("its header"));
    }
    file.write_all_at(&header, 0)?;
    let mut frame = vec![0; FRAME + word(&header[8..12]) as usize];
    for number in 0..frames {
        let at = HEADER as u64 + number * frame.len() as u64;
        file.read_exact_at(&mut frame, at)?;
        sum = checksum(magic, sum, &frame[..8]);
        sum = checksum(magic, sum, &frame[FRAME..]);
        if frame[8..16] != header[16..24] || sum != (word(&frame[16..20]), word(&frame[20..24])) {
            return Err(damaged(&format!("frame {number}")));
        }
        file.write_all_at(&frame, at)?;
    }
    file.sync_data()
}

fn damaged(what: &str) -> io::Error {
    io::Error::other(format!(
        "{what} of the database's log is not as it was written: the disk has lost it. Nothing is taken in any more; look for the disk's errors in the system's log, \
         and restore a backup if `sangam store verify` finds damage (docs/operations.md)"
    ))
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().expect("a word has four bytes"))
}

/// Section 4.2.
fn checksum(magic: u32, (mut first, mut second): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let read = |bytes: &[u8]| if magic & 1 == 1 { word(bytes) } else { word(bytes).swap_bytes() };
    for pair in bytes.chunks_exact(8) {
        first = first.wrapping_add(read(&pair[..4])).wrapping_add(second);
        second = second.wrapping_add(read(&pair[4..])).wrapping_add(first);
    }
    (first, second)
}
