//! A worker that tries what it gets of WASI, one way per recipe. Tests run it, and `ab worker verify` does.

use worker_kit::{Failure, FailureKind, Files, Proposal, Task, Worker, failure};

#[allow(missing_docs, clippy::pedantic, unreachable_pub)]
mod bindings {
    worker_kit::wit_bindgen::generate!({
        inline: "
            package probe:all@1.0.0;

            world wants {
                import wasi:io/poll@0.2.0;
                import wasi:io/streams@0.2.0;
                import wasi:cli/stdout@0.2.0;
                import wasi:cli/environment@0.2.0;
                import wasi:cli/exit@0.2.0;
                import wasi:clocks/monotonic-clock@0.2.0;
                import wasi:clocks/wall-clock@0.2.0;
                import wasi:random/random@0.2.0;
                import wasi:filesystem/types@0.2.0;
            }

            package wasi:io@0.2.0 {
                interface error {
                    resource error { to-debug-string: func() -> string; }
                }
                interface poll {
                    resource pollable { ready: func() -> bool; block: func(); }
                    poll: func(in: list<borrow<pollable>>) -> list<u32>;
                }
                interface streams {
                    use error.{error};
                    use poll.{pollable};
                    variant stream-error { last-operation-failed(error), closed }
                    resource output-stream {
                        check-write: func() -> result<u64, stream-error>;
                        subscribe: func() -> pollable;
                    }
                }
            }
            package wasi:cli@0.2.0 {
                interface stdout {
                    use wasi:io/streams@0.2.0.{output-stream};
                    get-stdout: func() -> output-stream;
                }
                interface environment {
                    get-environment: func() -> list<tuple<string, string>>;
                    initial-cwd: func() -> option<string>;
                }
                interface exit { exit: func(status: result); }
            }
            package wasi:clocks@0.2.0 {
                interface monotonic-clock { now: func() -> u64; resolution: func() -> u64; }
                interface wall-clock {
                    record datetime { seconds: u64, nanoseconds: u32 }
                    now: func() -> datetime;
                }
            }
            package wasi:random@0.2.0 {
                interface random { get-random-bytes: func(len: u64) -> list<u8>; get-random-u64: func() -> u64; }
            }
            package wasi:filesystem@0.2.0 {
                interface types {
                    enum error-code { would-block, access, unsupported }
                    record path { secret: string }
                    resource directory {
                        constructor();
                        adopt: static func(one: directory, more: list<directory>) -> result<directory, error-code>;
                        open: func(at: path) -> result<u32, error-code>;
                        size: func() -> u64;
                    }
                }
            }
        ",
        generate_all,
        runtime_path: "::worker_kit::wit_bindgen::rt",
    });
}

use bindings::wasi::cli::{environment, exit, stdout};
use bindings::wasi::clocks::{monotonic_clock, wall_clock};
use bindings::wasi::filesystem::types::{Directory, Path};
use bindings::wasi::io::poll;
use bindings::wasi::random::random;

struct Prober;

impl Worker for Prober {
    fn propose(task: Task, _: &dyn Files) -> Result<Proposal, Failure> {
        // Where a ticket must name a recipe that exists, the way is the parameter `new` of `replace-text`.
        let new = task.parameters.iter().find(|one| one.key == "new" && task.recipe == "replace-text");
        let said = match new.map_or(task.recipe.as_str(), |one| one.value.as_str()) {
            "answers" => answers(),
            "random" => {
                let many = task
                    .parameters
                    .iter()
                    .find(|one| one.key == "bytes")
                    .and_then(|one| one.value.parse().ok());
                format!("{:?}", random::get_random_bytes(many.unwrap_or(8)))
            }
            "random-flood" => format!("{:?}", random::get_random_bytes(u64::MAX)),
            "exit" => {
                exit::exit(Ok(()));
                "it went on".to_owned()
            }
            "handles" => {
                // Each is given back, and then none.
                for _ in 0..30_000 {
                    drop(Directory::new());
                }
                let held: Vec<Directory> = (0..20_000).map(|_| Directory::new()).collect();
                format!("{} are held", held.len())
            }
            "wait" => loop {
                stdout::get_stdout().subscribe().block();
            },
            _ => "no recipe".to_owned(),
        };
        Err(failure(FailureKind::Unsupported, said))
    }
}

/// One answer of each kind.
fn answers() -> String {
    let stream = stdout::get_stdout();
    let (one, other) = (stream.subscribe(), stream.subscribe());
    let ready = (one.ready(), poll::poll(&[&one, &other]));
    let directory = Directory::new();
    let opened = directory.open(&Path { secret: "/etc/shadow".to_owned() });
    let adopted = Directory::adopt(Directory::new(), vec![Directory::new()]).map(drop);
    let clocks =
        (monotonic_clock::now(), monotonic_clock::resolution(), monotonic_clock::now(), wall_clock::now());
    let numbers = (directory.size(), environment::get_environment().len(), environment::initial_cwd());
    let written = stream.check_write().map_err(|error| error.to_string());
    format!("{ready:?} {written:?} {opened:?} {adopted:?} {clocks:?} {numbers:?}")
}

worker_kit::export!("codegen", Prober);
