//! The settings of a task.

use crate::{Failure, FailureKind, Task, failure};

/// The settings of a task, each taken once; [`Parameters::done`] refuses those that nobody took.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The settings of `task`.
    pub fn of(task: &Task) -> Self {
        Self(task.parameters.iter().map(|p| (p.key.clone(), p.value.clone())).collect())
    }

    /// Takes the value of `key`, if it was given.
    pub fn take(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(at).1)
    }

    /// Takes the value of `key`, or fails naming it.
    pub fn require(&mut self, key: &str) -> Result<String, Failure> {
        self.take(key)
            .ok_or_else(|| failure(FailureKind::BadParameter, format!("parameter `{key}` is missing")))
    }

    /// Takes `true` or `false`; `false` when it was not given.
    pub fn flag(&mut self, key: &str) -> Result<bool, Failure> {
        match self.take(key).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(failure(
                FailureKind::BadParameter,
                format!("parameter `{key}` is `true` or `false`, not `{other}`"),
            )),
        }
    }

    /// Fails when a setting is left over: a misspelt one must not be ignored.
    pub fn done(self) -> Result<(), Failure> {
        match self.0.first() {
            None => Ok(()),
            Some((key, _)) => Err(failure(
                FailureKind::BadParameter,
                format!("parameter `{key}` is not one of this recipe's"),
            )),
        }
    }
}
