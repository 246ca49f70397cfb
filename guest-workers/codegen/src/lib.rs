//! The worker that changes files by deterministic recipes. No model, no network: the same task on the same commit gives
//! the same patch.

mod edit;

use worker_kit::{Failure, FailureKind, Files, Parameters, Proposal, Task, Worker, failure};

struct Codegen;

impl Worker for Codegen {
    fn propose(task: Task, files: &dyn Files) -> Result<Proposal, Failure> {
        let parameters = Parameters::of(&task);
        match task.recipe.as_str() {
            "replace-text" => edit::replace_text(&task, parameters, files),
            other => Err(failure(FailureKind::UnknownRecipe, format!("there is no recipe `{other}`"))),
        }
    }
}

worker_kit::export!("codegen", Codegen);
