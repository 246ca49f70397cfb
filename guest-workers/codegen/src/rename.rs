//! Renames an identifier wherever it is used as a whole word: in code, and only if asked in strings or comments.

use worker_kit::lex::{self, Kind, Language};
use worker_kit::{
    Draft, EntryKind, Failure, FailureKind, Files, Notes, Parameters, Proposal, SearchOptions, Source, Task,
    explain, failure, in_scope, is_generated, is_vendored, read_text,
};

/// Matches asked for: what the host gives at most.
const MATCHES_MAX: u32 = 10_000;
/// Files named in the rationale.
const NAMED_MAX: usize = 10;

/// Where to rename.
#[derive(Debug, Clone, Copy)]
struct Places {
    text: bool,
    comments: bool,
}

impl Places {
    fn holds(self, kind: Kind) -> bool {
        match kind {
            Kind::Code => true,
            Kind::Text => self.text,
            Kind::Comment => self.comments,
        }
    }
}

/// What was left alone, for the person who approves.
#[derive(Debug, Default)]
struct LeftAlone {
    in_text: usize,
    in_comments: usize,
    files: Vec<String>,
}

/// The recipe `rename`.
pub(crate) fn rename(
    task: &Task,
    mut parameters: Parameters,
    files: &dyn Files,
) -> Result<Proposal, Failure> {
    let old = identifier(&mut parameters, "old")?;
    let new = identifier(&mut parameters, "new")?;
    let places = Places { text: parameters.flag("in-strings")?, comments: parameters.flag("in-comments")? };
    let merge = parameters.flag("merge")?;
    parameters.done()?;
    if old == new {
        return Err(failure(FailureKind::NothingToDo, format!("`{old}` and `{new}` are the same name")));
    }

    let (mut draft, mut left, mut renamed) = (Draft::default(), LeftAlone::default(), 0_usize);
    let paths = paths_with(files, &old)?;
    let total = paths.len();
    for (done, path) in paths.into_iter().enumerate() {
        worker_kit::report(done, total, &path);
        let Some(text) = read_text(files, &path).map_err(|error| explain(&path, error))? else { continue };
        let language = Language::of_path(&path);
        let (Some(language), true) =
            (language, in_scope(&task.scope, &path) && !is_vendored(&path) && !is_generated(&path, &text))
        else {
            left.files.push(path);
            continue;
        };
        let words = lex::words(language, &text, &old);
        let (wanted, spared): (Vec<_>, Vec<_>) = words.into_iter().partition(|(_, kind)| places.holds(*kind));
        left.in_text += spared.iter().filter(|(_, kind)| *kind == Kind::Text).count();
        left.in_comments += spared.iter().filter(|(_, kind)| *kind == Kind::Comment).count();
        if wanted.is_empty() {
            continue;
        }
        if !merge && lex::words(language, &text, &new).iter().any(|(_, kind)| *kind == Kind::Code) {
            return Err(failure(
                FailureKind::Unsupported,
                format!(
                    "`{new}` is already a name in `{path}`; the two would become one (say `merge=true` if that is meant)"
                ),
            ));
        }
        renamed += wanted.len();
        let replaced = replace(&text, &old, &new, wanted.into_iter().map(|(at, _)| at));
        draft.edit(&path, text, replaced);
    }
    if draft.is_empty() {
        return Err(failure(
            FailureKind::NothingToDo,
            format!("`{old}` is not a name in any file that this recipe reads"),
        ));
    }
    let notes = Notes {
        rationale: rationale(&old, &new, renamed, draft.len(), &left),
        sources: vec![Source {
            location: format!("search `{old}`"),
            note: format!("{renamed} whole-word occurrences"),
        }],
        tests: vec!["the whole test suite: a name is used where no search of text can see it".to_owned()],
        expected: format!(
            "Everything that was called `{old}` is called `{new}`; nothing behaves differently."
        ),
    };
    Ok(draft.propose(task, notes)?)
}

/// Takes a parameter that must be an identifier.
fn identifier(parameters: &mut Parameters, key: &str) -> Result<String, Failure> {
    let name = parameters.require(key)?;
    let mut chars = name.chars();
    let starts = chars.next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == '$');
    if starts && chars.all(|c| c.is_alphanumeric() || c == '_' || c == '$') {
        Ok(name)
    } else {
        Err(failure(FailureKind::BadParameter, format!("parameter `{key}` is not an identifier: `{name}`")))
    }
}

/// Paths of files in which `name` occurs, ascending.
fn paths_with(files: &dyn Files, name: &str) -> Result<Vec<String>, Failure> {
    let options = SearchOptions {
        prefix: String::new(),
        suffixes: Vec::new(),
        ignore_case: false,
        whole_word: false,
        limit: MATCHES_MAX,
    };
    let found = files.search(name, &options).map_err(|error| explain(name, error))?;
    let mut paths: Vec<String> = if found.truncated {
        // Too many to search for: look into every file.
        let all = files.list("").map_err(|error| explain("the repository", error))?;
        all.into_iter()
            .filter(|entry| entry.kind != EntryKind::Symlink && Language::of_path(&entry.path).is_some())
            .map(|entry| entry.path)
            .collect()
    } else {
        found.matches.into_iter().map(|found| found.path).collect()
    };
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn replace(text: &str, old: &str, new: &str, starts: impl Iterator<Item = usize>) -> String {
    let (mut out, mut end) = (String::with_capacity(text.len()), 0);
    for start in starts {
        out.push_str(&text[end..start]);
        out.push_str(new);
        end = start + old.len();
    }
    out.push_str(&text[end..]);
    out
}

fn rationale(old: &str, new: &str, renamed: usize, files: usize, left: &LeftAlone) -> String {
    let mut text =
        format!("Renames `{old}` to `{new}`: {renamed} occurrences as a whole word in {files} files.");
    if left.in_text + left.in_comments > 0 {
        text.push_str(&format!(
            "\nLeft alone: {} in strings and {} in comments (parameters `in-strings`, `in-comments`).",
            left.in_text, left.in_comments
        ));
    }
    if !left.files.is_empty() {
        let named: Vec<String> = left.files.iter().take(NAMED_MAX).map(|path| format!("`{path}`")).collect();
        let more = if left.files.len() > NAMED_MAX {
            format!(" and {} more", left.files.len() - NAMED_MAX)
        } else {
            String::new()
        };
        text.push_str(&format!(
            "\nAlso contain the text, and were not read (out of scope, vendored, generated, or no known language): {}{more}.",
            named.join(", ")
        ));
    }
    text
}

#[cfg(test)]
mod tests;
