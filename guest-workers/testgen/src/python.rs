//! Drafts for a Python module, as pytest reads them.

use std::fmt::Write as _;

use worker_kit::{Failure, Files, WorkspaceError, explain, lex, read_text};

use crate::{Drafts, is_mentioned_in_tests};

mod signature;

use signature::{Function, functions};

/// Drafts tests for up to `max` functions of the module `path`.
pub(crate) fn draft(files: &dyn Files, path: &str, text: &str, max: usize) -> Result<Drafts, Failure> {
    let mut drafts = Drafts::default();
    let Some(module) = module_name(path) else {
        drafts.left.push("its path is not the name of a Python module".to_owned());
        return Ok(drafts);
    };
    let test_path = test_path(files, path)?;
    let existing = match read_text(files, &test_path) {
        Ok(text) => text,
        Err(WorkspaceError::NotFound) => None,
        Err(error) => return Err(explain(&test_path, error)),
    };
    let mut body = String::new();
    let mut uses = Uses::default();
    for function in functions(text) {
        if drafts.drafted.len() >= max {
            break;
        }
        if function.name.starts_with('_')
            || function.name == "main"
            || is_mentioned_in_tests(files, &function.name, ".py")?
        {
            continue;
        }
        let test = format!("test_{}", function.name);
        if existing.as_ref().is_some_and(|text| !lex::words(lex::Language::Python, text, &test).is_empty()) {
            continue;
        }
        body.push_str(&test_function(&test, &function, &mut uses));
        drafts.drafted.push(function.name);
    }
    if !body.is_empty() {
        let head = uses.imports(&module);
        let new = match &existing {
            Some(old) => format!("{}\n\n\n{head}{body}", old.trim_end()),
            None => format!(
                "\"\"\"Drafts of tests for `{module}`: each waits for what must come out.\"\"\"\n\n{head}{body}"
            ),
        };
        drafts.file = Some((test_path, existing, new));
    }
    Ok(drafts)
}

/// What the drafts need besides pytest.
#[derive(Debug, Default)]
struct Uses {
    asyncio: bool,
    pathlib: bool,
}

impl Uses {
    fn imports(&self, module: &str) -> String {
        let mut text = String::new();
        for (wanted, name) in [(self.asyncio, "asyncio"), (self.pathlib, "pathlib")] {
            if wanted {
                let _ = writeln!(text, "import {name}");
            }
        }
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "import pytest\n\nimport {module} as subject");
        text
    }
}

fn test_function(test: &str, function: &Function, uses: &mut Uses) -> String {
    let arguments: Vec<String> = function
        .required
        .iter()
        .map(|parameter| {
            let value = value(parameter.annotation.as_deref(), uses);
            if parameter.by_name { format!("{}={value}", parameter.name) } else { value.to_owned() }
        })
        .collect();
    let mut call = format!("subject.{}({})", function.name, arguments.join(", "));
    if function.is_async {
        uses.asyncio = true;
        call = format!("asyncio.run({call})");
    }
    let body = match function.returns.as_deref().map(str::trim) {
        Some("None" | "NoReturn") => format!("    {call}\n"),
        Some(ty @ ("int" | "float" | "str" | "bytes" | "bool" | "list" | "dict" | "set" | "tuple")) => {
            format!("    answer = {call}\n    assert isinstance(answer, {ty})\n")
        }
        _ => format!("    answer = {call}\n    assert answer is not None\n"),
    };
    format!(
        "\n\n@pytest.mark.skip(reason=\"draft: say what `{}` must do\")\ndef {test}():\n{body}",
        function.name
    )
}

/// The simplest value of an annotation.
fn value(annotation: Option<&str>, uses: &mut Uses) -> &'static str {
    let Some(annotation) = annotation.map(str::trim) else { return "None" };
    let head = annotation.split('[').next().unwrap_or(annotation).trim();
    let name = head.rsplit('.').next().unwrap_or(head);
    if annotation.contains('|') && annotation.split('|').any(|part| part.trim() == "None") {
        return "None";
    }
    match name {
        "int" => "0",
        "float" => "0.0",
        "complex" => "0j",
        "str" => "\"\"",
        "bytes" => "b\"\"",
        "bytearray" => "bytearray()",
        "bool" => "False",
        "list" | "List" | "Sequence" | "Iterable" | "Collection" | "MutableSequence" => "[]",
        "Iterator" | "Generator" => "iter([])",
        "dict" | "Dict" | "Mapping" | "MutableMapping" => "{}",
        "set" | "Set" | "MutableSet" => "set()",
        "frozenset" | "FrozenSet" | "AbstractSet" => "frozenset()",
        "tuple" | "Tuple" => "()",
        "Callable" => "lambda *args, **kwargs: None",
        "Path" | "PurePath" | "PathLike" => {
            uses.pathlib = true;
            "pathlib.Path()"
        }
        _ => "None",
    }
}

/// `pkg/mod.py` as an import writes it; a leading `src` is the folder that is on the path.
fn module_name(path: &str) -> Option<String> {
    let path = path.strip_suffix(".py")?;
    let path = path.strip_prefix("src/").unwrap_or(path);
    let path = path.strip_suffix("/__init__").unwrap_or(path);
    let is_name = |part: &str| {
        !part.starts_with(|c: char| c.is_ascii_digit())
            && !part.is_empty()
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    path.split('/').all(is_name).then(|| path.replace('/', "."))
}

/// In the `tests` folder where there is one, else beside the module.
fn test_path(files: &dyn Files, path: &str) -> Result<String, Failure> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.strip_suffix(".py").unwrap_or(name);
    let stem = if stem == "__init__" { folder.rsplit('/').next().unwrap_or(stem) } else { stem };
    let has_tests = files
        .list("tests/")
        .map_err(|error| explain("tests/", error))?
        .iter()
        .any(|entry| entry.path.ends_with(".py"));
    Ok(match (has_tests, folder) {
        (true, _) => format!("tests/test_{stem}.py"),
        (false, "") => format!("test_{stem}.py"),
        (false, folder) => format!("{folder}/test_{stem}.py"),
    })
}

#[cfg(test)]
mod tests;
