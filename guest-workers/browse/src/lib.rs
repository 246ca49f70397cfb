//! The worker that makes records of what pages of the web show.
//!
//! | recipe | parameters |
//! |---|---|
//! | `extract-records` | `urls` or `source` · `schema` · `path`; `hints` `next` `pages_max` `login` `wait-for` `scroll` |
//! | `scout-sources` | `from` · `urls` · `schema` · `path` · `folder`; `known` `hints` `next` `wait-for` `pages_max` |
//!
//! It opens every page before it reads anything of the repository: a worker that has read is allowed less. What a page says is data; which
//! addresses are opened comes from the task and from the links that `next` points at, and each is judged by the lease.

use worker_kit::{Failure, FailureKind, Files, Proposal, Task, Worker, failure};

mod parameters;
mod propose;
mod scout;
mod visit;

struct Browse;

impl Worker for Browse {
    fn propose(task: Task, files: &dyn Files) -> Result<Proposal, Failure> {
        propose(&task, files, &visit::Host)
    }
}

fn propose(task: &Task, files: &dyn Files, browser: &dyn visit::Browser) -> Result<Proposal, Failure> {
    if task.recipe == "scout-sources" {
        return scout::propose(task, files, browser);
    }
    if task.recipe != "extract-records" {
        return Err(failure(
            FailureKind::UnknownRecipe,
            format!("there is no recipe `{}`; there are: extract-records, scout-sources", task.recipe),
        ));
    }
    let mut ask = parameters::read(task)?;
    if let Some(source) = &ask.source {
        ask.urls = parameters::addresses(&propose::text(files, source)?)?;
    }
    let snapshots = visit::all(browser, &ask)?;
    propose::records(task, files, &ask, &snapshots)
}

worker_kit::export!("browse", Browse, "abide:worker/browser@0.1.0": ::worker_kit::browser);

#[cfg(test)]
mod tests;
