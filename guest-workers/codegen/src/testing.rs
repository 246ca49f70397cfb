//! Tasks over files in memory, and what the files become.

use worker_kit::{Failure, FileStatus, MemoryFiles, Parameter, Proposal, Task, TaskLimits};

/// A task with room for everything.
pub(crate) fn task(recipe: &str, parameters: &[(&str, &str)]) -> Task {
    Task {
        id: "t1".into(),
        recipe: recipe.into(),
        parameters: parameters
            .iter()
            .map(|(key, value)| Parameter { key: (*key).into(), value: (*value).into() })
            .collect(),
        scope: Vec::new(),
        base: "0".repeat(40),
        limits: TaskLimits {
            files_max: 100,
            output_bytes_max: 1 << 20,
            workspace_bytes_max: 1 << 24,
            workspace_calls_max: 10_000,
        },
    }
}

/// Runs a recipe over `files`.
pub(crate) fn run(
    recipe: &str,
    parameters: &[(&str, &str)],
    files: &[(&str, &str)],
) -> Result<Proposal, Failure> {
    crate::propose(&task(recipe, parameters), &MemoryFiles::new(files.iter().copied()))
}

/// What `path` becomes, by applying the hunks to `old` in the plainest way.
pub(crate) fn after(proposal: &Proposal, path: &str, old: &str) -> String {
    let Some(file) = proposal.patch.files.iter().find(|file| file.path == path) else {
        return old.to_owned();
    };
    if file.status == FileStatus::Delete {
        return String::new();
    }
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let (mut new, mut at) = (String::new(), 0);
    for hunk in &file.hunks {
        let (header, body) = hunk.split_once('\n').expect("a header");
        let start =
            header[4..].split([',', ' ']).next().expect("a number").parse::<usize>().expect("a number");
        let start = start.saturating_sub(1);
        new.extend(old[at..start].iter().copied());
        at = start;
        let lines: Vec<&str> = body.split_inclusive('\n').collect();
        for (number, line) in lines.iter().enumerate() {
            let unterminated = lines.get(number + 1).is_some_and(|next| next.starts_with('\\'));
            let text = if unterminated { line[1..].trim_end_matches('\n') } else { &line[1..] };
            match line.as_bytes()[0] {
                b' ' => {
                    assert_eq!(old[at], text);
                    new.push_str(text);
                    at += 1;
                }
                b'-' => {
                    assert_eq!(old[at], text);
                    at += 1;
                }
                b'+' => new.push_str(text),
                _ => {}
            }
        }
    }
    new.extend(old[at..].iter().copied());
    new
}
