//! What is doubtful beside the rules themselves: no title, zones that are nowhere, waivers that have ended.

use std::collections::BTreeMap;
use std::fs;

use abide_core::facts::config::GlobsConfig;
use abide_core::facts::idle;
use abide_core::id::{RepoId, Timestamp};
use abide_effects::forge::Repo;
use abide_gate::source::Sources;
use serde_json::{Map, Value as Json};

use super::finding::Finding;
use crate::cli::Shell;
use crate::cli::policy::{Files, Which};
use crate::config::{self, Config, ConfigError};
use crate::report::Failure;
use crate::repository;

/// Modules without a `# METADATA` block that says a title and a description.
pub(super) fn untitled(sources: &Sources, files: &Files) -> Vec<Finding> {
    let modules = sources.modules.iter().filter(|(path, _)| files.edited(path).is_some());
    let lacking = modules.filter_map(|(path, text)| lacks(text).map(|what| (path, what)));
    let told = lacking.map(|(path, what)| {
        Finding::about("AB0165", path, what, files).helped(
            "begin the file with `# METADATA`, `# title: …` and `# description: …`, so that others know what it is for",
        )
    });
    told.collect()
}

/// Modules that are named as tests are elsewhere: here they count as rules, and no test in them is ever run.
pub(super) fn misnamed(sources: &Sources, files: &Files) -> Vec<Finding> {
    let modules = sources.modules.keys().filter(|path| files.edited(path).is_some());
    let told = modules.filter_map(|path| {
        let meant = meant(path)?;
        let what = format!("this counts as rules, and tests in it are never run: name it `{meant}`");
        Some(
            Finding::about("AB0166", path, &what, files)
                .helped("tests are in files that end in `_test.rego`"),
        )
    });
    told.collect()
}

/// The name that a file of tests should have had.
fn meant(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?.strip_suffix(".rego")?;
    let of = name.strip_prefix("test_").or_else(|| {
        ["_tests", "-test", "-tests", ".test", "_spec"]
            .into_iter()
            .find_map(|ending| name.strip_suffix(ending))
    });
    of.filter(|of| !of.is_empty()).map(|of| format!("{of}_test.rego"))
}

fn lacks(text: &str) -> Option<&'static str> {
    let before = text.lines().map(str::trim).take_while(|line| line.starts_with('#') || line.is_empty());
    let mut block = before.skip_while(|line| *line != "# METADATA");
    if block.next().is_none() {
        return Some("there is no `# METADATA` block before the package");
    }
    let lines = block.take_while(|line| line.starts_with('#'));
    let yaml: Vec<&str> =
        lines.map(|line| line.strip_prefix("# ").unwrap_or_else(|| line.trim_start_matches('#'))).collect();
    let Ok(fields) = serde_saphyr::from_str::<Map<String, Json>>(&yaml.join("\n")) else {
        return Some("the `# METADATA` block is not YAML");
    };
    let says = |key| fields.get(key).and_then(Json::as_str).is_some_and(|text| !text.trim().is_empty());
    match (says("title"), says("description")) {
        (true, true) => None,
        (false, _) => Some("the `# METADATA` block has no `title`"),
        (true, false) => Some("the `# METADATA` block has no `description`"),
    }
}

/// What is wrong with `ab.yml` in the work tree, for a repository's own rules: with it, nothing runs once it is committed.
pub(super) fn settings(shell: &Shell, which: &Which) -> Result<Option<Finding>, Failure> {
    if which.dir.is_some() {
        return Ok(None);
    }
    let known = repository::open(shell, which.repo.as_deref())?;
    let Some(file) = known.repo.work_dir().map(|folder| folder.join(config::FILE)) else { return Ok(None) };
    let Ok(bytes) = fs::read(&file) else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    Ok(match Config::parse(&text, &known.state.repository.target) {
        Ok(_) => None,
        Err(ConfigError::Shape { why, offset, .. }) => {
            let before = text.get(..offset.unwrap_or(0)).unwrap_or_default();
            let line = before.matches('\n').count().saturating_add(1);
            Some(Finding::of_settings("AB0010", line, &why))
        }
        Err(error @ ConfigError::Value { .. }) => Some(Finding::of_settings("AB0011", 1, &error.to_string())),
    })
}

/// Zones whose globs match no file of the repository: a rule about them looks on and is off.
pub(super) fn idle_zones(
    shell: &Shell,
    which: &Which,
    sources: &Sources,
    files: &Files,
) -> Result<Vec<Finding>, Failure> {
    let zones = sources.data.get("zones").cloned().and_then(|zones| serde_json::from_value(zones).ok());
    let Some(zones): Option<BTreeMap<String, GlobsConfig>> = zones else { return Ok(Vec::new()) };
    let Some(paths) = paths(shell, which, files)? else { return Ok(Vec::new()) };
    let data = "data/zones.yaml";
    Ok(match idle(&zones, paths.iter().map(Vec::as_slice)) {
        Ok(names) => names
            .iter()
            .map(|name| {
                let message = format!("zone `{name}`: no file of the repository is in it");
                Finding::about("AB0164", data, &message, files)
                    .helped("its globs match whole paths from the top of the repository, such as `src/**`")
            })
            .collect(),
        Err(error) => vec![Finding::about("AB0164", data, &error.to_string(), files)],
    })
}

/// Every path at `HEAD` of the repository around the folder; `None` where there is none, or it has no commit.
fn paths(shell: &Shell, which: &Which, files: &Files) -> Result<Option<Vec<Vec<u8>>>, Failure> {
    let repo = if which.dir.is_none() {
        repository::open(shell, which.repo.as_deref())?.repo
    } else {
        let around = which.repo.as_deref().unwrap_or(&files.folder);
        let Ok(git_dir) = repository::git_dir(Some(around)) else { return Ok(None) };
        let probe: RepoId = "probe".parse().map_err(|error| Failure::of("AB0003", error))?;
        Repo::open(&git_dir, probe).map_err(|error| Failure::of(error.code(), error))?
    };
    let head = repo.head_branch().ok().flatten().and_then(|branch| repo.branch(&branch).ok());
    let Some(head) = head else { return Ok(None) };
    let entries = repo.list_tree_at(&head, None).map_err(|error| Failure::of(error.code(), error))?;
    Ok(Some(entries.into_iter().map(|entry| entry.path).collect()))
}

/// Waivers that have ended, or whose end is no moment. An ended one does nothing, and says that it does.
pub(super) fn ended_waivers(sources: &Sources, files: &Files, now: Timestamp) -> Vec<Finding> {
    let waivers = sources.data.get("waivers").and_then(Json::as_array);
    let ended = waivers.into_iter().flatten().filter_map(|waiver| {
        let text = |key| waiver.get(key).and_then(Json::as_str).unwrap_or_default();
        let until: Result<jiff::Timestamp, _> = text("until").parse();
        match until {
            Ok(until) if until.as_millisecond() > i64::try_from(now.0).unwrap_or(i64::MAX) => None,
            Ok(_) => Some(format!("the waiver of `{}` ended at {}", text("rule"), text("until"))),
            Err(_) => Some(format!(
                "the waiver of `{}` ends at `{}`, which is no moment",
                text("rule"),
                text("until")
            )),
        }
    });
    let help = "take it away, or have it granted anew; an end is spelled 2027-01-31T00:00:00Z";
    ended.map(|message| Finding::about("AB0163", "data/waivers.yaml", &message, files).helped(help)).collect()
}

#[cfg(test)]
mod tests {
    use super::lacks;

    #[test]
    fn a_title_and_a_description_before_the_package() {
        let lacks = |text: &str| lacks(text).unwrap_or("nothing");
        assert_eq!(lacks("# METADATA\n# title: a\n# description: b\npackage x\n"), "nothing");
        assert_eq!(
            lacks("# Copyright\n\n# METADATA\n# title: a\n# description: >\n#   b\n\npackage x\n"),
            "nothing"
        );
        assert!(lacks("# METADATA\n# description: b\npackage x\n").contains("`title`"));
        assert!(lacks("# METADATA\n# title: a\n# description: \"\"\npackage x\n").contains("`description`"));
        assert!(lacks("# METADATA\n# title: [\npackage x\n").contains("not YAML"));
        assert!(lacks("package x\n# METADATA\n# title: a\n# description: b\n").contains("no `# METADATA`"));
    }
}
