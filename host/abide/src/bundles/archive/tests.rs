//! Hostile archives are refused, each for its own reason; what is written reads back, and always to the same bytes.

use super::*;

/// One entry of a tar archive, with any name and any kind.
fn entry(name: &[u8], kind: EntryType, bytes: &[u8]) -> Vec<u8> {
    let mut header = Header::new_ustar();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_size(u64::try_from(bytes.len()).unwrap());
    header.set_mode(0o644);
    header.set_cksum();
    let mut made = header.as_bytes().to_vec();
    made.extend_from_slice(bytes);
    made.resize(made.len().next_multiple_of(512), 0);
    made
}

fn file(name: &str, bytes: &[u8]) -> Vec<u8> {
    entry(name.as_bytes(), EntryType::Regular, bytes)
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn tar_of(entries: &[Vec<u8>]) -> Vec<u8> {
    [entries.concat(), vec![0; 1024]].concat()
}

fn refused(entries: &[Vec<u8>]) -> (&'static str, String) {
    let error = read(&gzip(&tar_of(entries))).unwrap_err();
    (error.code(), error.to_string())
}

#[test]
fn the_same_files_make_the_same_bytes_and_come_back() {
    let files = Entries::from([
        (".manifest".to_owned(), b"{}".to_vec()),
        ("lib/a.rego".to_owned(), b"package a\n".to_vec()),
        ("zero.rego".to_owned(), Vec::new()),
        ("edge.rego".to_owned(), vec![b'#'; 512]),
    ]);
    let packed = write(&files).unwrap();
    assert_eq!(packed, write(&files).unwrap());
    assert_eq!(read(&packed).unwrap(), files);
    assert_eq!(packed[4..10], [0, 0, 0, 0, 2, 255], "no time, no operating system");
}

#[test]
fn what_other_programs_write_is_taken() {
    let folder = entry(b"./", EntryType::Directory, b"");
    let packed = gzip(&tar_of(&[
        folder,
        entry(b"lib/", EntryType::Directory, b""),
        file("./a.rego", b"1"),
        file("/data.json", b"{}"),
    ]));
    assert_eq!(read(&packed).unwrap().keys().collect::<Vec<_>>(), ["a.rego", "data.json"]);
}

#[test]
fn names_that_lead_elsewhere() {
    for name in [
        "../a.rego",
        "a/../b.rego",
        "a/..",
        "/../a",
        "..",
        "a//b",
        "//a",
        "./",
        "a/./b",
        "a\\b",
        "a b",
        "c:a",
        "é",
    ] {
        assert_eq!(refused(&[file(name, b"x")]).0, "AB0242", "{name}");
    }
    assert_eq!(refused(&[entry(b"../x/", EntryType::Directory, b"")]).0, "AB0242");
    assert_eq!(refused(&[entry(b"\xff.rego", EntryType::Regular, b"")]).0, "AB0242");
    let (_, why) = refused(&[file("\u{1b}[2J", b"")]);
    assert!(!why.contains('\u{1b}'), "{why:?}");
}

#[test]
fn anything_but_plain_files() {
    let kinds = [
        (EntryType::Symlink, "a symbolic link"),
        (EntryType::Link, "a hard link"),
        (EntryType::Char, "a device"),
        (EntryType::Block, "a device"),
        (EntryType::Fifo, "a pipe"),
        (EntryType::XHeader, "an extension header"),
        (EntryType::XGlobalHeader, "an extension header"),
        (EntryType::GNULongName, "an extension header"),
        (EntryType::GNUSparse, "nobody knows"),
        (EntryType::Continuous, "nobody knows"),
    ];
    for (kind, words) in kinds {
        let (code, why) = refused(&[entry(b"a.rego", kind, b"")]);
        assert!(code == "AB0243" && why.contains(words), "{why}");
    }
}

#[test]
fn a_name_that_is_there_twice() {
    assert_eq!(refused(&[file("a.rego", b"1"), file("a.rego", b"2")]).0, "AB0244");
    assert_eq!(refused(&[file("a.rego", b"1"), file("./a.rego", b"1")]).0, "AB0244");
}

#[test]
fn bombs_are_stopped_before_they_go_off() {
    let zeros = vec![0; UNPACKED_BYTES_MAX + 1];
    let bomb = gzip(&zeros);
    assert!(bomb.len() < 30_000);
    let large = |packed: &[u8], what: &str| {
        let error = read(packed).unwrap_err();
        assert!(error.code() == "AB0241" && error.to_string().contains(what), "{error}");
    };
    large(&bomb, "unpacks to");
    large(&vec![0; ARCHIVE_BYTES_MAX + 1], "its bytes");
    large(&gzip(&tar_of(&[file("a", &vec![b'#'; FILE_BYTES_MAX + 1])])), "one file");
    let many: Vec<_> = (0..=ENTRIES_MAX).map(|n| file(&format!("f{n}"), b"")).collect();
    large(&gzip(&tar_of(&many)), "number of its files");
    // A size that no archive can have, and one that overflows.
    for size in [b"77777777777\0".as_slice(), b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"] {
        let mut lie = file("a", b"x");
        lie[124..136].copy_from_slice(size);
        let mut header = Header::new_ustar();
        header.as_mut_bytes().copy_from_slice(&lie[..512]);
        header.set_cksum();
        lie[..512].copy_from_slice(header.as_bytes());
        let error = read(&gzip(&tar_of(&[lie]))).unwrap_err();
        assert!(["AB0240", "AB0241"].contains(&error.code()), "{error}");
    }
}

#[test]
fn what_is_cut_off_or_goes_on_behind_its_end() {
    let good = write(&Entries::from([("a".to_owned(), b"x".to_vec())])).unwrap();
    let plain = unpack(&good).unwrap();
    let code = |packed: &[u8]| read(packed).unwrap_err().code();
    assert_eq!(code(b""), "AB0240");
    assert_eq!(code(b"PK\x03\x04"), "AB0240");
    assert_eq!(code(&good[..good.len() - 1]), "AB0240");
    assert_eq!(code(&[good.as_slice(), b"x"].concat()), "AB0240");
    assert_eq!(code(&[good.as_slice(), good.as_slice()].concat()), "AB0240", "a second gzip member");
    assert_eq!(code(&gzip(&plain[..1024])), "AB0240", "no end");
    assert_eq!(code(&gzip(&plain[..600])), "AB0240", "cut in a file");
    assert_eq!(code(&gzip(&[plain.as_slice(), &file("b", b"hidden")].concat())), "AB0240");
    let mut torn = plain;
    torn[0] = b'b';
    assert_eq!(code(&gzip(&torn)), "AB0240", "a wrong checksum");
    for byte in 0..good.len() {
        let mut flipped = good.clone();
        flipped[byte] ^= 0x10;
        if let Ok(files) = read(&flipped) {
            assert_eq!(files["a"], b"x", "only bytes that say nothing may differ");
        }
    }
}

#[test]
fn names_that_fall_together_are_refused() {
    let folder = |name: &str| entry(name.as_bytes(), EntryType::Directory, b"");
    for (one, other) in [("a.rego", "A.rego"), ("lib/a.rego", "LIB/b.rego"), ("x/y/a.rego", "x/Y/a.rego")] {
        let (code, why) = refused(&[file(one, b"1"), file(other, b"2")]);
        assert_eq!(code, "AB0244");
        assert!(why.contains("take for one"), "{why}");
    }
    assert!(refused(&[file("lib/a.rego", b"1"), folder("Lib/")]).1.contains("take for one"));
    for entries in [
        [file("a.rego", b"1"), file("a.rego/b.rego", b"2")],
        [file("a.rego/b/c.rego", b"1"), file("a.rego", b"2")],
        [folder("a.rego"), file("a.rego", b"2")],
    ] {
        let (code, why) = refused(&entries);
        assert_eq!(
            (code, why.as_str()),
            ("AB0244", "the archive has a file `a.rego` and something below it")
        );
    }
    assert!(refused(&[file("a", b"1"), file("A/b.rego", b"2")]).1.contains("take for one"));
    let apart = [folder("lib"), file("lib/a.rego", b"1"), file("lib/b.rego", b"1"), file("lib.rego", b"2")];
    assert_eq!(read(&gzip(&tar_of(&apart))).unwrap().len(), 3);
}
