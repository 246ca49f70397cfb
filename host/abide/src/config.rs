//! `ab.yml`: parsed once, from the target branch, never from the proposed change. Unknown keys are errors.
//!
//! `RawConfig` is the file's shape (the roadmap's spellings included); [`Config`] is what the engine uses.

pub(crate) mod env;
pub(crate) mod quantity;

use std::collections::BTreeMap;
use std::path::PathBuf;

use abide_core::id::{Environment, RefName, RepoPath};
use abide_core::input::{SafetyLevel, SafetyMode};
use abide_effects::checks::Proof;
use abide_effects::deploy::HealthProbe;
use serde::{Deserialize, Serialize};

use quantity::{Dollars, Duration, Quantity};

/// Where the file lies in a repository.
pub(crate) const FILE: &str = "ab.yml";
/// Its size at most, in bytes.
const BYTES_MAX: usize = 256 * 1024;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    autonomy_profile: String,
    #[serde(default)]
    autonomy_max: Option<Level>,
    #[serde(default)]
    target: Option<String>,
    #[serde(default)]
    protected: Vec<String>,
    #[serde(default)]
    tickets: Option<String>,
    #[serde(default)]
    policies: Option<String>,
    #[serde(default)]
    sources: Option<String>,
    #[serde(default)]
    safety: RawSafety,
    #[serde(default)]
    budgets: RawBudgets,
    #[serde(default)]
    checks: Vec<RawCheck>,
    #[serde(default)]
    deploy: Option<RawDeploy>,
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "accepted as the roadmap spells it; the router that reads it comes with models"
    )]
    router: Option<RawRouter>,
    #[serde(default)]
    autonomous_loop: Option<RawLoop>,
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "accepted as the roadmap spells it; the loop that reads it comes with discovery"
    )]
    improvement_priorities: Vec<BTreeMap<String, f64>>,
    #[serde(default)]
    safety_settings: RawSafetySettings,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSafety {
    mode: Option<SafetyMode>,
    level: Option<SafetyLevel>,
    require_reason_for_access: Option<bool>,
    #[serde(default)]
    forbidden_patterns: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSafetySettings {
    require_tests: Option<bool>,
    max_change_size: Option<u64>,
    rollback_threshold: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBudgets {
    per_run_usd: Option<Dollars>,
    per_run_tokens: Option<Quantity>,
    #[expect(dead_code, reason = "accepted as the roadmap spells it; tokens are spent once models exist")]
    per_task_tokens: Option<Quantity>,
    wall_time_minutes: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "accepted as the roadmap spells it; the router that reads it comes with models")]
struct RawRouter {
    rules: Vec<RawRoute>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "accepted as the roadmap spells it; the router that reads it comes with models")]
struct RawRoute {
    when: String,
    r#use: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "accepted as the roadmap spells it; the loop that reads it comes with discovery"
)]
struct RawLoop {
    enabled: bool,
    scan_interval: Option<u64>,
    max_improvements_per_cycle: Option<u64>,
    safety_level: Option<SafetyLevel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCheck {
    name: String,
    run: Vec<String>,
    timeout: Duration,
    #[serde(default = "yes")]
    required: bool,
    #[serde(default)]
    env: Vec<String>,
    #[serde(default)]
    read: Vec<PathBuf>,
    egress: Option<String>,
    proof: Option<Proof>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDeploy {
    environment: Environment,
    driver: Driver,
    directory: PathBuf,
    #[serde(default)]
    source: Option<String>,
    probe: RawProbe,
    #[serde(default)]
    interval: Option<Duration>,
}

fn yes() -> bool {
    true
}

/// A level of the autonomy scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub(crate) enum Level {
    /// Manual.
    A0,
    /// Assisted.
    A1,
    /// Guarded.
    A2,
    /// Low-risk changes merge by themselves.
    A3,
    /// Canaries deploy by themselves.
    A4,
    /// Fully autonomous within limits.
    A5,
}

impl Level {
    /// The digit.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::A0 => 0,
            Self::A1 => 1,
            Self::A2 => 2,
            Self::A3 => 3,
            Self::A4 => 4,
            Self::A5 => 5,
        }
    }
}

/// How releases are put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Driver {
    /// One folder a release, and a link that is switched.
    Directory,
}

/// How a canary is asked whether it is well. Exactly one of `file`, `command` and `url`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProbe {
    file: Option<RepoPath>,
    command: Option<Vec<String>>,
    url: Option<String>,
    contains: Option<String>,
    timeout: Option<Duration>,
}

/// One named check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    /// Its name.
    pub(crate) name: String,
    /// Program and arguments; no shell is involved unless it is named.
    pub(crate) argv: Vec<String>,
    /// Time limit in milliseconds.
    pub(crate) timeout_ms: u64,
    /// Whether a merge needs it.
    pub(crate) required: bool,
    /// Variables that are passed on.
    pub(crate) env: Vec<String>,
    /// What of the host it may read, besides what every check sees; `~/` is the home of whoever runs `ab`.
    pub(crate) read: Vec<PathBuf>,
    /// The lease of the policy's data by which it may ask the network.
    pub(crate) egress: Option<String>,
    /// What its report takes to count.
    pub(crate) proof: Option<Proof>,
}

/// Where and how to deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeployConfig {
    /// The environment.
    pub(crate) environment: Environment,
    /// The driver.
    pub(crate) driver: Driver,
    /// Folder that holds the environments, absolute.
    pub(crate) directory: PathBuf,
    /// Folder of the repository that is the release; the whole tree if empty.
    pub(crate) source: Option<RepoPath>,
    /// How a canary is asked.
    pub(crate) probe: HealthProbe,
    /// Milliseconds between two questions.
    pub(crate) interval_ms: u64,
}

/// What `ab.yml` says.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Name of the autonomy profile.
    pub(crate) profile: String,
    /// Highest level that this repository allows, 0 to 5.
    pub(crate) level_max: Level,
    /// The branch that changes are for.
    pub(crate) target: RefName,
    /// Protected references; the target is always among them.
    pub(crate) protected: Vec<RefName>,
    /// Where a ticket id is looked up.
    pub(crate) tickets: String,
    /// Folder of the repository's own rules.
    pub(crate) policies: RepoPath,
    /// Folder of the tickets that define sources.
    pub(crate) sources: RepoPath,
    /// How `deny` findings count.
    pub(crate) safety_mode: SafetyMode,
    /// Which thresholds apply.
    pub(crate) safety_level: SafetyLevel,
    /// Patterns forbidden on added lines, besides the shipped ones.
    pub(crate) forbidden_patterns: Vec<String>,
    /// Lines a change may have at most, if tighter than the safety level's.
    pub(crate) change_lines_max: Option<u64>,
    /// Whether code changes need tests, if stricter than the safety level.
    pub(crate) require_tests: Option<bool>,
    /// Canary share in thousandths, if stricter than the safety level's.
    pub(crate) rollback_threshold_permille: Option<u64>,
    /// Tokens a run may spend.
    pub(crate) tokens_max: Option<u64>,
    /// Micro-dollars a run may spend.
    pub(crate) usd_micro_max: Option<u64>,
    /// Milliseconds a run may take.
    pub(crate) wall_ms_max: Option<u64>,
    /// Named checks, in order.
    pub(crate) checks: Vec<Check>,
    /// Deployment, if there is one.
    pub(crate) deploy: Option<DeployConfig>,
}

/// A file that is not a configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The YAML parser or the shape refused it.
    #[error("`ab.yml` cannot be read")]
    Shape {
        /// The parser's words.
        why: String,
        /// The file.
        text: String,
        /// Where: byte offset, if known.
        offset: Option<usize>,
    },
    /// A value that parses but cannot be meant.
    #[error("`ab.yml`: `{key}` {why}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Config {
    /// What counts when a repository has no `ab.yml` on its target branch: everything assisted, no checks, nowhere to deploy.
    pub(crate) fn absent(target: RefName) -> Result<Self, ConfigError> {
        Ok(Self {
            policies: folder("policies", None)?,
            sources: folder("sources", None)?,
            profile: "prod-conservative".to_owned(),
            level_max: Level::A1,
            protected: vec![target.clone()],
            target,
            tickets: "tickets/{id}.md".to_owned(),
            safety_mode: SafetyMode::DenyByDefault,
            safety_level: SafetyLevel::High,
            forbidden_patterns: Vec::new(),
            change_lines_max: None,
            require_tests: None,
            rollback_threshold_permille: None,
            tokens_max: None,
            usd_micro_max: None,
            wall_ms_max: None,
            checks: Vec::new(),
            deploy: None,
        })
    }

    /// Parses the file; `target` is used where it names no target.
    pub(crate) fn parse(text: &str, target: &RefName) -> Result<Self, ConfigError> {
        if text.len() > BYTES_MAX {
            return Err(value("ab.yml", format!("has {} bytes, more than {BYTES_MAX}", text.len())));
        }
        let raw: RawConfig = serde_saphyr::from_str(text).map_err(|error| ConfigError::Shape {
            offset: error.location().map(|at| offset(text, at.line(), at.column())),
            why: words(&error.without_snippet().to_string()),
            text: text.to_owned(),
        })?;
        Self::check(raw, target)
    }

    fn check(raw: RawConfig, target: &RefName) -> Result<Self, ConfigError> {
        let target = raw.target.map_or_else(|| Ok(target.clone()), |name| branch("target", &name))?;
        let mut protected =
            raw.protected.iter().map(|name| branch("protected", name)).collect::<Result<Vec<_>, _>>()?;
        if !protected.contains(&target) {
            protected.push(target.clone());
        }
        if raw.safety.require_reason_for_access == Some(false) {
            return Err(value(
                "safety.require_reason_for_access",
                "cannot be turned off: a reason is always recorded",
            ));
        }
        let loop_level = raw.autonomous_loop.and_then(|settings| settings.safety_level);
        Ok(Self {
            profile: raw.autonomy_profile,
            level_max: raw.autonomy_max.unwrap_or(Level::A1),
            target,
            protected,
            tickets: ticket_pattern(raw.tickets)?,
            policies: folder("policies", raw.policies)?,
            sources: folder("sources", raw.sources)?,
            safety_mode: raw.safety.mode.unwrap_or(SafetyMode::DenyByDefault),
            safety_level: raw.safety.level.or(loop_level).unwrap_or(SafetyLevel::High),
            forbidden_patterns: raw.safety.forbidden_patterns,
            change_lines_max: raw.safety_settings.max_change_size,
            require_tests: raw.safety_settings.require_tests,
            rollback_threshold_permille: raw.safety_settings.rollback_threshold.map(permille).transpose()?,
            tokens_max: raw.budgets.per_run_tokens.map(|tokens| tokens.0),
            usd_micro_max: raw.budgets.per_run_usd.map(|usd| usd.0),
            wall_ms_max: raw.budgets.wall_time_minutes.map(|minutes| minutes.saturating_mul(60_000)),
            checks: checks(raw.checks)?,
            deploy: raw.deploy.map(deploy).transpose()?,
        })
    }
}

fn value(key: &str, why: impl Into<String>) -> ConfigError {
    ConfigError::Value { key: key.to_owned(), why: why.into() }
}

fn branch(key: &str, name: &str) -> Result<RefName, ConfigError> {
    let full = if name.starts_with("refs/") { name.parse() } else { RefName::branch(name) };
    full.map_err(|error| value(key, error.to_string()))
}

/// A folder of the repository; without an entry it is called as its key is.
fn folder(key: &str, folder: Option<String>) -> Result<RepoPath, ConfigError> {
    let folder = folder.unwrap_or_else(|| key.to_owned());
    folder
        .trim_end_matches('/')
        .parse()
        .map_err(|error: abide_core::id::PathError| value(key, error.to_string()))
}

fn ticket_pattern(pattern: Option<String>) -> Result<String, ConfigError> {
    let pattern = pattern.unwrap_or_else(|| "tickets/{id}.md".to_owned());
    if pattern.contains("{id}") { Ok(pattern) } else { Err(value("tickets", "must contain `{id}`")) }
}

/// A share such as 0.95 in thousandths.
fn permille(share: f64) -> Result<u64, ConfigError> {
    let wrong = || {
        value("safety_settings.rollback_threshold", "must lie between 0 and 1, with at most three decimals")
    };
    let text = format!("{share:.3}");
    if !(0.0..=1.0).contains(&share) || (text.parse::<f64>().map_err(|_| wrong())? - share).abs() > 1e-9 {
        return Err(wrong());
    }
    text.replace('.', "").parse().map_err(|_| wrong())
}

fn checks(raw: Vec<RawCheck>) -> Result<Vec<Check>, ConfigError> {
    let mut seen = std::collections::BTreeSet::new();
    raw.into_iter()
        .map(|check| {
            let key = format!("checks.{}", check.name);
            if !seen.insert(check.name.clone()) {
                return Err(value(&key, "is named twice"));
            }
            if check.run.is_empty() || check.run.iter().any(|word| word.contains('\0')) {
                return Err(value(&key, "needs a program in `run`"));
            }
            let canary = check.proof.as_ref().and_then(|proof| proof.canary.as_ref());
            if canary.is_some_and(|canary| !canary.path.contains("{name}") || !canary.text.contains("{name}"))
            {
                return Err(value(&key, "needs `{name}` in `path` and in `text` of its canary"));
            }
            if check.egress.as_ref().is_some_and(String::is_empty) {
                return Err(value(&key, "needs the name of a lease in `egress`"));
            }
            if check.timeout.0 == 0 {
                return Err(value(&key, "needs a timeout above zero"));
            }
            Ok(Check {
                name: check.name,
                argv: check.run,
                timeout_ms: check.timeout.0,
                required: check.required,
                env: check.env,
                read: check.read,
                egress: check.egress,
                proof: check.proof,
            })
        })
        .collect()
}

fn deploy(raw: RawDeploy) -> Result<DeployConfig, ConfigError> {
    if !raw.directory.is_absolute() {
        return Err(value("deploy.directory", "must be an absolute path"));
    }
    let source = raw.source.map(|source| source.trim_end_matches('/').parse::<RepoPath>());
    let source = source.transpose().map_err(|error| value("deploy.source", error.to_string()))?;
    Ok(DeployConfig {
        environment: raw.environment,
        driver: raw.driver,
        directory: raw.directory,
        source,
        probe: probe(raw.probe)?,
        interval_ms: raw.interval.map_or(1_000, |interval| interval.0),
    })
}

fn probe(raw: RawProbe) -> Result<HealthProbe, ConfigError> {
    let timeout_ms = raw.timeout.map_or(5_000, |timeout| timeout.0);
    match (raw.file, raw.command, raw.url) {
        (Some(path), None, None) => Ok(HealthProbe::File { path }),
        (None, Some(command), None) if !command.is_empty() => {
            Ok(HealthProbe::Command { command, timeout_ms })
        }
        (None, None, Some(url)) => Ok(HealthProbe::Http { url, timeout_ms, contains: raw.contains }),
        _ => Err(value("deploy.probe", "needs exactly one of `file`, `command` and `url`")),
    }
}

/// Byte offset of a line and column, both counted from 1.
/// The parser's words without its place, which the frame shows, and without its advice to the programmer who calls it.
pub(crate) fn words(why: &str) -> String {
    let why = why.strip_prefix("error: ").unwrap_or(why);
    let why = match why.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") && place.contains(" column ") => rest,
        _ => why,
    };
    let why = why.split('\n').next().unwrap_or(why);
    let why = why.split(", set ").next().unwrap_or(why);
    why.rsplit_once(" at line ").map_or(why, |(sentence, _)| sentence).trim().to_owned()
}

fn offset(text: &str, line: u64, column: u64) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .zip(1_u64..)
        .take_while(|(_, number)| *number < line)
        .map(|(line, _)| line.len())
        .sum();
    before.saturating_add(usize::try_from(column.saturating_sub(1)).unwrap_or(0)).min(text.len())
}

#[cfg(test)]
mod tests;
