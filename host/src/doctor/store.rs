//! The database: whether it opens, which schema it has, whether it is whole, and whether it can be written.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, StatVfsMountFlags, access, statvfs};

use super::Patient;
use super::finding::{Check, Finding, shown};
use crate::amount::{count, size};
use crate::config::Secrets;
use crate::store::{Store, StoreError, is_server};
use crate::telemetry;

/// Opens the store for looking. It is given only where its schema is this program's: another one would not be understood.
pub(super) async fn open(patient: &Patient, timeout: Duration) -> (Vec<Finding>, Option<Store>) {
    let url = &patient.config.store.url;
    if let Some(path) = file(patient)
        && !path.exists()
    {
        return (vec![absent(patient, &path)], None);
    }
    let opened = tokio::time::timeout(timeout, Store::look(url)).await;
    let store = match opened {
        Ok(Ok(store)) => store,
        Ok(Err(error)) => return (vec![closed(patient, &error)], None),
        Err(_) => {
            let message = format!("the database did not answer within {timeout:?}");
            return (vec![Check::Store.error("", message, "is its server up, and reachable from here? See `url` of [store]")], None);
        }
    };
    let looked = tokio::time::timeout(timeout, schema(&store)).await;
    let (mut findings, is_ours) =
        looked.unwrap_or_else(|_| (vec![Check::Schema.warning("", "it did not answer in time", "see the server")], false));
    let kind = if is_server(url) { "PostgreSQL" } else { "SQLite" };
    match store.bytes().await {
        Ok((bytes, free)) => {
            let free = free.filter(|free| *free > 0).map_or(String::new(), |free| format!(", {} of it free for new rows", size(free)));
            findings.insert(0, Check::Store.ok("", format!("{kind}, opened for reading: {}{free}", size(bytes))));
        }
        Err(error) => findings.insert(0, closed(patient, &error)),
    }
    if is_ours {
        return (findings, Some(store));
    }
    store.close().await;
    (findings, None)
}

fn file(patient: &Patient) -> Option<PathBuf> {
    patient.config.store.url.strip_prefix("sqlite://").map(PathBuf::from)
}

fn absent(patient: &Patient, path: &Path) -> Finding {
    let name = shown(path, &patient.config.base);
    let has_key = matches!(&patient.config.secrets, Secrets::File(key) if key.exists());
    if has_key {
        return Check::Store.warning(
            &name,
            "there is no store, but there is a sealing key: a start would begin with an empty one",
            "if there was one, look for where it is (`url` of [store], a disk that is not mounted) or restore the backup before a host starts",
        );
    }
    Check::Store.ok(&name, "there is none yet: the first start makes it")
}

fn closed(patient: &Patient, error: &StoreError) -> Finding {
    let advice = match file(patient) {
        Some(_) => {
            "let the host's user read it; if it is damaged, keep a copy as it is, then restore a backup (docs/operations.md, Backups)"
        }
        None => "is the server up, and do host, user, password and database in `url` of [store] lead to it? Try the same with `psql`",
    };
    Check::Store.error("", telemetry::chain(error), advice)
}

/// How far the schema is, and whether this program understands it.
async fn schema(store: &Store) -> (Vec<Finding>, bool) {
    let schema = match store.schema().await {
        Ok(schema) => schema,
        Err(error) => {
            let finding =
                Check::Schema.error("", telemetry::chain(&error), "`sangam store verify` looks closer; keep a copy of it as it is");
            return (vec![finding], false);
        }
    };
    let finding = if let Some(step) = schema.unknown {
        Check::Schema.error(
            "",
            StoreError::Newer(step).to_string(),
            "use the program of that version, or restore the backup from before its upgrade; this one would not start on it",
        )
    } else if let Some(step) = schema.unfinished {
        Check::Schema.error("", format!("step {step} of its schema began and did not end"), "restore the backup from before the upgrade")
    } else if schema.has == 0 {
        Check::Schema.ok("", "it is empty: the first start makes its tables")
    } else if schema.missing > 0 {
        let missing = count(schema.missing as u64, "step", "steps");
        Check::Schema.warning(
            "",
            format!("it was last used by an older version: the next start takes {missing}, and there is no way back. What is in it was not looked at"),
            "make a backup before that (`sangam store backup FILE`, of a server `pg_dump`); see docs/upgrade.md",
        )
    } else {
        return (vec![Check::Schema.ok("", format!("step {} of {}: that of this version", schema.has, schema.known))], true);
    };
    (vec![finding], false)
}

/// A quick look for damage.
pub(super) async fn integrity(store: &Store) -> Vec<Finding> {
    let advice =
        "keep a copy of it as it is; then `sangam store verify` for the whole damage, and restore a backup (docs/operations.md, Backups)";
    vec![match store.quick_check().await {
        Ok(damage) if damage.is_empty() => {
            Check::Integrity.ok("", "no damage found by a quick check; `sangam store verify` reads everything")
        }
        Ok(damage) => Check::Integrity.error("", format!("the store is damaged: {}", damage.join("; ")), advice),
        Err(error) => Check::Integrity.error("", telemetry::chain(&error), advice),
    }]
}

/// Whether it can be written, without writing to it.
pub(super) async fn writable(patient: &Patient, store: &Store) -> Vec<Finding> {
    let Some(path) = file(patient) else {
        return vec![match store.refuses_writes().await {
            Ok(None) => Check::Writable.ok("", "the server takes writes of this user"),
            Ok(Some(why)) => {
                let advice = "point `url` of [store] at the primary, as a user that owns the tables; nothing is taken in until then";
                Check::Writable.error("", format!("nothing can be written: {why}"), advice)
            }
            Err(error) => Check::Writable.error("", telemetry::chain(&error), "see the server"),
        }];
    };
    let name = shown(&path, &patient.config.base);
    let folder = path.parent().unwrap_or(Path::new("."));
    let is_mounted_so = statvfs(folder).is_ok_and(|system| system.f_flag.contains(StatVfsMountFlags::RDONLY));
    // Root may write whatever the mode says: then the mode is looked at.
    let has_no_mode = |path: &Path| path.metadata().is_ok_and(|metadata| metadata.permissions().readonly());
    let refused = |path: &Path| access(path, Access::WRITE_OK).is_err() || has_no_mode(path);
    let why = match (is_mounted_so, refused(&path), refused(folder)) {
        (true, ..) => "its disk is mounted for reading only",
        (_, true, _) => "this user may not write the file",
        (_, _, true) => "this user may not make files in its folder, where the log belongs",
        _ => return vec![Check::Writable.ok(&name, "this user may write it")],
    };
    let advice = "mend mount, owner and mode (the host's user owns file and folder); a host refuses events until then";
    vec![Check::Writable.error(&name, format!("nothing can be written: {why}"), advice)]
}
