//! The guide for newcomers, walked as it stands: its commands are run, its files written, and what it prints is looked for.

use std::fs;
use std::path::{Path, PathBuf};

use abide_tests::world::{Said, World, ab};

const GUIDE: &str = include_str!("../../docs/guides/first-rule.md");

/// A fenced block: what stands behind the fence, and the lines.
fn blocks(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(about) if !open => {
                found.push((about, Vec::new()));
                open = true;
            }
            Some(_) => open = false,
            None if open => found.last_mut().unwrap().1.push(line),
            None => {}
        }
    }
    assert!(!open, "a fence is not closed");
    found
}

/// A shell that walks from folder to folder.
struct Walker {
    world: World,
    at: PathBuf,
}

impl Walker {
    /// Runs one line; `# exit N` at its end says how it ends.
    fn run(&mut self, line: &str) -> Said {
        let (command, exit) = match line.split_once("# exit ") {
            Some((command, exit)) => (command.trim(), exit.trim().parse().unwrap()),
            None => (line.trim(), 0),
        };
        if let Some(folder) = command.strip_prefix("cd ") {
            self.at = self.at.join(folder);
            return Said { code: 0, out: String::new(), err: String::new() };
        }
        let command = self.with_item(command);
        let mut shell = self.world.command(Path::new("bash"));
        let path = format!("{}:{}", ab().parent().unwrap().display(), std::env::var("PATH").unwrap());
        shell.env("PATH", path).current_dir(&self.at).args(["-c", &command]);
        let output = shell.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let said =
            Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
        println!("$ {command}\n{}{}", said.out, said.err);
        said.exits(exit)
    }

    /// `command` with the item that waits in place of the one that is printed.
    fn with_item(&self, command: &str) -> String {
        let is_item = |word: &str| word.strip_prefix('q').is_some_and(|rest| rest.parse::<u64>().is_ok());
        let Some(printed) = command.split(' ').find(|word| is_item(word)) else { return command.to_owned() };
        let queue = self.world.ab_at(&self.at, &["--json", "queue"], &[]).exits(0).json();
        let waiting = queue["waiting"].as_array().unwrap();
        assert_eq!(waiting.len(), 1, "`{command}` must mean the one item that waits: {queue}");
        command.replace(printed, waiting[0]["item"].as_str().unwrap())
    }
}

/// One line without frames and runs of white space, items without their number.
fn plain(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c == '│').filter(|word| !word.is_empty());
    let item = |word: &str| word.strip_prefix('q').is_some_and(|rest| rest.parse::<u64>().is_ok());
    words.map(|word| if item(word) { "q" } else { word }).collect::<Vec<_>>().join(" ")
}

/// Asserts that what was printed holds the parts of `line` between `…`, in their order.
fn holds(printed: &str, line: &str) {
    let mut rest = printed;
    for part in line.split('…').map(str::trim).filter(|part| !part.is_empty()) {
        let part = plain(part);
        let Some(place) = rest.find(&part) else { panic!("`{line}` is not printed: {printed}") };
        rest = &rest[place + part.len()..];
    }
}

#[test]
fn the_first_rule_is_walked_as_the_guide_prints_it() {
    let world = World::bare_of_ab(&[]);
    let start = world.beside("walk");
    fs::create_dir(&start).unwrap();
    let mut walker = Walker { world, at: start };
    let mut printed = String::new();
    let mut kinds = Vec::new();
    for (about, lines) in blocks(GUIDE) {
        kinds.push(about.split(' ').next().unwrap());
        match about.split_once(' ') {
            None if about == "sh" => {
                let said: Vec<Said> = lines.iter().map(|line| walker.run(line)).collect();
                printed =
                    said.iter().map(|said| plain(&format!("{}\n{}", said.out, said.err)) + "\n").collect();
            }
            None if about == "text" => lines.iter().for_each(|line| holds(&printed, line)),
            Some(("rego", path)) => {
                let file = walker.at.join(path);
                assert!(file.exists(), "{path}: the guide says to replace it");
                fs::write(file, lines.join("\n") + "\n").unwrap();
            }
            _ => panic!("a block of the guide that nobody walks: {about}"),
        }
    }
    // The walk went through every step.
    for (kind, least) in [("sh", 9), ("text", 6), ("rego", 2)] {
        let count = kinds.iter().filter(|known| **known == kind).count();
        assert!(count >= least, "{count} blocks of {kind}");
    }
    walker.run("ab verify");
}
