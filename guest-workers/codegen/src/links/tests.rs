use worker_kit::FailureKind;

use crate::testing::{after, run};

/// A document at `docs/guide.md` among these files.
const TREE: [&str; 9] = [
    "docs/setup/install.md",
    "docs/api/auth.md",
    "docs/old/auth.md",
    "img/logo.png",
    "docs/api/README.md",
    "README.md",
    "docs/with space (1).md",
    "src/net/mod.rs",
    "src/io/mod.rs",
];

fn repaired(text: &str) -> Option<String> {
    let mut files: Vec<(&str, &str)> = TREE.iter().map(|path| (*path, "x\n")).collect();
    files.push(("docs/guide.md", text));
    match run("repair-links", &[], &files) {
        Ok(proposal) => Some(after(&proposal, "docs/guide.md", text)),
        Err(failure) => {
            assert_eq!(failure.kind, FailureKind::NothingToDo, "{}", failure.message);
            None
        }
    }
}

fn check(old: &str, new: &str) {
    assert_eq!(repaired(old).as_deref(), Some(new), "{old}");
}

fn left_alone(text: &str) {
    assert_eq!(repaired(text), None, "{text}");
}

#[test]
fn a_moved_file_is_found_by_its_name() {
    check("[a](install.md)\n", "[a](setup/install.md)\n");
    check("[a](./install.md)\n", "[a](./setup/install.md)\n");
    check("[a](../old/place/install.md#first \"Title\")\n", "[a](setup/install.md#first \"Title\")\n");
    check("![logo](logo.png)\n", "![logo](../img/logo.png)\n");
    check("[![logo](logo.png)](install.md)\n", "[![logo](../img/logo.png)](setup/install.md)\n");
    check(
        "[a **b** `c`](install.md) and [d](install.md)\n",
        "[a **b** `c`](setup/install.md) and [d](setup/install.md)\n",
    );
    check("[a](<install.md>)\n", "[a](<setup/install.md>)\n");
    check("[](install.md)\n", "[](setup/install.md)\n");
    check(
        "| [a](install.md) |\n|---|\n| [b](install.md) |\n",
        "| [a](setup/install.md) |\n|---|\n| [b](setup/install.md) |\n",
    );
    check("[folder](../setup/)\n", "[folder](setup/)\n");
}

#[test]
fn reference_definitions_too() {
    check("[a][r]\n\n[r]: install.md 'Title'\n", "[a][r]\n\n[r]: setup/install.md 'Title'\n");
    check("[r]: <install.md#x>\n", "[r]: <setup/install.md#x>\n");
}

#[test]
fn spaces_and_brackets_are_spelled_as_markdown_wants() {
    check("[a](x/with%20space%20%281%29.md)\n", "[a](with%20space%20%281%29.md)\n");
    check("[a](<x/with space (1).md>)\n", "[a](<with space (1).md>)\n");
}

#[test]
fn the_path_decides_between_equal_names() {
    check("[a](../x/api/auth.md)\n", "[a](api/auth.md)\n");
    check("[a](../lib/net/mod.rs)\n", "[a](../src/net/mod.rs)\n");
    check("[a](../handbook/api/README.md)\n", "[a](api/README.md)\n");
}

#[test]
fn what_is_ambiguous_is_left_and_said() {
    left_alone("[a](auth.md)\n");
    left_alone("[a](mod.rs)\n");
    left_alone("[a](gone/README.md)\n");
    let files = [("docs/a/x.md", ""), ("docs/b/x.md", ""), ("docs/guide.md", "\n[a](x.md)\n")];
    let failure = run("repair-links", &[], &files).unwrap_err();
    assert!(
        failure.message.contains("`docs/guide.md:2`: `x.md` could be any of `docs/a/x.md`, `docs/b/x.md`"),
        "{}",
        failure.message
    );
}

#[test]
fn what_is_not_a_broken_relative_link_stays() {
    for text in [
        "[a](https://example.org/install.md) <https://example.org> [m](mailto:install.md)\n",
        "[a](#install.md) [b](/install.md) [c](//host/install.md)\n",
        "`[a](install.md)`\n",
        "```\n[a](install.md)\n```\n",
        "    [a](install.md)\n",
        "<a href=\"install.md\">x</a>\n",
        "\\[a](install.md)\n",
        "[a](setup/install.md) [b](api/) [c](api) [d](setup/install) [e](setup/install.html)\n",
        "[a](../../outside.md)\n",
        "[a]({{ base }}/install.md)\n",
        "---\ntitle: \"[a](install.md)\"\n---\n",
        "[a](gone-for-good.md)\n",
    ] {
        left_alone(text);
    }
}

#[test]
fn only_the_scope_is_read() {
    let mut task = crate::testing::task("repair-links", &[]);
    task.scope = vec!["docs/".to_owned()];
    let files = worker_kit::MemoryFiles::new([
        ("docs/a.md", "[x](y.md)\n"),
        ("b.md", "[x](z.md)\n"),
        ("docs/n/y.md", ""),
        ("docs/n/z.md", ""),
    ]);
    let proposal = crate::propose(&task, &files).unwrap();
    assert_eq!(proposal.patch.files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(), ["docs/a.md"]);
}
