//! The mutation check: takes away one question to the gate at a time and sees the build or a test fail.
//!
//! Works on a copy below the target folder. A mutant that builds and passes is an effect that nobody asked about.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::guests;

/// Files that ask the gate.
const DRIVES: [&str; 4] = [
    "host/abide/src/drive.rs",
    "host/abide/src/drive/work.rs",
    "host/abide/src/drive/land.rs",
    "host/abide/src/drive/deploy.rs",
];
/// How a question to the gate begins.
const QUESTION: &str = "let Answer::Go";
/// Questions that there are at least; fewer means that this check looks in the wrong place.
const QUESTIONS_MIN: usize = 8;

/// Lines inside the gate without which a permit would be worth less, and what each becomes.
const GATE: [(&str, &str, &str); 4] = [
    ("host/abide-gate/src/gate.rs", "let seq = self.log.append(&record)?;", "let seq = Seq(record.at.0);"),
    ("host/abide-gate/src/gate.rs", "return Err(AdmitError::Facts);", ""),
    ("host/abide-gate/src/permit.rs", "if state.halted || state.epoch != self.epoch {", "if false {"),
    ("host/abide-gate/src/permit.rs", "if self.clock.now() >= self.expires {", "if false {"),
];

/// Notices a question that is gone.
const BUILD: &[&str] = &["check", "--quiet", "--package", "abide"];
/// Notices a gate that asks less.
const TEST: &[&str] = &["test", "--quiet", "--package", "abide-gate", "--lib"];

/// Runs the check.
pub fn run() -> Result<()> {
    let root = guests::root()?;
    let copy = guests::target_directory(&root)?.join("mutants");
    copy_tree(&root, &copy)?;
    // The copy itself must build and pass, or every mutant would look noticed.
    for cargo in [BUILD, TEST] {
        ensure!(
            passes(&copy, cargo)?,
            "the copy does not pass `cargo {}` before anything is taken away",
            cargo.join(" ")
        );
    }
    let mut survivors = Vec::new();
    let mut questions = 0;
    for file in DRIVES {
        let text = fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
        for (place, _) in text.match_indices(QUESTION) {
            questions += 1;
            let end = statement_end(&text[place..])
                .with_context(|| format!("{file}: a question without an end"))?;
            let mutant = format!("{}{}", &text[..place], &text[place + end..]);
            let line = text[..place].lines().count();
            if survives(&copy, file, &text, &mutant, BUILD)? {
                survivors.push(format!("{file}:{line}"));
            }
        }
    }
    ensure!(questions >= QUESTIONS_MIN, "only {questions} questions to the gate were found");
    for (file, line, other) in GATE {
        let text = fs::read_to_string(root.join(file)).with_context(|| file.to_owned())?;
        ensure!(text.contains(line), "{file} has no line `{line}`: bring this list up to date");
        if survives(&copy, file, &text, &text.replace(line, other), TEST)? {
            survivors.push(format!("{file}: {line}"));
        }
    }
    if !survivors.is_empty() {
        bail!("mutants that nothing noticed: {}", survivors.join(", "));
    }
    println!(
        "{questions} questions to the gate and {} lines of it: none can be taken away unnoticed",
        GATE.len()
    );
    Ok(())
}

/// Bytes up to the end of the statement that `text` begins with: the first `;` outside of all brackets.
fn statement_end(text: &str) -> Option<usize> {
    let mut depth = 0_i32;
    text.char_indices().find_map(|(place, c)| {
        match c {
            '(' | '{' | '[' => depth += 1,
            ')' | '}' | ']' => depth -= 1,
            ';' if depth == 0 => return Some(place + 1),
            _ => {}
        }
        None
    })
}

fn survives(copy: &Path, file: &str, whole: &str, mutant: &str, cargo: &[&str]) -> Result<bool> {
    let path = copy.join(file);
    fs::write(&path, mutant)?;
    let survived = passes(copy, cargo)?;
    fs::write(&path, whole)?;
    eprintln!("{} {file}", if survived { "SURVIVED" } else { "noticed " });
    Ok(survived)
}

fn passes(copy: &Path, cargo: &[&str]) -> Result<bool> {
    let mut command = Command::new("cargo");
    command.args(cargo).current_dir(copy).env("CARGO_TARGET_DIR", copy.join("target"));
    Ok(command.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success())
}

/// Copies what git tracks, as it is in the work tree.
fn copy_tree(root: &Path, copy: &Path) -> Result<()> {
    let listed = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root)
        .output()
        .context("git cannot be started")?;
    ensure!(listed.status.success(), "git ls-files failed");
    for name in String::from_utf8(listed.stdout)?.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (root.join(name), copy.join(name));
        if let (true, Some(parent)) = (from.is_file(), to.parent()) {
            fs::create_dir_all(parent)?;
            fs::copy(from, to)?;
        }
    }
    Ok(())
}
