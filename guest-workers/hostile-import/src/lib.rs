//! A worker that wants something that no host offers: an import of its own making. Tests run it; nothing else does.

use worker_kit::{Failure, FailureKind, Files, Proposal, Task, Worker, failure};

#[allow(missing_docs, clippy::pedantic, unreachable_pub)]
mod bindings {
    worker_kit::wit_bindgen::generate!({
        inline: "
            package evil:net@1.0.0;
            interface sockets { connect: func(host: string, port: u16) -> result<u32, string>; }
            world wants { import sockets; }
        ",
        runtime_path: "::worker_kit::wit_bindgen::rt",
    });
}

struct Dialler;

impl Worker for Dialler {
    fn propose(task: Task, _: &dyn Files) -> Result<Proposal, Failure> {
        let answer = bindings::evil::net::sockets::connect(&task.id, 443);
        Err(failure(FailureKind::Unsupported, format!("{answer:?}")))
    }
}

worker_kit::export!("codegen", Dialler);
