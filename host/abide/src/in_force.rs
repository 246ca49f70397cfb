//! What lies in the work tree and is not in force. `ab.yml` and the rules are read from the target branch: what was only written, or written
//! under another name, looks on and is off.

use std::fs;

use crate::config::{self, Config};
use crate::report::Failure;
use crate::repository::Known;

/// Names that a person may mean for [`config::FILE`].
const MEANT: [&str; 3] = ["ab.yaml", ".ab.yml", ".ab.yaml"];

/// What is not in force, each in a sentence that is safe to print.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Gaps {
    /// There is no `ab.yml` on the target, and somebody seems to believe there is.
    pub(crate) absent: Vec<String>,
    /// It, or a rule, differs in the work tree: work in progress, or forgotten.
    pub(crate) differs: Vec<String>,
}

/// Compares the work tree with the target branch. A bare repository has no gaps.
pub(crate) fn gaps(known: &Known, config: &Config) -> Result<Gaps, Failure> {
    let target = known.state.repository.target.short();
    let head = known.head(&known.state.repository.target)?;
    let folder = known.repo.work_dir();
    let mut gaps = Gaps::default();
    let on_target = known.file(&head, config::FILE)?;
    let in_tree = folder.and_then(|folder| fs::read(folder.join(config::FILE)).ok());
    match (&on_target, &in_tree) {
        (None, Some(_)) => gaps.absent.push(format!(
            "ab.yml is not on {target} yet, so defaults are in force: commit it there, with policies/"
        )),
        (Some(one), Some(other)) if one != other => gaps.differs.push(format!(
            "ab.yml in the work tree is not what stands on {target}; what stands on {target} is in force"
        )),
        _ => {}
    }
    if on_target.is_none() {
        for name in MEANT {
            let lies = folder.is_some_and(|folder| folder.join(name).is_file());
            if lies || known.file(&head, name)?.is_some() {
                gaps.absent.push(format!(
                    "{name} is not read, so defaults are in force: rename it to {} on {target}",
                    config::FILE
                ));
            }
        }
    }
    if let Some(folder) = folder {
        let rules = folder.join(config.policies.as_str());
        let own = known.policies(config)?;
        let changed = own
            .iter()
            .filter(|(name, bytes)| fs::read(rules.join(name)).ok().as_deref() != Some(bytes.as_slice()));
        let added = fs::read_dir(&rules).into_iter().flatten().flatten().filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            entry.path().is_file() && !own.contains_key(&name)
        });
        let count = changed.count().saturating_add(added.count());
        if count > 0 {
            let files =
                if count == 1 { "1 file differs".to_owned() } else { format!("{count} files differ") };
            gaps.differs.push(format!(
                "{}/ in the work tree is not what stands on {target} ({files}); what stands on {target} is in force",
                config.policies
            ));
        }
    }
    Ok(gaps)
}
