//! Operations that are hard to take back, on added lines of anything but prose. A finding here names a line to look at; it proves nothing.

use super::config::MeasureConfigError;
use super::findings::Findings;
use super::pattern::{Pattern, PatternSet};
use super::view::{Line, View};
use super::{DestructiveFact, FileStatus};

/// Kind and expression. Every expression ignores case.
const ON_ADDED: &[(&str, &str)] = &[
    ("sql-drop", r"\bdrop\s+(?:table|database|schema|column|materialized\s+view|keyspace|collection)\b"),
    ("sql-drop", r"\b(?:drop_table|drop_column|remove_column|dropTable|dropColumn|drop_database)\b\s*[( :]"),
    ("sql-truncate", r"\btruncate\s+table\b|^\s*truncate\s+(?:only\s+)?[\w.\x22`\[\]]+\s*(?:,|;|cascade|$)"),
    (
        "data-drop",
        r"\bflush(?:all|db)\b|\bdropDatabase\s*\(|\bdeleteMany\s*\(\s*\{\s*\}\s*\)|\.objects\.all\(\)\.delete\(",
    ),
    ("recursive-remove", r"\brm\s+(?:-{1,2}[\w=-]+\s+)*(?:-[a-z]*r[a-z]*|--recursive)\b"),
    ("recursive-remove", r"\b(?:rmtree|remove_dir_all|RemoveAll|rimraf|rm_rf|deleteRecursively)\b\s*[(!]?"),
    (
        "recursive-remove",
        r"\bRemove-Item\b.*-Recurse\b|\brd\s+/s\b|\brmdir\s+/s\b|\bfind\b.*\s-delete\b|\brmSync\s*\(.*recursive|\bfs\.rm\w*\s*\(.*recursive",
    ),
    ("disk-wipe", r"\bmkfs(?:\.\w+)?\s|\bdd\b.*\bof=/dev/|\bshred\s+-|\bwipefs\b|>\s*/dev/(?:sd|nvme|vd)\w+"),
    (
        "force-push",
        r"\bgit\b.*\bpush\b.*(?:\s--force(?:-with-lease|-if-includes)?\b|\s-[a-z]*f\b|\s--mirror\b|\s--delete\b|\s\+[\w/])",
    ),
    (
        "history-rewrite",
        r"\bgit\b.*\b(?:filter-branch|filter-repo|reset\s+--hard|clean\s+-[a-z]*f|reflog\s+expire|update-ref\s+-d)",
    ),
    (
        "infra-destroy",
        r"\b(?:terraform|tofu|terragrunt|pulumi|cdk|serverless|sls)\b.*\b(?:destroy|remove)\b|\bapply\b.*\s-destroy\b",
    ),
    (
        "infra-destroy",
        r"\bforce_destroy\b\W{1,6}true|\bprevent_destroy\b\W{1,6}false|\b(?:deletion_protection|deletionProtection|termination_protection|deletion_protection_enabled)\b\W{1,6}false|\bskip_final_snapshot\b\W{1,6}true|\bforce_delete\b\W{1,6}true",
    ),
    (
        "infra-destroy",
        r"\bkubectl\b.*\bdelete\b|\bhelm\s+(?:uninstall|delete)\b|\bdocker\b.*\b(?:prune|volume\s+rm)\b|\baws\b.*\b(?:s3\s+rb|s3\s+rm\b.*--recursive|delete-\w+|terminate-instances)|\bgcloud\b.*\bdelete\b|\baz\b.*\bdelete\b",
    ),
];

/// Safeguards whose removal is as good as the operation.
const ON_REMOVED: &str = r"(?i)\b(?:prevent_destroy|deletion_protection|deletionProtection|deletion_protection_enabled|termination_protection)\b\W{1,6}true";

const SQL_WITHOUT_WHERE: &str =
    r"(?i)\bdelete\s+from\s+[\w.\x22`\[\]$:{}]+|\bupdate\s+[\w.\x22`\[\]]+\s+set\s+\S";
/// Lines that one SQL statement may take before it is judged as it stands.
const STATEMENT_LINES_MAX: usize = 12;

/// Finds destructive operations.
#[derive(Debug)]
pub(crate) struct Destructive {
    added: PatternSet,
    removed: Pattern,
    statement: Pattern,
    narrowed: Pattern,
}

impl Destructive {
    pub(crate) fn compile() -> Result<Self, MeasureConfigError> {
        let patterns: Vec<String> = ON_ADDED.iter().map(|(_, pattern)| format!("(?i){pattern}")).collect();
        Ok(Self {
            added: PatternSet::compile("destructive", &patterns)?,
            removed: Pattern::compile("safeguard-removed", ON_REMOVED)?,
            statement: Pattern::compile("sql-delete-all", SQL_WITHOUT_WHERE)?,
            narrowed: Pattern::compile("sql-where", r"(?i)\bwhere\b")?,
        })
    }

    /// `prose` says that the file is documentation and nothing else: it names operations, it does not hold any.
    pub(crate) fn find(&self, view: &View<'_>, prose: bool, found: &mut Findings<DestructiveFact>) {
        if prose {
            return;
        }
        let mut say = |kind: &str, line: u64| {
            let fact = DestructiveFact { kind: kind.to_owned(), path: view.path().to_owned(), line };
            found.push(kind, view.path(), fact);
        };
        if view.entry.status() == FileStatus::Deleted {
            say("file-deleted", 0);
            return;
        }
        for hunk in &view.hunks {
            for (index, line) in hunk.added.iter().enumerate() {
                for pattern in self.added.matches(&line.text) {
                    if let Some((kind, _)) = ON_ADDED.get(pattern) {
                        say(kind, line.number);
                    }
                }
                if self.statement.is_match(&line.text)
                    && !self.is_narrowed(hunk.added.get(index..).unwrap_or_default())
                {
                    say("sql-delete-all", line.number);
                }
            }
            let lost = hunk.removed.iter().filter(|line| self.removed.is_match(&line.text)).count();
            let kept = hunk.added.iter().filter(|line| self.removed.is_match(&line.text)).count();
            if lost > kept {
                say("infra-destroy", 0);
            }
        }
    }

    /// Whether the statement that begins on the first of `lines` has a `where` before it ends.
    fn is_narrowed(&self, lines: &[Line<'_>]) -> bool {
        for line in lines.iter().take(STATEMENT_LINES_MAX) {
            let statement = line.text.split(';').next().unwrap_or_default();
            // A `where` in a comment narrows nothing.
            let statement = statement.split("--").next().unwrap_or_default();
            if self.narrowed.is_match(statement) {
                return true;
            }
            if line.text.contains(';') {
                return false;
            }
        }
        false
    }
}
