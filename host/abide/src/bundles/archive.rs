//! A bundle as bytes: a gzipped tar archive, read in memory within bounds and never unpacked to a disk.
//!
//! Reading is strict on purpose: whatever two programs could read differently is refused, because people sign what one of them showed. Writing
//! has one spelling: sorted names, no times, no owners.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _, Write as _};

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};
use tar::{Archive, EntryType, Header};

/// Files by name.
pub(crate) type Entries = BTreeMap<String, Vec<u8>>;

/// Bytes of an archive at most, as it lies on the disk.
pub(crate) const ARCHIVE_BYTES_MAX: usize = 16 << 20;
/// Bytes that it may unpack to.
pub(crate) const UNPACKED_BYTES_MAX: usize = 24 << 20;
/// Bytes of one file in it: all data that a policy may have can lie in one.
pub(crate) const FILE_BYTES_MAX: usize = 13 << 20;
/// Files and folders in it.
pub(crate) const ENTRIES_MAX: usize = 1_000;
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 200;
/// Bytes of a block of a tar archive.
const BLOCK: u64 = 512;

/// Why bytes are not an archive that can be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// Not gzip, not tar, cut off, or with something after the end.
    #[error("this is no gzipped tar archive: {why}")]
    Shape {
        /// What is wrong.
        why: String,
    },
    /// Too large, packed or unpacked.
    #[error("the archive is too large: {what} may be at most {max}")]
    Large {
        /// What is counted.
        what: &'static str,
        /// How much there may be.
        max: usize,
    },
    /// A name that leads elsewhere, or can be read in two ways.
    #[error("the archive has a file called `{name}`: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A link, a device, or anything but a file or a folder.
    #[error("`{name}` in the archive is {kind}: only plain files belong in a bundle")]
    Kind {
        /// The name.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// Two files of one name.
    #[error("the archive has `{name}` twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// Two names that some file systems take for one.
    #[error("the archive has `{one}` and `{other}`, which some systems take for one")]
    Alike {
        /// One of them.
        one: String,
        /// The other one.
        other: String,
    },
    /// A file with something below it.
    #[error("the archive has a file `{name}` and something below it")]
    Below {
        /// The name.
        name: String,
    },
}

impl ArchiveError {
    /// The code for `ab explain`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Shape { .. } => "AB0240",
            Self::Large { .. } => "AB0241",
            Self::Name { .. } => "AB0242",
            Self::Kind { .. } => "AB0243",
            Self::Twice { .. } | Self::Alike { .. } | Self::Below { .. } => "AB0244",
        }
    }
}

fn shape(why: impl Into<String>) -> ArchiveError {
    ArchiveError::Shape { why: why.into() }
}

/// Reads an archive. Names come without a leading `./` or `/`, which some programs write.
pub(crate) fn read(packed: &[u8]) -> Result<Entries, ArchiveError> {
    let plain = unpack(packed)?;
    let mut entries = Entries::new();
    let mut archive = Archive::new(Cursor::new(plain.as_slice()));
    let (mut count, mut end) = (0_usize, 0_u64);
    let mut folders = BTreeSet::new();
    // Raw: extension headers, which could give an entry another name than the one that is checked here, come out as entries and are refused.
    for entry in archive.entries().map_err(|error| shape(error.to_string()))?.raw(true) {
        let mut entry = entry.map_err(|error| shape(error.to_string()))?;
        count = count.saturating_add(1);
        if count > ENTRIES_MAX {
            return Err(ArchiveError::Large { what: "the number of its files", max: ENTRIES_MAX });
        }
        let raw = entry.path_bytes().into_owned();
        let shown = abide_core::safe_text::line(&String::from_utf8_lossy(&raw));
        let is_folder = kind(entry.header().entry_type())
            .map_err(|kind| ArchiveError::Kind { name: shown.clone(), kind })?;
        let size = entry.size();
        let blocks = size.div_ceil(BLOCK).saturating_mul(BLOCK);
        end = entry.raw_file_position().saturating_add(blocks);
        let named = name(&raw, is_folder).map_err(|why| ArchiveError::Name { name: shown.clone(), why })?;
        if is_folder {
            if size != 0 {
                return Err(shape(format!("the folder `{shown}` has contents of its own")));
            }
            folders.insert(named);
            continue;
        }
        if usize::try_from(size).map_or(true, |size| size > FILE_BYTES_MAX) {
            return Err(ArchiveError::Large { what: "the bytes of one file", max: FILE_BYTES_MAX });
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| shape(error.to_string()))?;
        if u64::try_from(bytes.len()) != Ok(size) {
            return Err(shape(format!("`{shown}` is cut off")));
        }
        if entries.insert(named.clone(), bytes).is_some() {
            return Err(ArchiveError::Twice { name: named });
        }
    }
    let rest = usize::try_from(end).ok().and_then(|end| plain.get(end..));
    let rest = rest.ok_or_else(|| shape("it is cut off"))?;
    if rest.len() < 1024 || rest.iter().any(|byte| *byte != 0) {
        return Err(shape("it does not end where its list of files ends"));
    }
    apart(&entries, folders)?;
    Ok(entries)
}

/// Refuses names that fall together where upper and lower case are one, and files that are folders too: unpacked, one would take the place of
/// the other, and what is there would not be what people signed.
fn apart(entries: &Entries, mut folders: BTreeSet<String>) -> Result<(), ArchiveError> {
    for name in entries.keys() {
        let above = name.match_indices('/').filter_map(|(at, _)| name.get(..at));
        folders.extend(above.map(str::to_owned));
    }
    let mut seen: BTreeMap<String, &String> = BTreeMap::new();
    for name in entries.keys().chain(&folders) {
        match seen.insert(name.to_ascii_lowercase(), name) {
            Some(other) if other == name => return Err(ArchiveError::Below { name: name.clone() }),
            Some(other) => return Err(ArchiveError::Alike { one: other.clone(), other: name.clone() }),
            None => {}
        }
    }
    Ok(())
}

/// Unpacks one gzip member that fills `packed`, within bounds.
fn unpack(packed: &[u8]) -> Result<Vec<u8>, ArchiveError> {
    if packed.len() > ARCHIVE_BYTES_MAX {
        return Err(ArchiveError::Large { what: "its bytes", max: ARCHIVE_BYTES_MAX });
    }
    let bound = u64::try_from(UNPACKED_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut plain = Vec::new();
    let mut decoder = GzDecoder::new(packed).take(bound);
    decoder.read_to_end(&mut plain).map_err(|error| shape(error.to_string()))?;
    if plain.len() > UNPACKED_BYTES_MAX {
        return Err(ArchiveError::Large { what: "the bytes that it unpacks to", max: UNPACKED_BYTES_MAX });
    }
    if !decoder.into_inner().into_inner().is_empty() {
        return Err(shape("something follows the compressed data"));
    }
    Ok(plain)
}

/// Whether an entry is a folder; what it is if it is neither that nor a plain file.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "kinds are an open list, and what is not listed here is refused"
)]
fn kind(found: EntryType) -> Result<bool, &'static str> {
    match found {
        EntryType::Regular => Ok(false),
        EntryType::Directory => Ok(true),
        EntryType::Symlink => Err("a symbolic link"),
        EntryType::Link => Err("a hard link"),
        EntryType::Char | EntryType::Block => Err("a device"),
        EntryType::Fifo => Err("a pipe"),
        EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink => {
            Err("an extension header, which can give a file another name")
        }
        _ => Err("of a kind that nobody knows"),
    }
}

/// The name of an entry, relative, with `/` between plain parts.
fn name(raw: &[u8], is_folder: bool) -> Result<String, &'static str> {
    if raw.len() > NAME_BYTES_MAX {
        return Err("it is too long");
    }
    let text = std::str::from_utf8(raw).map_err(|_| "it is not UTF-8")?;
    let text = text.strip_prefix("./").or_else(|| text.strip_prefix('/')).unwrap_or(text);
    let text = if is_folder { text.strip_suffix('/').unwrap_or(text) } else { text };
    if is_folder && (text.is_empty() || text == ".") {
        return Ok(String::new());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b'+');
    if !text.bytes().all(plain) {
        return Err("names are made of letters, digits, `.`, `_`, `-` and `+`");
    }
    if text.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err("it leads out of the bundle, or has a part that is no name");
    }
    Ok(text.to_owned())
}

/// Writes an archive: the same files make the same bytes.
pub(crate) fn write(entries: &Entries) -> Result<Vec<u8>, ArchiveError> {
    let fault = |error: std::io::Error| shape(error.to_string());
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        header.set_path(name).map_err(fault)?;
        header.set_cksum();
        builder.append(&header, bytes.as_slice()).map_err(fault)?;
    }
    let plain = builder.into_inner().map_err(fault)?;
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::best());
    encoder.write_all(&plain).map_err(fault)?;
    encoder.finish().map_err(fault)
}

#[cfg(test)]
mod tests;
