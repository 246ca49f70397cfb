//! Workers that others wrote: what the log says of them, and the bytes that were kept.
//!
//! A component is handed in under a name (`WorkerOffered`), another person agrees (`WorkerApproved`), and it may be taken back
//! (`WorkerRevoked`). There is no other state but the bytes, which lie under their digest in the state folder and are compared with it whenever
//! they are read. `signatures` tells who stands for a component, `layout` reads an OCI image layout, `grants` says what policy would give, `history` what was
//! used of it, `probes`
//! tries whether that holds, and `again` holds the records against each other for `ab verify`.

pub(crate) mod again;
pub(crate) mod grants;
pub(crate) mod history;
pub(crate) mod layout;
pub(crate) mod probes;
pub(crate) mod signatures;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use abide_core::event::{Body, Event, WorkerOffered};
use abide_core::id::{Digest, Seq};
use abide_core::safe_text;
use abide_ledger::Ledger;
use rustix::fs::OFlags;

use crate::home::{State, private_folder};
use crate::report::{Exit, Failure};

/// Kinds of the events that this room reads.
pub(crate) const KINDS: [&str; 3] = ["WorkerOffered", "WorkerApproved", "WorkerRevoked"];

/// How an offer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody else has looked yet.
    Waits,
    /// It may be used.
    Admitted {
        /// Who agreed.
        by: String,
    },
    /// It may not be used any more.
    Revoked {
        /// Who said so.
        by: String,
        /// Why.
        reason: String,
    },
}

impl Standing {
    /// In one word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Waits => "waits",
            Self::Admitted { .. } => "admitted",
            Self::Revoked { .. } => "revoked",
        }
    }
}

/// One component that was handed in.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Place of the offer in the log.
    pub(crate) seq: Seq,
    /// The offer.
    pub(crate) offer: WorkerOffered,
    /// How it stands.
    pub(crate) standing: Standing,
}

impl Entry {
    /// Its name in the queue: `w` and the place of the offer.
    pub(crate) fn item(&self) -> String {
        format!("w{}", self.seq.0)
    }
}

/// Whether `item` names something in this queue.
pub(crate) fn is_item(item: &str) -> bool {
    item.strip_prefix('w')
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A name: 1 to 64 lower-case letters, digits and `-`, beginning with a letter.
pub(crate) fn check_name(name: &str) -> Result<(), Failure> {
    if abide_core::source::is_name(name) {
        return Ok(());
    }
    let what = format!("`{}` is no name for a worker", safe_text::line(name));
    Err(Failure::new("AB0852", what)
        .help("1 to 64 lower-case letters, digits and `-`, beginning with a letter: --name NAME")
        .exit(Exit::Usage))
}

/// Every component that was handed in, as the log tells it.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    entries: BTreeMap<Seq, Entry>,
}

impl Registry {
    /// Reads the log.
    pub(crate) fn of(ledger: &Ledger) -> Result<Self, Failure> {
        let records = ledger.store().records_of_kinds(&KINDS);
        let mut registry = Self::default();
        for record in records.map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))? {
            let event: Event = serde_json::from_slice(record.leaf.bytes())
                .map_err(|error| Failure::of("AB0409", error).exit(Exit::Gate))?;
            registry.fold(record.seq, event.body);
        }
        Ok(registry)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "everything else is about runs and policies")]
    fn fold(&mut self, seq: Seq, body: Body) {
        match body {
            Body::WorkerOffered(offer) => {
                self.entries.insert(seq, Entry { seq, offer: *offer, standing: Standing::Waits });
            }
            // An approval that does not fit its offer, or is of the one who handed it in, changes nothing here; `ab verify` refuses the log.
            Body::WorkerApproved(approved) => {
                if let Some(entry) = self.entries.get_mut(&Seq(approved.offer.0))
                    && entry.standing == Standing::Waits
                    && (&entry.offer.component, &entry.offer.name) == (&approved.component, &approved.name)
                    && entry.offer.by != approved.by
                {
                    entry.standing = Standing::Admitted { by: approved.by.clone() };
                }
            }
            Body::WorkerRevoked(revoked) => {
                for entry in self.entries.values_mut() {
                    if (&entry.offer.component, &entry.offer.name) == (&revoked.component, &revoked.name) {
                        let (by, reason) = (revoked.by.clone(), revoked.reason.clone());
                        entry.standing = Standing::Revoked { by, reason };
                    }
                }
            }
            _ => {}
        }
    }

    /// All of them, oldest first.
    pub(crate) fn entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.values()
    }

    /// The one that is used under `name`: the newest that was admitted.
    pub(crate) fn admitted(&self, name: &str) -> Option<&Entry> {
        self.of_name(name).rfind(|entry| matches!(entry.standing, Standing::Admitted { .. }))
    }

    /// What is said of a component as a whole: revoked, if the newest word about its bytes is that.
    pub(crate) fn revoked(&self, component: &Digest) -> Option<&Entry> {
        let newest = self.entries.values().rfind(|entry| entry.offer.component == *component)?;
        matches!(newest.standing, Standing::Revoked { .. }).then_some(newest)
    }

    /// Whether these bytes may be used, under whichever name.
    pub(crate) fn admits(&self, component: &Digest) -> bool {
        let admitted = |entry: &Entry| matches!(entry.standing, Standing::Admitted { .. });
        self.entries.values().any(|entry| entry.offer.component == *component && admitted(entry))
    }

    /// Those under `name`, oldest first.
    pub(crate) fn of_name<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl DoubleEndedIterator<Item = &'a Entry> + use<'a, 'n> {
        self.entries.values().filter(move |entry| entry.offer.name == name)
    }

    /// The one that waits as `item`.
    pub(crate) fn waiting(&self, item: &str) -> Result<&Entry, Failure> {
        let found = self.entries.values().find(|entry| entry.item() == item);
        let entry = found.ok_or_else(|| {
            Failure::new("AB0849", format!("no worker was handed in as `{item}`"))
                .help("ab worker list shows what was handed in")
                .exit(Exit::Usage)
        })?;
        if entry.standing == Standing::Waits {
            return Ok(entry);
        }
        Err(Failure::new(
            "AB0849",
            format!("`{item}` does not wait any more: it is {}", entry.standing.word()),
        )
        .help("ab worker list shows how each stands; ab worker add hands one in again")
        .exit(Exit::Usage))
    }

    /// The component that may be used under `name`, or why there is none.
    pub(crate) fn usable(&self, name: &str) -> Result<&Entry, Failure> {
        if let Some(entry) = self.admitted(name) {
            return Ok(entry);
        }
        let shown = safe_text::line(name);
        match self.of_name(name).next_back() {
            None => Err(Failure::new("AB0849", format!("no worker called `{shown}` was handed in"))
                .help("ab worker list shows the names; NAME=FILE takes a file as it is; ab worker add FILE hands one in")
                .exit(Exit::Usage)),
            Some(entry) => Err(match &entry.standing {
                Standing::Revoked { by, reason } => Failure::new(
                    "AB0848",
                    format!("worker `{shown}` was revoked by {}: {}", safe_text::line(by), safe_text::line(reason)),
                )
                .help("ab worker add hands in another one"),
                Standing::Waits | Standing::Admitted { .. } => Failure::new(
                    "AB0847",
                    format!("worker `{shown}` waits for somebody other than `{}`", safe_text::line(&entry.offer.by)),
                )
                .help(format!("ab approve {} --as NAME", entry.item())),
            }
            .exit(Exit::Denied)),
        }
    }
}

/// Where the bytes are kept.
#[derive(Debug)]
pub(crate) struct Kept(PathBuf);

impl Kept {
    /// Of one repository.
    pub(crate) fn of(state: &State) -> Self {
        Self(state.folder.join("workers"))
    }

    fn file(&self, component: &Digest) -> PathBuf {
        self.0.join(format!("{}.wasm", component.hex()))
    }

    /// Keeps `bytes` under their digest: written beside, then renamed, so that there is never half a file. What is there already stays.
    pub(crate) fn put(&self, bytes: &[u8]) -> Result<Digest, Failure> {
        let component = Digest::of(bytes);
        private_folder(&self.0)?;
        let file = self.file(&component);
        let fault = |error: std::io::Error| {
            Failure::of("AB0004", error)
                .help(format!("{} could not be written; nothing was handed in", file.display()))
        };
        if self.read(&component).is_ok() {
            return Ok(component);
        }
        let mode = fs::Permissions::from_mode(0o600);
        let mut beside = tempfile::Builder::new().permissions(mode).tempfile_in(&self.0).map_err(fault)?;
        beside.write_all(bytes).and_then(|()| beside.as_file().sync_all()).map_err(fault)?;
        beside.persist(&file).map_err(|error| fault(error.error))?;
        fs::File::open(&self.0).and_then(|folder| folder.sync_all()).map_err(fault)?;
        Ok(component)
    }

    /// Reads them, and compares them with their digest.
    pub(crate) fn read(&self, component: &Digest) -> Result<Vec<u8>, Failure> {
        let file = self.file(component);
        let broken = |why: String| {
            Failure::new("AB0850", format!("the kept worker {} cannot be used: {why}", component.short()))
                .help(format!(
                    "hand the same file in again: ab worker add FILE puts it back at {}",
                    file.display()
                ))
                .exit(Exit::Evidence)
        };
        let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let opened = fs::OpenOptions::new().read(true).custom_flags(flags).open(&file);
        let mut bytes = Vec::new();
        opened
            .and_then(|opened| opened.take(BYTES_MAX).read_to_end(&mut bytes))
            .map_err(|error| broken(error.to_string()))?;
        if Digest::of(&bytes) == *component {
            Ok(bytes)
        } else {
            Err(broken("its bytes were changed".to_owned()))
        }
    }
}

/// Bytes of any file that is looked at as a component, whatever policy says.
pub(crate) const BYTES_MAX: u64 = 256 << 20;

/// Bytes of the component in `file`, of which there may be `most`; never a pipe or a device.
pub(crate) fn read_file(file: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let fault = |error: std::io::Error| {
        Failure::of("AB0832", error).help(format!("{} cannot be read", file.display())).exit(Exit::Usage)
    };
    // A pipe that nobody writes to would wait for ever.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = fs::OpenOptions::new().read(true).custom_flags(flags).open(file).map_err(fault)?;
    let about = opened.metadata().map_err(fault)?;
    if !about.is_file() {
        let what = format!("`{}` is no plain file", safe_text::line(&file.display().to_string()));
        return Err(Failure::new("AB0832", what)
            .help("give a .wasm file, or the folder of an OCI image layout")
            .exit(Exit::Usage));
    }
    if about.len() > most {
        let what = format!("the component has {} bytes, and the limit is {most}", about.len());
        return Err(Failure::new("AB0803", what)
            .help("`engine.component_bytes_max` in policies/data/host.yaml is the limit")
            .exit(Exit::Evidence));
    }
    let mut bytes = Vec::new();
    opened.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(fault)?;
    Ok(bytes)
}
