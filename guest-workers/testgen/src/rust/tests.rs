use std::process::Command;

use worker_kit::{FailureKind, MemoryFiles};

use super::draft;
use crate::testing::{Folder, run};

const MODULE: &str = r#"//! A module with a bit of everything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A shape.
#[derive(Debug, Default)]
pub struct Shape {
    w: u32,
}

pub struct Opaque<'a>(&'a str);

pub struct Counter(u64);

impl Shape {
    pub fn area(&self, by: f64) -> f64 { f64::from(self.w) * by }
    pub fn grow(&mut self, by: u32) { self.w += by; }
    pub fn split(self) -> (u32, u32) { (self.w, self.w) }
    pub fn boxed(self: Box<Self>) -> u32 { self.w }
    fn hidden(&self) {}
}

impl Counter {
    pub fn new() -> Self { Self(0) }
    pub fn next(&mut self) -> u64 { self.0 += 1; self.0 }
}

impl<'a> Opaque<'a> {
    pub fn text(&self) -> &str { self.0 }
}

pub fn numbers(a: u8, b: i128, c: usize, d: bool, e: char, f: f32) -> String { format!("{a}{b}{c}{d}{e}{f}") }
pub fn text(a: &str, b: String, c: &[u8], d: &Path, e: PathBuf) -> usize { a.len() + b.len() + c.len() + d.as_os_str().len() + e.as_os_str().len() }
pub fn containers(a: Vec<Opaque<'_>>, b: BTreeMap<String, u8>, c: Option<Opaque<'_>>, d: [u8; 4], e: (u8, &str)) {}
pub fn references(a: &mut Vec<u8>, b: &Option<u8>, c: &mut [u8], d: &Shape) -> bool { a.is_empty() }
pub fn convert(a: impl Into<String>, b: impl AsRef<Path>) -> String { a.into() }
pub fn callback(f: impl Fn(u8)) { f(1) }
pub fn generic<T: Default>(t: T) -> T { t }
pub fn opaque(a: Opaque<'_>) -> usize { a.0.len() }
pub unsafe fn dangerous(a: u8) -> u8 { a }
pub async fn later(a: u8) -> u8 { a }
pub fn never() -> ! { panic!() }
pub fn fails(a: u8) -> Result<u8, String> { Ok(a) }
pub fn tested(a: u8) -> u8 { a }
#[cfg(windows)]
pub fn windows_only() {}
fn private() {}
pub(crate) fn internal() {}
pub fn r#match(a: u8) -> u8 { a }
"#;

/// Compiles `text` as a library with its tests, treating unused results as errors.
#[expect(clippy::disallowed_methods, reason = "the real compiler says whether drafts compile")]
fn compiles(name: &str, text: &str) {
    let folder = Folder::new(name);
    let file = folder.0.join("lib.rs");
    std::fs::write(&file, text).unwrap();
    let output = Command::new("rustc")
        .args([
            "--edition=2024",
            "--crate-type=lib",
            "--test",
            "--emit=metadata",
            "-Dunused_must_use",
            "--out-dir",
        ])
        .arg(&folder.0)
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}\n{text}", String::from_utf8_lossy(&output.stderr));
}

fn drafted(text: &str) -> (Vec<String>, Vec<String>, String) {
    let drafts = draft(&MemoryFiles::new([("src/lib.rs", text)]), "src/lib.rs", text, 100).unwrap();
    let new = drafts.file.map(|(_, _, new)| new).unwrap_or_default();
    (drafts.drafted, drafts.left, new)
}

#[test]
fn every_draft_compiles() {
    let (drafted, left, new) = drafted(MODULE);
    compiles("every", &new);
    assert_eq!(
        drafted,
        [
            "Shape::area",
            "Shape::grow",
            "Shape::split",
            "Shape::boxed",
            "Counter::new",
            "Counter::next",
            "Opaque::text",
            "numbers",
            "text",
            "containers",
            "references",
            "convert",
            "opaque",
            "dangerous",
            "later",
            "never",
            "fails",
            "tested",
            "r#match",
        ]
        .map(str::to_owned)
        .into_iter()
        .filter(|name| name != "Opaque::text")
        .collect::<Vec<_>>()
    );
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(new.contains("super::numbers(0, 0, 0, false, 'a', 0.0)"), "{new}");
}

#[test]
fn drafts_join_the_module_that_is_there() {
    let text = "pub fn a(x: u8) -> u8 { x }\npub fn b() {}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn works() {\n        assert_eq!(a(1), 1);\n    }\n}\n";
    let (drafted, _, new) = drafted(text);
    assert_eq!(drafted, ["b"]);
    assert!(new.ends_with("    #[test]\n    #[ignore = \"draft: say what `b` must do\"]\n    fn b_of_the_simplest_input() {\n        super::b();\n    }\n}\n"), "{new}");
    compiles("join", &new);
}

#[test]
fn drafts_join_the_file_that_is_there() {
    let module = "pub fn a() {}\npub fn b() {}\n\n#[cfg(test)]\nmod tests;\n";
    let tests = "use super::*;\n\n#[test]\nfn works() {\n    a();\n}\n";
    let proposal = run(&[], &[("src/shape.rs", module), ("src/shape/tests.rs", tests)]).unwrap();
    assert_eq!(
        proposal.patch.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        ["src/shape/tests.rs"]
    );
    assert!(
        proposal.rationale.contains("`b` in `src/shape.rs`") && !proposal.rationale.contains("`a`"),
        "{}",
        proposal.rationale
    );
}

#[test]
fn a_mention_in_any_test_is_enough() {
    let files = [("src/lib.rs", "pub fn a() {}\n"), ("tests/it.rs", "fn t() { x::a(); }\n")];
    assert_eq!(run(&[], &files).unwrap_err().kind, FailureKind::NothingToDo);
    let files = [("src/lib.rs", "pub fn a() {}\n"), ("src/other.rs", "fn t() { crate::a(); }\n")];
    run(&[], &files).unwrap();
}

#[test]
fn a_name_that_is_not_the_standard_one_is_not_trusted() {
    let text = "pub mod own { pub struct Vec; pub struct Duration(u8); }\nuse own::{Vec, Duration as D};\npub fn a(x: Vec) {}\npub fn b(x: D) {}\n";
    let (drafted, _, new) = drafted(text);
    assert_eq!(drafted, ["a", "b"]);
    assert!(new.contains("let _function = super::a;") && new.contains("let _function = super::b;"), "{new}");
    compiles("own", &new);
}

#[test]
fn limits_and_nonsense() {
    let files = [("src/lib.rs", "pub fn a() {}\npub fn b() {}\n")];
    assert_eq!(run(&[("max", "1")], &files).unwrap().patch.files[0].hunks[0].matches("#[test]").count(), 1);
    assert_eq!(run(&[("max", "0")], &files).unwrap_err().kind, FailureKind::BadParameter);
    assert_eq!(run(&[("path", "README.md")], &files).unwrap_err().kind, FailureKind::BadParameter);
    assert_eq!(run(&[], &[("src/lib.rs", "this is not rust")]).unwrap_err().kind, FailureKind::NothingToDo);
}
