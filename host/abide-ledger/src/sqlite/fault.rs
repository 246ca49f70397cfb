//! What an error of SQLite means to a person.

use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::store::StoreError;

/// Says what failed and maps the database's own words.
pub(super) fn fault(what: &'static str, waited_ms: u64) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| match error.sqlite_error_code() {
        _ if no_room(&error) => StoreError::Full,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { waited_ms },
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged { what: error.to_string() }
        }
        _ => StoreError::System { what, source: Arc::new(error) },
    }
}

/// Whether the memory that the processes share could not be made as large as it must be: without room on the disk, a log cannot even be
/// opened.
fn no_room(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

/// A stored value that is not what was once written.
pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged { what: what.to_owned() }
}

/// A count or a time as SQLite keeps it.
pub(super) fn stored(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| damaged("a number is larger than 63 bits"))
}

/// A count or a time as we keep it.
pub(super) fn unstored(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| damaged("a stored number is negative"))
}
