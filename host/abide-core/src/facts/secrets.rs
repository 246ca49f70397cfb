//! Secrets and forbidden patterns on added lines. A secret's value leaves this file in no form: not in facts, not in `Debug`.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};

use super::config::{ForbiddenPattern, MeasureConfigError, SecretRule};
use super::findings::Findings;
use super::pattern::{Pattern, PatternSet, group};
use super::view::View;
use super::{ForbiddenFact, SecretFact};

/// The rule that needs no data: a random-looking value given to something that is named like a secret.
const ENTROPY_RULE: &str = "high-entropy-assignment";
const ENTROPY_REGEX: &str = r#"(?i)(?:secret|token|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|auth[_-]?key|credential|private[_-]?key|client[_-]?secret)[\w.-]{0,32}["'`\]]?\s{0,8}(?::=|=>|[:=])\s{0,8}["'`]?(?P<secret>[A-Za-z0-9+/_=.~-]{16,512})"#;
/// Hundredths of a bit for each character: random hex has 400 at most, words of a language stay below 360.
const ENTROPY_CENTIBITS_MIN: u32 = 370;

#[derive(Debug)]
struct Rule {
    id: String,
    pattern: Pattern,
    entropy_centibits_min: u32,
    random_only: bool,
}

/// All rules that find secrets.
#[derive(Debug)]
pub(crate) struct Secrets {
    rules: Vec<Rule>,
    keywords: AhoCorasick,
    /// For each keyword, the rule that it wakes.
    wakes: Vec<usize>,
    /// Rules without keywords.
    always: Vec<usize>,
}

impl Secrets {
    pub(crate) fn compile(config: &[SecretRule]) -> Result<Self, MeasureConfigError> {
        let built_in = SecretRule {
            id: ENTROPY_RULE.to_owned(),
            regex: ENTROPY_REGEX.to_owned(),
            keywords: ["secret", "token", "passw", "passphrase", "key", "credential"]
                .map(str::to_owned)
                .to_vec(),
            entropy_centibits_min: ENTROPY_CENTIBITS_MIN,
        };
        let mut rules: Vec<Rule> = Vec::new();
        let (mut keywords, mut wakes, mut always) = (Vec::new(), Vec::new(), Vec::new());
        for (index, rule) in config.iter().chain([&built_in]).enumerate() {
            if rules.iter().any(|other| other.id == rule.id) {
                return Err(MeasureConfigError::Twice(rule.id.clone()));
            }
            rules.push(Rule {
                id: rule.id.clone(),
                pattern: Pattern::compile(&rule.id, &rule.regex)?,
                entropy_centibits_min: rule.entropy_centibits_min,
                random_only: rule.id == ENTROPY_RULE,
            });
            if rule.keywords.iter().all(String::is_empty) {
                always.push(index);
            }
            for keyword in rule.keywords.iter().filter(|keyword| !keyword.is_empty()) {
                keywords.push(keyword.as_str());
                wakes.push(index);
            }
        }
        let keywords =
            AhoCorasickBuilder::new().ascii_case_insensitive(true).build(&keywords).map_err(|error| {
                MeasureConfigError::Regex { id: "keywords".to_owned(), why: error.to_string() }
            })?;
        Ok(Self { rules, keywords, wakes, always })
    }

    pub(crate) fn find(&self, view: &View<'_>, found: &mut Findings<SecretFact>) {
        for line in view.added_lines() {
            for rule in self.in_line(&line.text) {
                let fact =
                    SecretFact { rule: rule.to_owned(), path: view.path().to_owned(), line: line.number };
                found.push(rule, view.path(), fact);
            }
        }
    }

    /// Ids of the rules that find something in `line`.
    pub(crate) fn in_line(&self, line: &str) -> Vec<&str> {
        let woken = self.keywords.find_overlapping_iter(line);
        let mut awake: BTreeSet<usize> =
            woken.filter_map(|hit| self.wakes.get(hit.pattern().as_usize()).copied()).collect();
        awake.extend(&self.always);
        let rules = awake.into_iter().filter_map(|index| self.rules.get(index));
        rules.filter(|rule| rule.finds_in(line)).map(|rule| rule.id.as_str()).collect()
    }
}

impl Rule {
    fn finds_in(&self, line: &str) -> bool {
        if self.entropy_centibits_min == 0 {
            return self.pattern.is_match(line);
        }
        self.pattern.captures(line).any(|captures| {
            let secret = group(&captures, "secret")
                .or_else(|| captures.get(0).map(|found| String::from_utf8_lossy(found.as_bytes())))
                .unwrap_or_default();
            entropy_centibits(&secret) >= self.entropy_centibits_min
                && (!self.random_only || looks_random(&secret))
        })
    }
}

/// Whether a value has both letters and digits and is no path, version or name of something else.
fn looks_random(value: &str) -> bool {
    let has = |test: fn(&u8) -> bool| value.as_bytes().iter().any(test);
    let parts = value.split(['.', '_', '-', '/']).map(str::len).max().unwrap_or(0);
    has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && parts >= 12
}

/// Shannon entropy of the bytes of `text`, in hundredths of a bit for each byte. Integers only, so every machine agrees.
pub(crate) fn entropy_centibits(text: &str) -> u32 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte)) {
            *count = count.saturating_add(1);
        }
    }
    let length = counts.iter().fold(0_u32, |sum, count| sum.saturating_add(*count));
    // H = log2(n) - (sum of c * log2(c)) / n
    let weighed = counts
        .iter()
        .fold(0_u64, |sum, count| sum.saturating_add(u64::from(*count).saturating_mul(log2_q16(*count))));
    let mean = weighed.checked_div(u64::from(length)).unwrap_or(0);
    let bits_q16 = log2_q16(length).saturating_sub(mean);
    u32::try_from(bits_q16.saturating_mul(100) >> 16).unwrap_or(0)
}

/// Logarithm to base 2 with 16 binary places, by repeated squaring; 0 for 0.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "the mantissa stays below 2^32, so its square fits; shifts are below 64"
)]
fn log2_q16(value: u32) -> u64 {
    let Some(whole) = value.checked_ilog2() else { return 0 };
    let mut mantissa = (u64::from(value) << 31) >> whole;
    let mut result = u64::from(whole) << 16;
    for place in (0..16).rev() {
        mantissa = (mantissa * mantissa) >> 31;
        if mantissa >= 1 << 32 {
            mantissa >>= 1;
            result |= 1 << place;
        }
    }
    result
}

/// All forbidden patterns.
#[derive(Debug)]
pub(crate) struct Forbidden {
    names: Vec<String>,
    set: PatternSet,
}

impl Forbidden {
    pub(crate) fn compile(config: &[ForbiddenPattern]) -> Result<Self, MeasureConfigError> {
        let (mut names, mut patterns) = (Vec::new(), Vec::new());
        for pattern in config {
            let (name, expression) = match pattern {
                ForbiddenPattern::Literal(text) => {
                    let words: Vec<String> = text.split_whitespace().map(regex::escape).collect();
                    (text, format!("(?i){}", words.join(r"\s+")))
                }
                ForbiddenPattern::Rule(rule) => (&rule.id, rule.regex.clone()),
            };
            if expression == "(?i)" {
                return Err(MeasureConfigError::Regex { id: name.clone(), why: "it is empty".to_owned() });
            }
            Pattern::compile(name, &expression)?;
            names.push(name.clone());
            patterns.push(expression);
        }
        let set = PatternSet::compile("(all)", &patterns)?;
        Ok(Self { names, set })
    }

    pub(crate) fn find(&self, view: &View<'_>, found: &mut Findings<ForbiddenFact>) {
        for line in view.added_lines() {
            for index in self.set.matches(&line.text) {
                let Some(name) = self.names.get(index) else { continue };
                let fact =
                    ForbiddenFact { pattern: name.clone(), path: view.path().to_owned(), line: line.number };
                found.push(name, view.path(), fact);
            }
        }
    }
}
