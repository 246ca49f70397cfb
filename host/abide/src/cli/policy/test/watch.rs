//! `--watch`: runs again when a file of the policy changed. Looks twice a second; needs no help of the system.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, SystemTime};

use super::{TestArgs, once};
use crate::cli::Shell;
use crate::cli::policy::Files;
use crate::report::{Exit, Failure};

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// What tells one state of the folder from another: time of change and length of each file.
type Stamps = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

pub(super) fn until_interrupted(shell: &Shell, args: &TestArgs) -> Result<Exit, Failure> {
    let folder = Files::folder(shell, &args.which)?.0;
    loop {
        // Taken before the run, so that what changes meanwhile is run again.
        let before = stamps(&folder);
        shell.printer.clear();
        if let Err(failure) = once(shell, args) {
            shell.printer.data(&failure.json());
            shell.printer.talk(failure.render(shell.printer.colour(), shell.printer.width()).trim_end());
        }
        shell.printer.aside("waiting for a change; Ctrl-C ends");
        while stamps(&folder) == before {
            thread::sleep(PAUSE);
        }
    }
}

fn stamps(folder: &std::path::Path) -> Stamps {
    let mut found = Stamps::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&at) else { continue };
        for entry in entries.flatten() {
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                folders.push(entry.path());
            }
            found.insert(entry.path(), (about.modified().ok(), about.len()));
        }
        if found.len() > super::super::ENTRIES_MAX {
            break;
        }
    }
    found
}
