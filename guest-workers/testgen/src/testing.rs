//! Tasks over files in memory.

use worker_kit::{Failure, MemoryFiles, Parameter, Proposal, Task, TaskLimits};

/// Runs `draft-tests` over `files`.
pub(crate) fn run(parameters: &[(&str, &str)], files: &[(&str, &str)]) -> Result<Proposal, Failure> {
    let task = Task {
        id: "t1".into(),
        recipe: "draft-tests".into(),
        parameters: parameters
            .iter()
            .map(|(key, value)| Parameter { key: (*key).into(), value: (*value).into() })
            .collect(),
        scope: Vec::new(),
        base: "0".repeat(40),
        limits: TaskLimits {
            files_max: 100,
            output_bytes_max: 1 << 20,
            workspace_bytes_max: 1 << 24,
            workspace_calls_max: 10_000,
        },
    };
    crate::propose(&task, &MemoryFiles::new(files.iter().copied()))
}

/// A fresh folder for one test, removed when it ends.
pub(crate) struct Folder(pub(crate) std::path::PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("testgen-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
