//! Which part of Rego is supported, measured by OPA's own cases; `docs/rego-support.md` is made of it. `ABIDE_BLESS=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use abide_gate::BundleError;
use abide_gate::conformance::{Case, Input, ask, host_functions};
use serde_json::Value as Json;

/// Kinds of cases, for the table: a title, and how their categories begin. The first that fits counts.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "rules, references, virtual documents",
        &[
            "assignments",
            "baseandvirtualdocs",
            "completedoc",
            "compositebase",
            "compositeref",
            "dataderef",
            "defaultkeyword",
            "disjunction",
            "elsekeyword",
            "embeddedvirtual",
            "eqexpr",
            "evalterm",
            "example",
            "fix1863",
            "helloworld",
            "indexing",
            "indirectref",
            "inputvalues",
            "nestedref",
            "partial",
            "planner-ir",
            "refheads",
            "topdowndynamic",
            "undos",
            "varref",
            "virtualdocs",
            "invalidkeyerror",
            "negation",
        ],
    ),
    ("functions", &["function"]),
    ("comprehensions, `every`, `in`, `contains`", &["comprehensions", "every", "containskeyword"]),
    ("`with`", &["withkeyword"]),
    ("references by keywords (`input.if`)", &["keywordrefs"]),
    ("string interpolation (`$\"…\"`)", &["stringinterpolation", "rendertemplate"]),
    ("metadata of rules, parsing modules", &["rego"]),
    (
        "aggregates, arithmetic, comparison, bits",
        &["aggregates", "arithmetic", "comparison", "bits", "numbersrange"],
    ),
    (
        "arrays, sets, objects, types",
        &[
            "array",
            "sets",
            "intersection",
            "union",
            "objectfilter",
            "objectget",
            "objectkeys",
            "objectremove",
            "objectunion",
            "subset",
            "type",
            "casts",
        ],
    ),
    ("strings, `sprintf`", &["strings", "sprintf", "trim", "replacen"]),
    ("regular expressions, globs", &["regex", "glob"]),
    ("time", &["time"]),
    ("versions (semver), units", &["semver", "units"]),
    ("networks (CIDR)", &["netcidr", "netlookup"]),
    ("digests and message authentication", &["cryptohmac", "cryptosha", "cryptomd5"]),
    ("tokens (JWT): decode and verify", &["jwtbuiltins", "jwtdecode", "jwtverify"]),
    ("tokens (JWT): sign", &["jwtencode"]),
    ("certificates (X.509), private keys", &["crypto"]),
    ("encodings: base64, hex, JSON, YAML, URL", &["base64", "hex", "jsonbuiltins", "urlbuiltins"]),
    ("JSON patch, filter, remove; JSON Schema", &["json"]),
    ("graphs, `walk`", &["reachable", "walk"]),
    ("GraphQL", &["graphql"]),
    ("AWS request signing", &["providers-aws"]),
    ("random numbers, UUIDs", &["rand", "uuid"]),
];

/// What came of the cases of one group.
#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
struct Count {
    cases: usize,
    passed: usize,
    /// Refused while loading.
    refused: usize,
    /// Of those, the ones that the engine answers as OPA does.
    only_refused: usize,
    failed: usize,
}

impl Count {
    fn add(&mut self, came: &Came) {
        self.cases += 1;
        match came {
            Came::Passed => self.passed += 1,
            Came::Failed(_) => self.failed += 1,
            Came::Refused { answers, .. } => {
                self.refused += 1;
                self.only_refused += usize::from(*answers);
            }
        }
    }

    fn row(&self, title: &str) -> String {
        let Self { cases, passed, refused, only_refused, failed } = self;
        format!("| {title} | {cases} | {passed} | {refused} | {only_refused} | {failed} |\n")
    }
}

enum Came {
    Passed,
    Refused {
        why: String,
        /// Whether the engine would have answered as OPA does.
        answers: bool,
    },
    Failed(String),
}

fn corpus() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("ABIDE_SHARED").map_or(beside, PathBuf::from);
    let file = shared.join("vectors/opa-cases.jsonl.gz");
    if file.exists() {
        return Some(file);
    }
    println!("skipped: no corpus");
    None
}

/// The cases are what OPA's compiler makes of rules: a call may hand out its result through one argument more. Functions of the host have no such
/// argument, so `f(a, x)` becomes `x = f(a)`, which is how people write it.
fn as_written(text: &str) -> String {
    let mut text = text.to_owned();
    for (name, arity) in host_functions() {
        let mut from = 0;
        while let Some(at) = text[from..].find(&format!("{name}(")).map(|at| from + at) {
            let open = at + name.len();
            let (commas, close) = arguments(&text[open..]);
            from = open + 1;
            let is_whole =
                !text[..at].ends_with(|before: char| before.is_ascii_alphanumeric() || "._".contains(before));
            if is_whole && commas.len() == usize::from(arity) {
                let (comma, end) = (open + commas[commas.len() - 1], open + close);
                let out = text[comma + 1..end].trim().to_owned();
                let called = format!("{out} = {})", &text[at..comma]);
                from = at + called.len();
                text.replace_range(at..=end, &called);
            }
        }
    }
    text
}

/// Places of the commas between the arguments of a call, and of its closing bracket; `text` begins with the opening one.
fn arguments(text: &str) -> (Vec<usize>, usize) {
    let (mut depth, mut commas, mut quote, mut escaped) = (0_usize, Vec::new(), None, false);
    for (at, letter) in text.char_indices() {
        match (quote, letter) {
            (Some('"'), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(open), letter) if letter == open && !escaped => quote = None,
            (None, '"' | '`') => quote = Some(letter),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => {
                depth -= 1;
                if depth == 0 {
                    return (commas, at);
                }
            }
            (None, ',') if depth == 1 => commas.push(at),
            _ => {}
        }
        escaped = false;
    }
    panic!("a call that does not end: {text}")
}

/// Long texts become data, because no line may be longer than 1,024 characters.
fn moved(text: &str, data: &mut Json) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(open) = rest.find(['"', '`']) {
        let quote = rest[open..].chars().next().unwrap();
        let ends = |(at, letter): (usize, char)| {
            letter == quote && (quote == '`' || !is_escaped(&rest[open + 1..open + 1 + at]))
        };
        let close =
            open + 1 + rest[open + 1..].char_indices().find(|pair| ends(*pair)).expect("a text ends").0;
        let literal = &rest[open..=close];
        out.push_str(&rest[..open]);
        if literal.len() > 500 {
            let inside = literal.trim_matches('`').to_owned();
            let value =
                if quote == '`' { Json::from(inside) } else { serde_json::from_str(literal).unwrap() };
            let place = format!("text{}", data["moved"].as_object().map_or(0, serde_json::Map::len));
            data["moved"][&place] = value;
            out.push_str(&format!("data.moved.{place}"));
        } else {
            out.push_str(literal);
        }
        rest = &rest[close + 1..];
    }
    out + rest
}

/// Whether what follows `before` is escaped.
fn is_escaped(before: &str) -> bool {
    before.len().wrapping_sub(before.trim_end_matches('\\').len()) % 2 == 1
}

fn case(line: &Json) -> Case {
    let texts = line["modules"].as_array().cloned().unwrap_or_default();
    let mut data =
        line.get("data").filter(|data| data.is_object()).cloned().unwrap_or_else(|| serde_json::json!({}));
    let mut module = |(number, text): (usize, &Json)| {
        let text = as_written(text.as_str().unwrap());
        let is_long = text.lines().any(|line| line.len() > 1_000);
        (format!("{number}.rego"), if is_long { moved(&text, &mut data) } else { text })
    };
    let modules = texts.iter().enumerate().map(&mut module).collect();
    let input = match (line.get("input_term").and_then(Json::as_str), line.get("input")) {
        (Some(term), _) => Some(Input::Term(term.to_owned())),
        (None, Some(json)) => Some(Input::Json(json.clone())),
        (None, None) => None,
    };
    Case { modules, data, input, query: line["query"].as_str().unwrap().to_owned() }
}

/// Equal numbers are spelled equally, and lists whose order is not told are sorted.
fn plain(value: &Json, sort: bool) -> Json {
    match value {
        Json::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => Json::from(float as i64),
            _ => value.clone(),
        },
        Json::Array(items) => {
            let mut items: Vec<Json> = items.iter().map(|item| plain(item, sort)).collect();
            if sort {
                items.sort_by_key(Json::to_string);
            }
            Json::Array(items)
        }
        Json::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), plain(value, sort))).collect(),
        Json::Null | Json::Bool(_) | Json::String(_) => value.clone(),
    }
}

fn same(wanted: &[Json], found: &[Json], sort: bool) -> bool {
    let rows = |rows: &[Json]| {
        let mut rows: Vec<String> = rows.iter().map(|row| plain(row, sort).to_string()).collect();
        rows.sort();
        rows
    };
    rows(wanted) == rows(found)
}

/// The numbers that were reached. They are raised by hand, and never lowered without a word in the changelog.
const PASSED_MIN: usize = 775;
const FAILED_MAX: usize = 24;

const UNDECLARED: &str = "a variable that is not declared with `some` or `:=`";

fn reason(fault: &BundleError) -> String {
    match fault {
        BundleError::Function { name, .. } if !name.contains('.') => UNDECLARED.to_owned(),
        BundleError::Builtin { name, .. } | BundleError::Function { name, .. } => format!("`{name}`"),
        BundleError::Construct { what, .. } => (*what).to_owned(),
        BundleError::Syntax { .. } => "it does not parse".to_owned(),
        BundleError::Data { .. } => "fractions in `data`: write shares in thousandths".to_owned(),
        other => other.code().to_owned(),
    }
}

fn run(line: &Json) -> Came {
    let outcome = ask(&case(line));
    let wanted = line["want_result"].as_array();
    let is_error = line.get("want_result").is_none();
    let came = match (&outcome.answer, wanted) {
        (Err(_), _) if is_error => Came::Passed,
        (Err(why), _) => Came::Failed(why.clone()),
        (Ok(_), _) if is_error => Came::Failed("an answer where OPA fails".to_owned()),
        (Ok(found), wanted) => {
            let wanted = wanted.map(Vec::as_slice).unwrap_or_default();
            if same(wanted, found, line["sort_bindings"] == true) {
                Came::Passed
            } else {
                let which = if found.is_empty() {
                    "undefined where OPA answers"
                } else {
                    "another answer than OPA's"
                };
                Came::Failed(which.to_owned())
            }
        }
    };
    match outcome.refused.first() {
        Some(fault) => {
            // Where a function is not there, failing as OPA fails is no merit.
            let is_absent = matches!(fault, BundleError::Builtin { .. } | BundleError::Function { .. });
            let answers = matches!(came, Came::Passed) && !(is_error && is_absent);
            Came::Refused { why: reason(fault), answers }
        }
        None => came,
    }
}

/// All cases, by group, with the reasons.
struct Measured {
    groups: Vec<Count>,
    sum: Count,
    refused: BTreeMap<String, usize>,
    failed: Vec<String>,
}

fn measure(file: &Path) -> Measured {
    let text = Command::new("zcat").arg(file).output().unwrap().stdout;
    let mut measured = Measured {
        groups: vec![Count::default(); GROUPS.len()],
        sum: Count::default(),
        refused: BTreeMap::new(),
        failed: Vec::new(),
    };
    for line in String::from_utf8(text).unwrap().lines() {
        let line: Json = serde_json::from_str(line).unwrap();
        let category = line["category"].as_str().unwrap();
        let fits = |(_, starts): &(&str, &[&str])| starts.iter().any(|start| category.starts_with(start));
        let group = GROUPS.iter().position(fits).unwrap_or_else(|| panic!("`{category}` is in no group"));
        let came = run(&line);
        measured.groups[group].add(&came);
        measured.sum.add(&came);
        match came {
            Came::Passed => {}
            Came::Refused { why, .. } => *measured.refused.entry(why).or_default() += 1,
            Came::Failed(why) => {
                // A place in a generated module says nothing here.
                let why = why
                    .rsplit_once(".rego:")
                    .map_or(why.as_str(), |(_, rest)| rest.split_once(": ").map_or(rest, |(_, why)| why));
                measured.failed.push(format!("{}: {why}", line["note"].as_str().unwrap()));
            }
        }
    }
    measured.failed.sort();
    measured
}

/// The page: what a person wrote, and below the mark what is measured.
const MARK: &str = "<!-- Below this line the page is measured; `ABIDE_BLESS=1 cargo nextest run -p abide-tests support` writes it anew. -->\n";

fn tables(measured: &Measured) -> String {
    let head = "| cases about | cases | pass | refused | of these, same answer | fail |\n|---|---:|---:|---:|---:|---:|\n";
    let mut out = format!("{MARK}\n## By feature\n\n{head}");
    for ((title, _), count) in GROUPS.iter().zip(&measured.groups) {
        out.push_str(&count.row(title));
    }
    out.push_str(&measured.sum.row("**all**"));
    let answered = measured.sum.passed + measured.sum.only_refused;
    writeln!(
        out,
        "\nThe engine answers {answered} of {} as OPA does; the gate loads {} of them.",
        measured.sum.cases, measured.sum.passed
    )
    .unwrap();
    out.push_str("\n## Refused, by the first reason\n\n| reason | cases |\n|---|---:|\n");
    let mut reasons: Vec<(&String, &usize)> = measured.refused.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    for (reason, count) in reasons {
        writeln!(out, "| {} | {count} |", reason.replace('|', "\\|")).unwrap();
    }
    out.push_str("\n## Loaded, and not as in OPA\n\n");
    for failed in &measured.failed {
        writeln!(out, "- {}", failed.replace('<', "&lt;")).unwrap();
    }
    out
}

#[test]
fn the_supported_part_of_rego_is_the_one_that_is_documented() {
    let Some(file) = corpus() else { return };
    let measured = measure(&file);
    let made = tables(&measured);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rego-support.md");
    let page = fs::read_to_string(&path).unwrap_or_default();
    let (prose, documented) = page.split_once(MARK).expect("the page has its mark");
    if std::env::var_os("ABIDE_BLESS").is_some() {
        fs::write(&path, format!("{prose}{made}")).unwrap();
        return;
    }
    // Fewer that pass is worse, whatever the page says.
    assert!(measured.sum.passed >= PASSED_MIN, "{:?} pass; {PASSED_MIN} did", measured.sum);
    assert!(measured.sum.failed <= FAILED_MAX, "{:?} fail; {FAILED_MAX} did", measured.sum);
    assert_eq!(format!("{MARK}{documented}"), made, "docs/rego-support.md is out of date");
}

#[test]
fn a_result_that_is_handed_out_becomes_one_that_is_returned() {
    let text = "p := x if {\n\tio.jwt.decode_verify(\"a,b(\\\"\", {\"cert\": `x\"`, \"iss\": [1, 2]}, [x, _, z])\n}\nq if net.cidr_contains(\"a\", \"b\")";
    assert_eq!(
        as_written(text),
        "p := x if {\n\t[x, _, z] = io.jwt.decode_verify(\"a,b(\\\"\", {\"cert\": `x\"`, \"iss\": [1, 2]})\n}\nq if net.cidr_contains(\"a\", \"b\")"
    );
}
