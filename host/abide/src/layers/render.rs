//! From a document that tightens to a module of findings. What is rendered stands in the recorded bundle, so a decision by it can be made again.
//!
//! Rules are written so that they say something only where they bind, and each stands alone: there is no helper that another file of the same
//! package could answer for.

use abide_core::action::ActionClass;
use serde_json::json;

use super::tighten::{Tighten, pattern_name};
use super::{Source, TIGHTEN};
use crate::config::{self, Level};

/// Every class but the way back, which nothing here closes.
const FORWARD: &str = "input.action.class != \"ROLLBACK\"";

/// The module of `source`; nothing if it tightens nothing that a rule would say.
pub(crate) fn module(source: Source, document: &Tighten) -> Option<String> {
    let maker = Maker { source };
    let mut rules: Vec<String> = Vec::new();
    rules.extend(document.levels.iter().flat_map(|(class, level)| maker.ceiling(*class, *level)));
    rules.extend(maker.caps(document));
    rules.extend(maker.thresholds(document));
    rules.extend(maker.places(document));
    rules.extend(maker.patterns(document));
    rules.extend(maker.choices(document));
    rules.extend(maker.quality(document));
    let (package, about) = match source {
        Source::AbYml => ("ab_yml".to_owned(), "What `safety_settings` tightens.".to_owned()),
        Source::Layer(abide_gate::source::Layer::Repository) => {
            ("tighten".to_owned(), "What the repository tightens.".to_owned())
        }
        Source::Layer(layer) => {
            (format!("{}_tighten", layer.name()), format!("What the {} tightens.", layer.name()))
        }
    };
    let file = source.document();
    // What the host measures by belongs to the record, too.
    let made_of = match source {
        Source::AbYml => String::new(),
        Source::Layer(_) => format!("{DOCUMENT}{}\n", json!(document)),
    };
    let header = format!(
        "# METADATA\n# title: Made of {file}\n# description: {about}\npackage abide.layers.{package}\n\nimport rego.v1\n\n{made_of}"
    );
    (!rules.is_empty()).then(|| format!("{header}{}", rules.join("\n")))
}

/// How the line begins that holds the document.
const DOCUMENT: &str = "# document: ";

/// The document that a module was made of, as JSON.
pub(crate) fn document_in(module: &str) -> Option<String> {
    module.lines().find_map(|line| line.strip_prefix(DOCUMENT)).map(str::to_owned)
}

impl Source {
    /// The file that a person edits.
    pub(crate) fn document(self) -> &'static str {
        match self {
            Self::Layer(_) => TIGHTEN,
            Self::AbYml => config::FILE,
        }
    }

    /// How `ab.yml` calls what a document calls `key`.
    fn key(self, key: &str) -> String {
        let own = match (self, key) {
            (Self::Layer(_), _) => return format!("`{key}` in {TIGHTEN} of the {}", self.name()),
            (Self::AbYml, "thresholds") => "safety_settings.max_change_size",
            (Self::AbYml, "rollback_threshold_permille") => "safety_settings.rollback_threshold",
            (Self::AbYml, "require_tests") => "safety_settings.require_tests",
            (Self::AbYml, other) => other,
        };
        format!("`{own}` in {}", config::FILE)
    }
}

/// One finding: its `if` is `when`, line by line.
struct Rule<'a> {
    id: &'a str,
    level: &'a str,
    /// An expression: a text in quotes, or a call of `sprintf`.
    msg: String,
    help: String,
    path: bool,
    when: Vec<String>,
}

impl Rule<'_> {
    fn text(&self) -> String {
        let path = if self.path { "\t\"path\": file.path,\n" } else { "" };
        format!(
            "findings contains {{\n\t\"rule\": \"{}\",\n\t\"level\": \"{}\",\n\t\"msg\": {},\n{path}\t\"help\": {},\n}} if {{\n\t{}\n}}\n",
            self.id,
            self.level,
            self.msg,
            quoted(&self.help),
            self.when.join("\n\t")
        )
    }
}

/// A text of Rego, which spells texts as JSON does.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// A set of texts.
fn set<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.map(quoted).collect();
    format!("{{{}}}", texts.join(", "))
}

struct Maker {
    source: Source,
}

impl Maker {
    fn help(&self, what: &str, key: &str) -> String {
        format!("{what}: {}", self.source.key(key))
    }

    /// A ceiling binds where the level in force is above it: the action then counts as it would at the ceiling. A merge that is `auto` there still
    /// has to be one that is made alone at that level.
    fn ceiling(&self, class: ActionClass, level: Level) -> Vec<String> {
        let (number, whose) = (level.number(), self.source.name());
        let rows: &[(&str, &str)] = match class {
            ActionClass::Deploy => &[
                ("DEPLOY", "input.action.kind != \"promote\""),
                ("PROMOTE", "input.action.kind == \"promote\""),
            ],
            ActionClass::Merge => &[("MERGE", "input.action.class == \"MERGE\"")],
            ActionClass::Plan
            | ActionClass::Fetch
            | ActionClass::Generate
            | ActionClass::Execute
            | ActionClass::Write
            | ActionClass::Rollback => &[("", "")],
        };
        let mut rules = Vec::new();
        for (row, which) in rows {
            let row = if row.is_empty() { class.as_str() } else { row };
            let above = || {
                let mut when = vec![format!("input.action.class == \"{class}\"")];
                when.extend((class == ActionClass::Deploy).then(|| (*which).to_owned()));
                when.push(format!("data.abide.levels.level > {number}"));
                when
            };
            for (outcome, level, says) in
                [("review", "review", "waits for a person"), ("deny", "deny", "is done by a person")]
            {
                let mut when = above();
                when.push(format!("data.levels.{row}[{number}] == \"{outcome}\""));
                rules.push(self.level_rule(
                    level,
                    &format!("{row} above A{number} {says}: so says the {whose}"),
                    when,
                ));
            }
            if class == ActionClass::Merge {
                let mut when = above();
                when.push(format!("data.levels.{row}[{number}] == \"auto\""));
                when.push(format!("fitting := [auto | some auto in data.merge.auto; auto.level <= {number}; input.risk.band in auto.bands; data.abide.change.required_passed >= auto.checks_min; data.abide.change.only(auto.only)]"));
                when.push("count(fitting) == 0".to_owned());
                let says =
                    format!("at A{number}, the most that the {whose} gives, this waits for one who reviews");
                rules.push(self.level_rule("review", &says, when));
            }
        }
        rules
    }

    fn level_rule(&self, level: &str, says: &str, when: Vec<String>) -> String {
        let help = self.help("a person looks at it", "levels");
        Rule { id: "level-ceiling", level, msg: quoted(says), help, path: false, when }.text()
    }

    fn caps(&self, document: &Tighten) -> Vec<String> {
        let caps = &document.caps;
        let sums = [
            ("files", "files", caps.files_max),
            ("lines", "added + {}.removed", caps.lines_max),
            ("bytes", "bytes", caps.bytes_max),
            ("binaries", "binaries", caps.binaries_max),
        ];
        let mut rules = Vec::new();
        for (what, expression, cap) in sums {
            let Some(cap) = cap else { continue };
            let of = |totals: &str| format!("{totals}.{}", expression.replace("{}", totals));
            let (change, window) = (of("input.facts.totals"), of("input.facts.window.totals"));
            let rule = |whose: &str, when: Vec<String>| {
                let msg = format!("sprintf(\"{whose}: %d {what}, {cap} are allowed\", [found])");
                let help = self
                    .help("make it smaller; splitting does not help, the window counts all parts", "caps");
                Rule { id: "cap-ceiling", level: "hard", msg, help, path: false, when }.text()
            };
            rules.push(rule(
                "this change",
                vec![FORWARD.to_owned(), format!("found := {change}"), format!("found > {cap}")],
            ));
            rules.push(rule(
                "this and what the same subject changed lately",
                vec![
                    FORWARD.to_owned(),
                    "input.action.class != \"DEPLOY\"".to_owned(),
                    format!("found := {window}"),
                    format!("found > {cap}"),
                    format!("{change} <= {cap}"),
                ],
            ));
        }
        if let Some(cap) = caps.file_bytes_max {
            let when = vec![
                FORWARD.to_owned(),
                "some file in input.facts.files".to_owned(),
                "file.status != \"deleted\"".to_owned(),
                format!("file.bytes > {cap}"),
            ];
            let msg = format!("sprintf(\"%d bytes in one file, {cap} are allowed\", [file.bytes])");
            let help = self.help("keep large data out of the repository", "caps");
            rules.push(Rule { id: "cap-ceiling", level: "hard", msg, help, path: true, when }.text());
        }
        rules
    }

    fn thresholds(&self, document: &Tighten) -> Vec<String> {
        let most = &document.thresholds;
        let sums = [
            ("files", "files", "input.facts.totals.files", most.files_max),
            ("lines", "lines", "input.facts.totals.added + input.facts.totals.removed", most.lines_max),
            ("bytes", "bytes", "input.facts.totals.bytes", most.bytes_max),
        ];
        let rules = sums.into_iter().filter_map(|(what, name, sum, most)| {
            let most = most?;
            let rule = Rule {
                id: "max-change-size",
                level: "review",
                msg: format!("sprintf(\"%d {what}; more than {most} wait for a person\", [{name}])"),
                help: self.help("make it smaller, or have a person look", "thresholds"),
                path: false,
                when: vec![
                    "input.action.class == \"MERGE\"".to_owned(),
                    format!("{name} := {sum}"),
                    format!("{name} > {most}"),
                ],
            };
            Some(rule.text())
        });
        rules.collect()
    }

    fn places(&self, document: &Tighten) -> Vec<String> {
        let whose = self.source.name();
        let rule = |what: &str, rule: &str, level: &str, class: &str, says: &str| {
            let zone = quoted(&self.source.zone(what));
            let when = vec![
                class.to_owned(),
                format!("{zone} in input.facts.zones"),
                "some file in input.facts.files".to_owned(),
                format!("{zone} in file.zones"),
            ];
            let help = self.help(says, what);
            let msg = quoted(&match what {
                "review" => format!("the {whose} has a person look at this path"),
                _ => format!("the {whose} has nobody touch this path through this engine"),
            });
            Rule { id: rule, level, msg, help, path: true, when }.text()
        };
        let mut rules = Vec::new();
        if !document.never_touch.is_empty() {
            rules.push(rule(
                "never_touch",
                "layer-never-touch",
                "hard",
                FORWARD,
                "leave it out of the change; a person changes it by hand",
            ));
        }
        if !document.review.is_empty() {
            rules.push(rule(
                "review",
                "layer-review",
                "review",
                "input.action.class == \"MERGE\"",
                "a person looks at it, whatever the level",
            ));
        }
        rules
    }

    /// Patterns of `ab.yml` are measured with those that ship, whose rule speaks of them all.
    fn patterns(&self, document: &Tighten) -> Option<String> {
        if document.forbidden_patterns.is_empty() || self.source == Source::AbYml {
            return None;
        }
        let names = set(document.forbidden_patterns.iter().map(pattern_name));
        let when = vec![
            "input.action.class == \"MERGE\"".to_owned(),
            "some match in input.facts.forbidden".to_owned(),
            format!("match.pattern in {names}"),
            "file := {\"path\": match.path}".to_owned(),
        ];
        let msg = "sprintf(\"`%s` in line %d\", [match.pattern, match.line])".to_owned();
        let help = self.help("write it differently", "forbidden_patterns");
        Some(Rule { id: "layer-forbidden-pattern", level: "deny", msg, help, path: true, when }.text())
    }

    fn choices(&self, document: &Tighten) -> Vec<String> {
        let whose = self.source.name();
        let rule = |rule: &str, what: &str, field: &str, key: &str, among: String| {
            let when = vec![FORWARD.to_owned(), format!("not {field} in {among}")];
            let help = self.help("choose one that may be used", key);
            let msg = format!("sprintf(\"the {whose} does not let {what} `%s` be used\", [{field}])");
            Rule { id: rule, level: "hard", msg, help, path: false, when }.text()
        };
        let mut rules = Vec::new();
        if let Some(names) = &document.profiles {
            let among = set(names.iter().map(String::as_str));
            rules.push(rule("profile-not-allowed", "profile", "input.run.profile", "profiles", among));
        }
        if let Some(modes) = &document.safety_modes {
            let among = set(modes.iter().map(|mode| mode.as_str()));
            rules.push(rule(
                "safety-not-allowed",
                "safety mode",
                "input.run.safety_mode",
                "safety_modes",
                among,
            ));
        }
        if let Some(levels) = &document.safety_levels {
            let among = set(levels.iter().map(|level| level.as_str()));
            rules.push(rule(
                "safety-not-allowed",
                "safety level",
                "input.run.safety_level",
                "safety_levels",
                among,
            ));
        }
        rules
    }

    fn quality(&self, document: &Tighten) -> Vec<String> {
        let mut rules = Vec::new();
        if document.require_tests {
            let when = [
                "input.action.class == \"MERGE\"",
                "\"code\" in input.facts.categories",
                "input.facts.tests.added == 0",
            ];
            let rule = Rule {
                id: "require-tests",
                level: "review",
                msg: quoted("code changes and no test came with it"),
                help: self.help("add a test, or have a person look", "require_tests"),
                path: false,
                when: when.map(str::to_owned).into(),
            };
            rules.push(rule.text());
        }
        for check in &document.required_checks {
            let name = quoted(check);
            let rule = Rule {
                id: "check-required",
                level: "deny",
                msg: quoted(&format!("check `{check}` has not passed, or there is none of this name")),
                help: self.help(
                    "name it under `checks` in ab.yml, and repair the change until it passes",
                    "required_checks",
                ),
                path: false,
                when: vec![
                    "input.action.class == \"MERGE\"".to_owned(),
                    "input.action.kind != \"revert\"".to_owned(),
                    format!(
                        "count([check | some check in input.checks; check.name == {name}; check.outcome == \"passed\"]) == 0"
                    ),
                ],
            };
            rules.push(rule.text());
        }
        if let Some(permille) = document.rollback_threshold_permille {
            let rule = Rule {
                id: "rollback-threshold",
                level: "deny",
                msg: format!(
                    "sprintf(\"%d of %d answers were good; {permille} in a thousand are asked for\", [input.canary.successes, input.canary.samples])"
                ),
                help: self.source.key("rollback_threshold_permille"),
                path: false,
                when: vec![
                    "input.action.kind == \"promote\"".to_owned(),
                    format!("input.canary.successes * 1000 < input.canary.samples * {permille}"),
                ],
            };
            rules.push(rule.text());
        }
        rules
    }
}
