//! Modules that are not the sealed judge: refused, or made to answer for it and denied. What the real one does is tested in `tests/it/sealed.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use abide_gate::BundleText;
use abide_sandbox::sealed::SealedLimits;
use abide_sandbox::{SealedError, SealedJudge, SealedModule};

const HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// A section of the binary format: its number, its length, its bytes.
fn section(id: u8, bytes: &[u8]) -> Vec<u8> {
    [&[id], leb(bytes.len()).as_slice(), bytes].concat()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let low = u8::try_from(number & 127).unwrap();
        number >>= 7;
        out.push(if number == 0 { low } else { low | 128 });
        if number == 0 {
            return out;
        }
    }
}

/// A signed number of 64 bits as `i64.const` has it.
fn constant(number: i64) -> Vec<u8> {
    let (mut number, mut out) = (number, vec![0x42]);
    loop {
        let low = u8::try_from(number & 127).unwrap();
        number >>= 7;
        let done = (number == 0 && low & 64 == 0) || (number == -1 && low & 64 != 0);
        out.push(if done { low } else { low | 128 });
        if done {
            return out;
        }
    }
}

/// What a function of a fake does.
enum Does {
    /// It says that its reply stands at this address and has this length.
    Points(u32, u32),
    /// It runs these instructions.
    Runs(&'static [u8]),
}

/// A module that looks like the judge: `text` stands at address 16 of its memory.
fn fake(text: &str, load: &Does, decide: &Does) -> Vec<u8> {
    let body = |does: &Does| {
        let code = match does {
            Does::Points(at, length) => constant((i64::from(*at) << 32) | i64::from(*length)),
            Does::Runs(code) => code.to_vec(),
        };
        let body = [&[0], code.as_slice(), &[0x0b]].concat();
        [leb(body.len()), body].concat()
    };
    let export = |name: &str, kind: u8, index: u8| {
        [leb(name.len()), name.as_bytes().to_vec(), vec![kind, index]].concat()
    };
    let exports: Vec<Vec<u8>> = vec![
        export("memory", 2, 0),
        export("room", 0, 0),
        export("load", 0, 1),
        export("load_unchecked", 0, 1),
        export("decide", 0, 2),
    ];
    // room(length) is always at 1024.
    let room: &[u8] = &[5, 0, 0x41, 0x80, 0x08, 0x0b];
    let code = [&[3], room, &body(load), &body(decide)].concat();
    let data = [&[1, 0, 0x41, 16, 0x0b], leb(text.len()).as_slice(), text.as_bytes()].concat();
    [
        HEADER.to_vec(),
        // (i32) -> i32 and () -> i64.
        section(1, &[2, 0x60, 1, 0x7f, 1, 0x7f, 0x60, 0, 1, 0x7e]),
        section(3, &[3, 0, 1, 1]),
        // One memory of two pages.
        section(5, &[1, 0, 2]),
        section(7, &[&[5], exports.concat().as_slice()].concat()),
        section(10, &code),
        section(11, &data),
    ]
    .concat()
}

fn module(bytes: &[u8]) -> Result<Arc<SealedModule>, SealedError> {
    let limits = SealedLimits { decide_ms_max: 100, load_ms_max: 100, ..SealedLimits::SHIPPED };
    SealedModule::new(bytes, None, limits).map(Arc::new)
}

fn loaded(bytes: &[u8]) -> Result<SealedJudge, SealedError> {
    SealedJudge::load(
        &module(bytes).unwrap(),
        BundleText::new(BTreeMap::new(), serde_json::json!({})).unwrap(),
    )
}

const READY: &str = "\"ready\"";

fn ready() -> Does {
    Does::Points(16, 7)
}

#[test]
fn a_module_that_imports_anything_is_refused() {
    // (import "a" "b" (func))
    let importing =
        [HEADER, &section(1, &[1, 0x60, 0, 0]), &section(2, &[1, 1, b'a', 1, b'b', 0, 0])].concat();
    let error = module(&importing).unwrap_err();
    assert_eq!((error.code(), error.to_string().contains("imports `b` of `a`")), ("AB0194", true), "{error}");
}

#[test]
fn what_is_no_judge_is_refused() {
    for bytes in [HEADER, b"", b"(module)", b"\0asm\x0d\0\x01\0"] {
        assert_eq!(module(bytes).unwrap_err().code(), "AB0194");
    }
    let mut cut = fake(READY, &ready(), &ready());
    cut.truncate(cut.len() - 3);
    assert_eq!(module(&cut).unwrap_err().code(), "AB0194");
    // The fake itself is one, so that the tests below are about what it says.
    assert!(loaded(&fake(READY, &ready(), &ready())).is_ok());
}

#[test]
fn what_it_says_of_a_bundle_is_not_believed_unless_it_is_a_reply() {
    for (text, load, code) in [
        (READY, Does::Points(16, 6), "AB0192"),
        (READY, Does::Points(0, 0), "AB0192"),
        (READY, Does::Points(131_070, 7), "AB0192"),
        (READY, Does::Points(u32::MAX >> 1, 7), "AB0192"),
        (READY, Does::Points(16, u32::MAX), "AB0192"),
        ("\"loaded\"", Does::Points(16, 8), "AB0192"),
        // unreachable
        (READY, Does::Runs(&[0x00]), "AB0109"),
        // loop br 0 end, i64.const 0
        (READY, Does::Runs(&[0x03, 0x40, 0x0c, 0, 0x0b, 0x42, 0]), "AB0109"),
        // i32.const -1, memory.grow 0, drop, unreachable: it asked for more than there is, and gave up
        (READY, Does::Runs(&[0x41, 0x7f, 0x40, 0, 0x1a, 0x00]), "AB0198"),
        // i64.load at the end of what 32 bits name
        (READY, Does::Runs(&[0x41, 0x7f, 0x29, 3, 0]), "AB0199"),
        // It calls itself.
        (READY, Does::Runs(&[0x10, 1]), "AB0199"),
    ] {
        let error = loaded(&fake(text, &load, &ready())).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}
