//! Workers that are named for one run: admitted ones by their name, files as they are.

use abide_core::id::Digest;
use abide_core::safe_text;

use super::Bench;
use crate::cli::Shell;
use crate::cli::args::GivenWorker;
use crate::cli::printer::Tone;
use crate::report::{Exit, Failure};
use crate::workers::{self, Kept, Registry};

/// Puts them in the places of shipped ones. One that is not approved, or was revoked, is refused; so is a file with the bytes of one that was
/// revoked.
pub(super) fn put(shell: &Shell, bench: &mut Bench, given: &[GivenWorker]) -> Result<(), Failure> {
    if given.is_empty() {
        return Ok(());
    }
    let registry = Registry::of(&bench.desk.ledger)?;
    for one in given {
        match one {
            GivenWorker::File { place, file } => {
                let bytes = workers::read_file(file, workers::BYTES_MAX)?;
                if let Some(revoked) = registry.revoked(&Digest::of(&bytes)) {
                    let what = format!(
                        "`{}` has the bytes of worker `{}`, which was revoked",
                        file.display(),
                        revoked.offer.name
                    );
                    return Err(Failure::new("AB0848", safe_text::line(&what))
                        .help("ab worker list says by whom and why")
                        .exit(Exit::Denied));
                }
                bench.workshop.put(place, bytes);
            }
            GivenWorker::Admitted { place, name } => {
                let entry = registry.usable(name)?;
                let bytes = Kept::of(&bench.known.state).read(&entry.offer.component)?;
                if entry.offer.signed.is_empty() {
                    let mark = shell.printer.paint(Tone::Wait, "!");
                    shell.printer.talk(&format!("{mark} worker `{name}` was handed in unsigned"));
                }
                let places =
                    place.as_ref().map_or_else(|| bench.workshop.places(), |place| vec![place.clone()]);
                for place in places {
                    bench.workshop.put(&place, bytes.clone());
                }
            }
        }
    }
    Ok(())
}
