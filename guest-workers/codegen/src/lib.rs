//! The worker that changes files by deterministic recipes. No model, no network: the same task on the same commit gives
//! the same patch.
//!
//! | recipe | parameters |
//! |---|---|
//! | `repair-links` | – |
//! | `add-spdx` | `license`, `copyright`?, `include-data`? |
//! | `rename` | `old`, `new`, `in-strings`?, `in-comments`?, `merge`? |
//! | `replace-text` | `path`, `old`, `new`, `expect`? |
//! | `edit-file` | `path`, `text` or `delete`, `executable`? |

mod edit;
mod links;
mod rename;
mod spdx;

use worker_kit::{Failure, FailureKind, Files, Parameters, Proposal, Task, Worker, failure};

struct Codegen;

impl Worker for Codegen {
    fn propose(task: Task, files: &dyn Files) -> Result<Proposal, Failure> {
        propose(&task, files)
    }
}

/// Runs the recipe that `task` names.
fn propose(task: &Task, files: &dyn Files) -> Result<Proposal, Failure> {
    let parameters = Parameters::of(task);
    match task.recipe.as_str() {
        "repair-links" => links::repair(task, parameters, files),
        "add-spdx" => spdx::add(task, parameters, files),
        "rename" => rename::rename(task, parameters, files),
        "replace-text" => edit::replace_text(task, parameters, files),
        "edit-file" => edit::edit_file(task, parameters, files),
        other => Err(failure(
            FailureKind::UnknownRecipe,
            format!(
                "there is no recipe `{other}`; there are: add-spdx, edit-file, rename, repair-links, replace-text"
            ),
        )),
    }
}

worker_kit::export!("codegen", Codegen);

#[cfg(test)]
mod testing;
