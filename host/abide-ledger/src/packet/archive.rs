//! A tar archive that has one spelling: sorted names, fixed metadata, no padding but what `ustar` (POSIX.1-1988) asks for.

use super::{Files, Views};

const BLOCK: usize = 512;

/// A file that is not such an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// A name is empty, too long, or not plain.
    #[error("the packet has a file name that cannot be one")]
    Name,
    /// A header or its contents are cut off.
    #[error("the packet is cut off or malformed")]
    Shape,
    /// It is an archive, but not spelled as `ab` spells it.
    #[error("the packet is not byte for byte what its files make")]
    Spelling,
}

/// Writes files into an archive.
pub(super) fn write(files: &Files) -> Result<Vec<u8>, ArchiveError> {
    let length: usize = files.values().map(|bytes| bytes.len().saturating_add(2 * BLOCK)).sum();
    let mut archive = Vec::with_capacity(length.saturating_add(2 * BLOCK));
    for (name, bytes) in files {
        archive.extend_from_slice(&header(name, bytes.len())?);
        archive.extend_from_slice(bytes);
        let padded = archive.len().checked_next_multiple_of(BLOCK).ok_or(ArchiveError::Shape)?;
        archive.resize(padded, 0);
    }
    archive.resize(archive.len().saturating_add(2 * BLOCK), 0);
    Ok(archive)
}

/// Reads an archive that [`write`] wrote, in place; a difference in any byte is an error.
pub(super) fn read(archive: &[u8]) -> Result<Views<'_>, ArchiveError> {
    let mut files = Views::new();
    let mut rest = archive;
    loop {
        let (head, after) = rest.split_at_checked(BLOCK).ok_or(ArchiveError::Shape)?;
        if head == [0; BLOCK] {
            break;
        }
        let (name, length) = parse(head).ok_or(ArchiveError::Shape)?;
        let bytes = after.get(..length).ok_or(ArchiveError::Shape)?;
        let padded = length.checked_next_multiple_of(BLOCK).ok_or(ArchiveError::Shape)?;
        let padding = after.get(length..padded).ok_or(ArchiveError::Shape)?;
        let sorted = files.last_key_value().is_none_or(|(last, _)| *last < name);
        if header(name, length)? != head || !sorted || padding.iter().any(|byte| *byte != 0) {
            return Err(ArchiveError::Spelling);
        }
        files.insert(name, bytes);
        rest = after.get(padded..).ok_or(ArchiveError::Shape)?;
    }
    if rest == [0; 2 * BLOCK] { Ok(files) } else { Err(ArchiveError::Spelling) }
}

fn parse(head: &[u8]) -> Option<(&str, usize)> {
    let name = head.get(..100)?.split(|byte| *byte == 0).next()?;
    let size = std::str::from_utf8(head.get(124..135)?).ok()?;
    Some((std::str::from_utf8(name).ok()?, usize::from_str_radix(size, 8).ok()?))
}

fn header(name: &str, length: usize) -> Result<[u8; BLOCK], ArchiveError> {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'/'));
    if !plain || name.is_empty() || name.len() >= 100 || name.starts_with('/') || name.contains("..") {
        return Err(ArchiveError::Name);
    }
    let size = format!("{length:011o}");
    if size.len() > 11 {
        return Err(ArchiveError::Shape);
    }
    let mut head = [0; BLOCK];
    let fields: [(usize, &[u8]); 10] = [
        (0, name.as_bytes()),
        (100, b"0000644"),
        (108, b"0000000"),
        (116, b"0000000"),
        (124, size.as_bytes()),
        (136, b"00000000000"),
        (148, b"        "),
        (156, b"0"),
        (257, b"ustar\x0000"),
        (329, b"0000000\x000000000"),
    ];
    for (at, bytes) in fields {
        put(&mut head, at, bytes)?;
    }
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut head, 148, format!("{sum:06o}\0 ").as_bytes())?;
    Ok(head)
}

fn put(head: &mut [u8; BLOCK], at: usize, bytes: &[u8]) -> Result<(), ArchiveError> {
    let field = head.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len())).ok_or(ArchiveError::Name)?;
    field.copy_from_slice(bytes);
    Ok(())
}
