//! Looking at a component that nobody trusts: what it says, and what reading it costs.

use std::collections::BTreeSet;

use abide_sandbox::inspect::{Admission, InspectError, Inspection, VERSION, inspect};
use abide_sandbox::{Capability, InProcess};

use crate::setup::{engine_limits, guest};

const MOST: u64 = 32 << 20;

const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];
const MODULE: [u8; 8] = [0, b'a', b's', b'm', 1, 0, 0, 0];

fn leb(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn text(text: &str) -> Vec<u8> {
    [leb(text.len()), text.as_bytes().to_vec()].concat()
}

fn section(id: u8, payload: &[u8]) -> Vec<u8> {
    [vec![id], leb(payload.len()), payload.to_vec()].concat()
}

fn component(sections: &[Vec<u8>]) -> Vec<u8> {
    [COMPONENT.to_vec(), sections.concat()].concat()
}

fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    [MODULE.to_vec(), sections.concat()].concat()
}

/// A component that imports an empty function under `name`.
fn importing(name: &str) -> Vec<u8> {
    let function = [vec![1, 0x40, 0], vec![1, 0]].concat();
    let import = [vec![1, 0], text(name), vec![1, 0]].concat();
    component(&[section(7, &function), section(10, &import)])
}

fn look(bytes: &[u8]) -> Inspection {
    inspect(bytes, MOST).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(bytes: &[u8]) -> InspectError {
    inspect(bytes, MOST).unwrap_err()
}

#[test]
fn what_a_worker_says_of_itself() {
    let Some(bytes) = guest("codegen") else { return };
    let found = look(&bytes);
    assert_eq!((found.bytes, found.proposes), (u64::try_from(bytes.len()).unwrap(), true));
    assert_eq!(found.capabilities(), ["log", "progress", "workspace"]);
    assert_eq!(
        (found.contract.versions.as_slice(), found.contract.worlds.as_slice()),
        (&[VERSION.to_owned()][..], &["codegen", "testgen", "extract", "browse"][..])
    );
    assert_eq!(
        (found.objections(|_| false), found.exports.as_slice()),
        (vec![], &["propose".to_owned()][..])
    );
    assert!(
        found
            .claims
            .iter()
            .any(|claim| (claim.field.as_str(), claim.name.as_str()) == ("processed-by", "wit-component")),
        "{:?}",
        found.claims
    );
    let parts = &found.parts;
    assert!(parts.modules >= 1 && parts.functions > 100 && parts.memories.len() == 1, "{parts:?}");
    assert_eq!(parts.functions_unchecked, 0);
    assert!(
        parts.memory_bytes() >= 1 << 16 && parts.data_bytes > 1_000 && parts.code_bytes > 100_000,
        "{parts:?}"
    );
}

#[test]
fn looking_and_loading_agree() {
    for name in ["codegen", "testgen", "hostile", "hostile-import"] {
        let Some(bytes) = guest(name) else { return };
        let found = look(&bytes);
        let loaded = InProcess::start(engine_limits()).unwrap().load(&bytes).unwrap();
        let imports: BTreeSet<String> = found.imports.iter().map(|import| import.name.clone()).collect();
        assert_eq!((imports, found.digest), (loaded.imports, loaded.digest), "{name}");
        assert_eq!(found.exports.iter().cloned().collect::<BTreeSet<_>>(), loaded.exports, "{name}");
    }
    let Some(bytes) = guest("hostile-import") else { return };
    let objections = look(&bytes).objections(|_| false);
    assert!(
        matches!(objections.as_slice(), [one] if one.code == "AB0202" && one.what.contains("evil:net/sockets@1.0.0")),
        "{objections:?}"
    );
}

#[test]
fn what_is_no_component() {
    for (bytes, code) in [
        (&b""[..], "AB0801"),
        (b"#!/bin/sh\n", "AB0801"),
        (b" (component)", "AB0840"),
        (b"(module)", "AB0840"),
        (b"\x7fELF\x02\x01\x01", "AB0841"),
        (b"\0asm\x01\0\0\0", "AB0802"),
        (b"\0asm\x0d", "AB0803"),
        (b"\0asm\x0d\0\x01\0\x07\xff\xff", "AB0803"),
        // A section that says it has a gigabyte, a custom one of the same size, and a string of that size.
        (b"\0asm\x0d\0\x01\0\x01\x80\x80\x80\x80\x04", "AB0803"),
        (b"\0asm\x0d\0\x01\0\x00\x80\x80\x80\x80\x04abc", "AB0803"),
        (b"\0asm\x0d\0\x01\0\x0a\x08\x01\x00\x80\x80\x80\x80\x04a", "AB0803"),
        // A vector that says it has a thousand million types.
        (b"\0asm\x0d\0\x01\0\x07\x05\x80\x80\x80\x80\x04", "AB0842"),
    ] {
        let error = refused(bytes);
        assert_eq!(error.code(), code, "{bytes:?}: {error}");
    }
    assert!(matches!(inspect(&COMPONENT, 7), Err(InspectError::TooLarge { bytes: 8, limit: 7 })));
    assert_eq!(
        look(&COMPONENT).objections(|_| false).iter().map(|one| one.code).collect::<Vec<_>>(),
        ["AB0804"]
    );
}

#[test]
fn a_worker_that_asks_the_network_fits_one_world() {
    let Some(bytes) = guest("extract") else { return };
    let found = look(&bytes);
    assert_eq!(found.capabilities(), ["egress", "log", "workspace"]);
    assert_eq!(found.contract.worlds, ["extract"]);
}

#[test]
fn imports_are_told_apart() {
    let admission = |name: &str| look(&importing(name)).imports.pop().unwrap();
    for (name, meant, words) in [
        ("wasi:sockets/tcp@0.2.0", Admission::Stubbable, "network"),
        ("wasi:filesystem/types@0.2.3", Admission::Stubbable, "files"),
        ("wasi:cli/environment@0.2.0", Admission::Stubbable, "environment"),
        ("wasi:quantum/leap@9.0.0", Admission::Stubbable, "does not know"),
        ("evil:net/sockets", Admission::Unknown, "nobody"),
        ("abide:workers/log@0.1.0", Admission::Unknown, "nobody"),
        ("abide:worker/log@0.2.0", Admission::OtherVersion("0.2.0".to_owned()), "another version"),
        ("abide:worker/model@0.1.0", Admission::Unknown, "nobody"),
        ("abide:worker/egress@0.1.0", Admission::Grantable(Capability::Egress), "requests"),
        ("abide:worker/log@0.1.0", Admission::Grantable(Capability::Log), "notes"),
    ] {
        let import = admission(name);
        assert_eq!((import.name.as_str(), &import.admission), (name, &meant));
        assert!(import.meaning.contains(words), "{name}: {}", import.meaning);
    }
    let other = look(&importing("abide:worker/log@0.2.0"));
    assert_eq!(
        (other.contract.versions.as_slice(), other.contract.worlds.len()),
        (&["0.2.0".to_owned()][..], 0)
    );
    let objections = other.objections(|_| false);
    assert_eq!(objections[0].code, "AB0843");
    assert!(
        objections[0].what.contains("abide:worker@0.2.0")
            && objections[0].what.contains("abide:worker@0.1.0")
    );
}

#[test]
fn claims_are_cleaned_and_counted() {
    let producers = |count: usize, name: &str| {
        let values: Vec<u8> = (0..count)
            .flat_map(|at| [text(&format!("{at}{name}")), text("1\u{1b}[2J\u{202e}\n0")].concat())
            .collect();
        section(0, &[text("producers"), vec![1], text("language"), leb(count), values].concat())
    };
    let nested = section(1, &module(&[producers(2, "\u{1b}]0;evil\u{7}Rust")]));
    let found = look(&component(&[nested, producers(50, &"x".repeat(5_000))]));
    assert_eq!(found.claims.len(), 32);
    assert!(
        found.claims.iter().all(|claim| claim.name.len() <= 80 && claim.version == "1 0"),
        "{:?}",
        found.claims
    );
    assert!(found.claims.iter().any(|claim| claim.name == "0Rust"));
    // One that lies about its length claims what can be read of it, and nothing else.
    let broken = section(0, &[text("producers"), vec![9], text("sdk"), vec![0xff, 0xff, 0x7f]].concat());
    assert_eq!(look(&component(&[broken])).claims, []);
}

/// `depth` components, each inside of the one before.
fn nested(depth: usize) -> Vec<u8> {
    // Written from the inside out, back to front, so that it takes no longer than it is.
    let mut reversed: Vec<u8> = COMPONENT.iter().rev().copied().collect();
    for _ in 1..depth {
        let length = leb(reversed.len());
        reversed.extend(length.iter().rev());
        reversed.push(4);
        reversed.extend(COMPONENT.iter().rev());
    }
    reversed.reverse();
    reversed
}

#[test]
fn parts_within_parts_end_somewhere() {
    assert_eq!(look(&nested(20)).parts.components, 19);
    let deep = nested(100_000);
    assert!(deep.len() > 1_000_000);
    assert_eq!(refused(&deep).code(), "AB0842");
}

/// The most memory that this process had since `reset`, in bytes.
fn peak(reset: bool) -> u64 {
    if reset {
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn reading_costs_little_more_than_the_file() {
    let functions = |types: usize| section(1, &[leb(types), [0x60, 0, 0].repeat(types)].concat());
    // As many types as are read; more of them; and bytes that declare types of components, each of them kept many times larger.
    let most = component(&[section(1, &module(&[functions(199_999)]))]);
    let more = component(&[section(1, &module(&[functions(200_001)]))]);
    let declared = [vec![1, 0x42], leb(170_000), [0x01, 0x40, 0x00, 0x01, 0x00].repeat(170_000)].concat();
    let wide = component(&[section(7, &declared)]);
    // A function that pushes a thousand values with every other byte, which nobody sees before it is compiled.
    let thousand = [vec![1, 0x60, 0], leb(1_000), [0x7f].repeat(1_000)].concat();
    let body = [vec![0], [0x10, 0].repeat(3_000_000), vec![0x0b]].concat();
    let code = [vec![1], leb(body.len()), body].concat();
    let pushing =
        component(&[section(1, &module(&[section(1, &thousand), section(3, &[1, 0]), section(10, &code)]))]);
    for (what, bytes, expected) in [
        ("most", &most, None),
        ("more", &more, Some("AB0842")),
        ("wide", &wide, Some("AB0842")),
        ("pushing", &pushing, None),
    ] {
        let before = peak(true);
        let found = inspect(bytes, MOST);
        let grown = peak(false).saturating_sub(before);
        let allowed = (48 << 20) + 4 * u64::try_from(bytes.len()).unwrap();
        assert!(grown <= allowed, "{what}: {} KB for {} bytes", grown >> 10, bytes.len());
        assert_eq!(found.as_ref().err().map(InspectError::code), expected, "{what}: {found:?}");
        if what == "pushing" {
            assert_eq!(found.unwrap().parts.functions_unchecked, 1);
        }
    }
}

#[test]
fn nothing_panics_on_what_was_cut_off_or_changed() {
    let Some(bytes) = guest("hostile-import") else { return };
    let whole = look(&bytes);
    // Each end in the first and last thousands of bytes, where sections begin and end; in the code between, every 97th.
    for end in (0..bytes.len()).filter(|end| *end < 1_500 || *end + 1_500 > bytes.len() || end % 97 == 0) {
        let cut = inspect(&bytes[..end], MOST);
        // Where nothing but a custom section is missing, a shorter file is one, too: with another digest.
        assert!(cut.as_ref().is_err() || cut.unwrap().digest != whole.digest, "{end}");
    }
    let mut changed = bytes.clone();
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(67) {
        for mask in [0x01, 0x80, 0xff] {
            changed[at] ^= mask;
            match inspect(&changed, MOST) {
                Ok(found) => assert_ne!(found.digest, whole.digest),
                Err(_) => refused += 1,
            }
            changed[at] ^= mask;
        }
    }
    assert!(refused > 300, "{refused}");
}
