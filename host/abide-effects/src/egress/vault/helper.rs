//! A secret that a program gives when it is asked: one that it looks up, or one that it mints for this errand and that is worth nothing afterwards.

use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;

use super::{Errand, Secret, VaultError};

/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// The program, and what it is given of the surroundings.
#[derive(Debug, Clone, Copy)]
pub struct Helper<'a> {
    /// Program and arguments. No shell looks at them.
    pub argv: &'a [String],
    /// Its whole environment.
    pub environment: &'a [(&'a str, String)],
    /// How long it may take.
    pub patience: Duration,
}

/// What it reads on standard input, as one line of JSON.
#[derive(Serialize)]
struct Question<'a> {
    schema: &'static str,
    secret: &'a str,
    #[serde(flatten)]
    errand: &'a Errand,
}

impl Helper<'_> {
    /// Asks for the secret called `name`: what the program prints, without one line feed at its end.
    pub fn ask(&self, name: &str, errand: &Errand) -> Result<Secret, VaultError> {
        let question = Question { schema: "abide.errand/1", secret: name, errand };
        let mut question = serde_json::to_vec(&question).map_err(|error| VaultError(error.to_string()))?;
        question.push(b'\n');
        let child = self.start()?;
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (send, answered) = mpsc::channel();
        thread::spawn(move || drop(send.send(talk(child, &question))));
        let Ok(answer) = answered.recv_timeout(self.patience) else {
            // Whatever it started goes with it. It may have ended just now, which is as good.
            let _ended = group.map(|group| kill_process_group(group, Signal::KILL));
            return Err(VaultError(format!(
                "its helper did not answer within {} s",
                self.patience.as_secs()
            )));
        };
        let (status, mut bytes) =
            answer.map_err(|error| VaultError(format!("its helper failed: {error}")))?;
        if !status.success() {
            // What it says on standard error is for its own log: it could name the secret.
            return Err(VaultError(format!("its helper ended with {status}")));
        }
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        if bytes.is_empty() || bytes.len() >= usize::try_from(ANSWER_BYTES_MAX).unwrap_or(usize::MAX) {
            return Err(VaultError(format!("its helper gave {} bytes", bytes.len())));
        }
        Ok(Secret::new(bytes))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the permit of the lease was redeemed before any of its secrets is opened"
    )]
    fn start(&self) -> Result<Child, VaultError> {
        let (program, arguments) =
            self.argv.split_first().ok_or_else(|| VaultError("its helper has no name".to_owned()))?;
        Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| VaultError(format!("its helper `{program}` could not be started: {error}")))
    }
}

fn talk(mut child: Child, question: &[u8]) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    if let Some(mut input) = child.stdin.take() {
        // Who does not read the question may still know the answer.
        drop(input.write_all(question));
    }
    let mut bytes = Vec::new();
    if let Some(output) = child.stdout.take() {
        output.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
    }
    Ok((child.wait()?, bytes))
}
