//! How each language writes tests, assertions and skips.

use std::collections::BTreeMap;

use super::super::config::MeasureConfigError;
use super::super::pattern::{Pattern, group};

/// A language whose tests are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Language {
    Rust,
    Python,
    Script,
    Go,
    Jvm,
}

impl Language {
    pub(crate) const ALL: [Self; 5] = [Self::Rust, Self::Python, Self::Script, Self::Go, Self::Jvm];

    /// Texts, one of which is in every file of this language that has tests.
    pub(super) fn telltales(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["test", "quickcheck", "bench"],
            Self::Python => &["test"],
            Self::Script => &["test", "it(", "it.", "it (", "specify", "bench"],
            Self::Go => &["Test", "Benchmark", "Fuzz", "Example", ".Run"],
            Self::Jvm => &["Test", "Property"],
        }
    }

    /// The language of files with this extension.
    pub(crate) fn of(extension: &str) -> Option<Self> {
        Some(match extension {
            "rs" => Self::Rust,
            "py" | "pyi" => Self::Python,
            "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" => Self::Script,
            "go" => Self::Go,
            "java" | "kt" | "kts" => Self::Jvm,
            _ => return None,
        })
    }
}

/// The expressions of one language.
#[derive(Debug)]
pub(super) struct Patterns {
    /// What announces that the next function is a test; `None` if the function's own line says so.
    marker: Option<Pattern>,
    /// A function, with its name as `name`.
    function: Pattern,
    pub(super) assertion: Pattern,
    always: Pattern,
    equal: Pattern,
    pub(super) skip: Pattern,
}

struct Source {
    marker: Option<&'static str>,
    function: &'static str,
    assertion: &'static str,
    always: &'static str,
    skip: &'static str,
}

const RUST: Source = Source {
    marker: Some(
        r"#\[\s*(?:\w+\s*::\s*)*(?:test|rstest|test_case|quickcheck|proptest|wasm_bindgen_test|bench|test_log)\b",
    ),
    function: r"\bfn\s+(?P<name>\w+)",
    assertion: r"\b(?:debug_)?(?:assert(?:_\w+)?|prop_assert\w*|panic|unreachable)!|\.unwrap_err\(|\.expect_err\(|\binsta::|#\[should_panic",
    always: r"\bassert!\s*\(\s*(?:true|!\s*false|1\s*==\s*1)\s*[,)]|\|\|\s*true\b",
    skip: r"#\[\s*(?:ignore\b|cfg_attr\s*\(.*\bignore\b|cfg\s*\(\s*(?:any\s*\(\s*\)|FALSE|false))",
};
const PYTHON: Source = Source {
    marker: None,
    function: r"^\s*(?:async\s+)?def\s+(?P<name>test\w*)\s*\(",
    assertion: r"^\s*assert\b|;\s*assert\b|\bself\.(?:assert\w+|fail\w*)\s*\(|\bpytest\.(?:raises|warns|fail)\b|\.assert_\w+\(|\bassert_\w+\(",
    always: r"\bassert\s*\(?\s*(?:True|1|not\s+False|not\s+None|1\s*==\s*1)\s*\)?\s*(?:,|#|$)|\bassertTrue\s*\(\s*True\b|\bassertFalse\s*\(\s*False\b|^\s*assert\b.*\bor\s+True\b",
    skip: r"@(?:pytest\.mark|mark)\.(?:skip\w*|xfail)|\bpytest\.(?:skip|xfail|importorskip)\s*\(|@(?:unittest\.)?(?:skip\w*|expectedFailure)\b|\bskipTest\s*\(|\braise\s+(?:unittest\.)?SkipTest|\bcollect_ignore|__test__\s*=\s*False|--(?:ignore|deselect)\b",
};
const SCRIPT: Source = Source {
    marker: None,
    function: r#"(?:^|[^.\w$])(?:it|test|specify|Deno\.test|bench)(?:\.(?:concurrent|each|only|sequential|serial|failing))*\s*(?:\([^()]*\)\s*)?\(\s*(?P<name>"[^"]{0,200}"|'[^']{0,200}'|`[^`]{0,200}`)"#,
    assertion: r"\bexpect\w*\s*(?:\.\w+\s*)*\(|\bassert\w*(?:\.\w+)*\s*\(|\.should\b|\bt\.(?:is|not|true|false|deepEqual|throws\w*|truthy|falsy|like|regex)\s*\(",
    always: r"\bexpect\s*\(\s*(?:true|1)\s*\)\s*\.\s*(?:toBe\s*\(\s*(?:true|1)|toBeTruthy|toEqual\s*\(\s*(?:true|1)|to\.be\.true|to\.be\.ok)|\bassert(?:\.ok|\.isTrue|\.equal)?\s*\(\s*true\s*[,)]|\bt\.(?:true|truthy|pass)\s*\(\s*(?:true\s*)?\)|\|\|\s*true\b",
    skip: r"\b(?:it|test|describe|suite|context|bench)\s*\.\s*(?:skip\w*|todo|only|fixme|failing|fails)\b|\b(?:xit|xtest|xdescribe|xcontext|fit|fdescribe|ftest)\s*\(|\bthis\.skip\s*\(|\bt\.skip\s*\(|\bskip\s*:\s*(?:true|'|\x22)",
};
const GO: Source = Source {
    marker: None,
    function: r"^func\s+(?:\([^)]*\)\s*)?(?P<name>(?:Test|Benchmark|Fuzz|Example)\w*)\s*\(|\b[tb]\.Run\s*\(\s*(?P<sub>\x22[^\x22]{0,200}\x22)",
    assertion: r"\b[tbf]\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow)\s*\(|\b(?:assert|require|is|qt|c)\.\w+\s*\(",
    always: r"\b(?:assert|require)\.True\s*\(\s*\w+\s*,\s*true\s*[,)]|\b(?:assert|require)\.False\s*\(\s*\w+\s*,\s*false\s*[,)]|\|\|\s*true\b",
    skip: r"\b[tb]\.Skip(?:f|Now)?\s*\(|\btesting\.Short\s*\(|^//go:build\s+(?:ignore|never|skip)",
};
const JVM: Source = Source {
    marker: Some(r"@(?:\w+\.)*(?:Test|ParameterizedTest|RepeatedTest|TestFactory|TestTemplate|Property)\b"),
    function: r"\b(?:void|fun)\s+(?P<name>\w+|`[^`]{0,200}`)\s*\(",
    assertion: r"\b(?:assert\w*|verify\w*|fail|expect\w*|should\w*)\s*[({<]|\.(?:is\w+|has\w+|contains\w*|should\w*)\s*\(",
    always: r"\bassertTrue\s*\(\s*true\b|\bassertFalse\s*\(\s*false\b|\bassertThat\s*\(\s*true\s*\)|\|\|\s*true\b",
    skip: r"@(?:\w+\.)*(?:Disabled\w*|Ignore)\b|\bassume\w*\s*\(|\b(?:enabled|testEnabled)\s*=\s*false",
};

impl Patterns {
    pub(super) fn compile(language: Language) -> Result<Self, MeasureConfigError> {
        let source = match language {
            Language::Rust => RUST,
            Language::Python => PYTHON,
            Language::Script => SCRIPT,
            Language::Go => GO,
            Language::Jvm => JVM,
        };
        Ok(Self {
            marker: source.marker.map(|pattern| Pattern::compile("test-marker", pattern)).transpose()?,
            function: Pattern::compile("test-function", source.function)?,
            assertion: Pattern::compile("assertion", source.assertion)?,
            always: Pattern::compile("always-true", source.always)?,
            equal: Pattern::compile(
                "assert-equal",
                r"(?i)\bassert_?(?:\.|_?strict)?_?(?:eq|equals?|equal|is)!?\s*\(\s*(?P<a>[^,()]{1,80}?)\s*,\s*(?P<b>[^,()]{1,80}?)\s*[,)]",
            )?,
            skip: Pattern::compile("skip", source.skip)?,
        })
    }

    /// Whether an assertion on this line holds whatever happens.
    pub(super) fn always_true(&self, code: &str) -> bool {
        self.always.is_match(code)
            || self.equal.captures(code).any(|captures| {
                let (a, b) = (group(&captures, "a"), group(&captures, "b"));
                a.is_some() && a == b
            })
    }

    /// Names of the tests in blanked code, and how often each is there.
    pub(super) fn tests_in(&self, code: &str) -> BTreeMap<String, u64> {
        let mut names: BTreeMap<String, u64> = BTreeMap::new();
        let mut announced = false;
        for line in code.lines() {
            let Some(marker) = &self.marker else {
                for captures in self.function.captures(line) {
                    add(&mut names, &captures);
                }
                continue;
            };
            announced |= marker.is_match(line);
            if announced && let Some(captures) = self.function.captures(line).next() {
                add(&mut names, &captures);
                announced = false;
            }
        }
        names
    }
}

fn add(names: &mut BTreeMap<String, u64>, captures: &regex::bytes::Captures<'_>) {
    if let Some(name) = group(captures, "name").or_else(|| group(captures, "sub")) {
        let number = names.entry(name.into_owned()).or_default();
        *number = number.saturating_add(1);
    }
}
