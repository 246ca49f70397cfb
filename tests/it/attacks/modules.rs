//! Workers of a few instructions each, that do one wrong thing: what no compiler of a language would make.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What all of them have: a memory, a place for what the host hands over, and imports where one is used.
const REALLOC: &str = r#"
  (global $top (mut i32) (i32.const 1024))
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
    (global.set $top (i32.add (local.get $at) (local.get 3)))
    (local.get $at))"#;

const MEMORY: &str = r#"(memory (export "memory") 4)"#;

/// A task, as the host hands it over: texts and lists by place and length.
const TASK: &str = "i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i64 i32";

const POST: &str = r#"(func (export "cabi_post_propose") (param i32))"#;

/// Answers with a failure whose text is at 64 and has `$length` bytes.
const FAIL: &str = r#"
    (i32.store8 (i32.const 16) (i32.const 1))
    (i32.store8 (i32.const 20) (i32.const 5))
    (i32.store (i32.const 24) (i32.const 64))"#;

fn module(imports: &str, memory: &str, rest: &str, propose: &str) -> String {
    let realloc = if rest.contains("cabi_realloc") { "" } else { REALLOC };
    let post = if rest.contains("cabi_post_propose") { "" } else { POST };
    format!(
        r#"(module {imports} {memory} {realloc} {post} {rest} (func (export "propose") (param {TASK}) (result i32) {propose}))"#
    )
}

fn plain(rest: &str, propose: &str) -> String {
    module("", MEMORY, rest, propose)
}

/// Name, text of the core module, and the code with which its task has to end.
pub(super) fn all() -> Vec<(&'static str, String, &'static str)> {
    let log = r#"(import "abide:worker/log@0.1.0" "write" (func $write (param i32 i32 i32)))"#;
    let forever = "(loop $again (br $again)) (unreachable)";
    let fail_with =
        |length: &str| format!("{FAIL} (i32.store (i32.const 28) (i32.const {length})) (i32.const 16)");
    // A thousand files that all are the same text of 64 KiB, which each of them is to be given as.
    let amplify = r#"(local $at i32)
        (loop $next
          (i32.store (i32.add (i32.const 70000) (local.get $at)) (i32.const 131072))
          (i32.store (i32.add (i32.const 70004) (local.get $at)) (i32.const 65536))
          (local.set $at (i32.add (local.get $at) (i32.const 36)))
          (br_if $next (i32.lt_u (local.get $at) (i32.const 36000))))
        (i32.store (i32.const 24) (i32.const 70000))
        (i32.store (i32.const 28) (i32.const 1000))
        (i32.const 16)"#;
    vec![
        ("trap at the start", plain("(func $s (unreachable)) (start $s)", "(i32.const 0)"), "AB0812"),
        (
            "loop at the start",
            plain(
                &format!("(func $s (result i32) {forever}) (func $t (drop (call $s))) (start $t)"),
                "(i32.const 0)",
            ),
            "AB0211",
        ),
        ("loop", plain("", forever), "AB0211"),
        (
            "bulk operations without end",
            module(
                "",
                r#"(memory (export "memory") 256)"#,
                "",
                "(loop $again (memory.fill (i32.const 65536) (i32.const 7) (i32.const 16000000)) (br $again)) (unreachable)",
            ),
            "AB0211",
        ),
        (
            "copies without end",
            module(
                "",
                r#"(memory (export "memory") 256)"#,
                "",
                "(loop $again (memory.copy (i32.const 65536) (i32.const 65537) (i32.const 16000000)) (br $again)) (unreachable)",
            ),
            "AB0211",
        ),
        (
            "a table without end",
            plain(
                "(table $t 1 funcref)",
                "(loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)))) (unreachable)",
            ),
            "AB0212",
        ),
        (
            "memory without end",
            plain(
                "",
                "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (unreachable)",
            ),
            "AB0212",
        ),
        (
            "all memory at once",
            module("", r#"(memory (export "memory") 65536)"#, "", "(i32.const 0)"),
            "AB0808",
        ),
        (
            "a stack without end",
            plain(
                "(func $deep (param i32) (result i32) (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (local.get 0)))",
                "(call $deep (i32.const 0))",
            ),
            "AB0213",
        ),
        ("an answer beyond its memory", plain("", "(i32.const -16)"), "AB0812"),
        ("an answer that is not aligned", plain("", "(i32.const 17)"), "AB0812"),
        (
            "an answer of no kind",
            plain("", "(i32.store8 (i32.const 16) (i32.const 7)) (i32.const 16)"),
            "AB0812",
        ),
        (
            "a failure of no kind",
            plain(
                "",
                "(i32.store8 (i32.const 16) (i32.const 1)) (i32.store8 (i32.const 20) (i32.const 99)) (i32.const 16)",
            ),
            "AB0812",
        ),
        ("a text of 2 GiB", plain("", &fail_with("0x7fffffff")), "AB0812"),
        (
            "a text of 60 MiB",
            module("", r#"(memory (export "memory") 1000)"#, "", &fail_with("62914560")),
            "AB0214",
        ),
        (
            "a text that is no UTF-8",
            plain("", &format!("(i32.store8 (i32.const 64) (i32.const 0xff)) {}", fail_with("1"))),
            "AB0812",
        ),
        ("a small memory that is told a thousand times", plain("", amplify), "AB0214"),
        (
            "a list of four billion files",
            plain(
                "",
                "(i32.store (i32.const 24) (i32.const 1024)) (i32.store (i32.const 28) (i32.const -1)) (i32.const 16)",
            ),
            "AB0812",
        ),
        (
            "a trap where it cleans up",
            plain(r#"(func (export "cabi_post_propose") (param i32) (unreachable))"#, &fail_with("1")),
            "AB0812",
        ),
        (
            "a loop where it cleans up",
            plain(
                &format!(
                    r#"(func $forever (result i32) {forever}) (func (export "cabi_post_propose") (param i32) (drop (call $forever)))"#
                ),
                &fail_with("1"),
            ),
            "AB0211",
        ),
        (
            "a loop where it makes room",
            plain(
                &format!(r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {forever})"#),
                &fail_with("1"),
            ),
            "AB0211",
        ),
        (
            "room beyond its memory",
            plain(
                r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const -16))"#,
                &fail_with("1"),
            ),
            "AB0812",
        ),
        (
            "a call out where it makes room",
            module(
                log,
                MEMORY,
                r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (call $write (i32.const 1) (i32.const 64) (i32.const 1)) (i32.const 1024))"#,
                &fail_with("1"),
            ),
            "AB0812",
        ),
        (
            "a call out where it cleans up",
            module(
                log,
                MEMORY,
                r#"(func (export "cabi_post_propose") (param i32) (call $write (i32.const 1) (i32.const 64) (i32.const 1)))"#,
                &fail_with("1"),
            ),
            "AB0812",
        ),
        (
            "a note beyond its memory",
            module(
                log,
                MEMORY,
                "",
                &format!(
                    "(call $write (i32.const 1) (i32.const 64) (i32.const 0x7fffffff)) {}",
                    fail_with("1")
                ),
            ),
            "AB0812",
        ),
        (
            "a note of no level",
            module(
                log,
                MEMORY,
                "",
                &format!("(call $write (i32.const 77) (i32.const 64) (i32.const 1)) {}", fail_with("1")),
            ),
            "AB0812",
        ),
        ("division by zero", plain("", "(i32.div_u (i32.const 1) (i32.const 0))"), "AB0812"),
        (
            "a function that is not there",
            plain(
                "(type $f (func (result i32))) (table $t 4 funcref)",
                "(call_indirect $t (type $f) (i32.const 2))",
            ),
            "AB0812",
        ),
    ]
}

/// A component of world `codegen` around the core module that `text` describes.
pub(super) fn component(text: &str) -> Vec<u8> {
    let mut module = wat::parse_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some("codegen")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
}
