//! Holding the records about workers against each other and against the bytes that they cite, for `ab verify`.

use std::collections::BTreeMap;

use abide_core::event::{Body, Event, WorkerApproved, WorkerOffered};
use abide_core::id::{Digest, Timestamp};
use abide_ledger::{Check, Ledger, Outcome};

use super::signatures;
use super::{KINDS, Kept, Registry};
use crate::bundles::signers::Signers;
use crate::report::{Exit, Failure};

/// Judges every record about a worker again. `Err` means that the log cannot be read.
pub(crate) fn check(ledger: &Ledger, kept: &Kept) -> Result<Check, Failure> {
    let (outcome, detail, code) = match held(ledger, kept)? {
        Ok(told) => (Outcome::Ok, told, None),
        Err(why) => (Outcome::Refused, why, Some("AB0853")),
    };
    Ok(Check { name: "workers", outcome, detail, code })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only these kinds were read")]
fn held(ledger: &Ledger, kept: &Kept) -> Result<Result<String, String>, Failure> {
    let records = ledger.store().records_of_kinds(&KINDS);
    let records = records.map_err(|error| Failure::of(error.code(), error).exit(Exit::Evidence))?;
    let mut offers: BTreeMap<u64, WorkerOffered> = BTreeMap::new();
    let mut admitted = 0_usize;
    let cited =
        |digest: &Digest| ledger.store().blob(digest).ok().flatten().map(|blob| blob.bytes().to_vec());
    for record in records {
        let event: Event = serde_json::from_slice(record.leaf.bytes())
            .map_err(|error| Failure::of("AB0409", error).exit(Exit::Evidence))?;
        let (place, at) = (record.seq.0, Timestamp(event.at));
        let found = match event.body {
            Body::WorkerOffered(offer) => {
                let found = signed(&offer, at, &cited);
                offers.insert(place, *offer);
                found
            }
            Body::WorkerApproved(approved) => {
                admitted = admitted.saturating_add(1);
                follows(&approved, offers.get(&approved.offer.0))
            }
            _ => Ok(()),
        };
        if let Err(why) = found {
            return Ok(Err(format!("event {place} `{}`: {why}", record.leaf.kind())));
        }
    }
    for entry in Registry::of(ledger)?.entries().filter(|entry| entry.standing.word() == "admitted") {
        if let Err(failure) = kept.read(&entry.offer.component) {
            return Ok(Err(format!("worker `{}`: {}", entry.offer.name, failure.what)));
        }
    }
    let unsigned = offers.values().filter(|offer| offer.signed.is_empty()).count();
    Ok(Ok(match offers.len() {
        0 => "no worker was handed in".to_owned(),
        count => {
            format!("{count} handed in ({unsigned} of them unsigned), {admitted} approved by somebody else")
        }
    }))
}

/// The signatures that an offer tells of are those that its bytes have.
fn signed(
    offer: &WorkerOffered,
    at: Timestamp,
    cited: &dyn Fn(&Digest) -> Option<Vec<u8>>,
) -> Result<(), String> {
    let (Some(signatures), Some(signers)) = (&offer.signatures, &offer.signers) else {
        let none = offer.signatures.is_none() && offer.signers.is_none() && offer.signed.is_empty();
        return if none { Ok(()) } else { Err("it tells of signatures that it does not cite".to_owned()) };
    };
    let bytes = cited(signatures).ok_or("its signatures are missing")?;
    let trusted = Signers::of_record(&cited(signers).ok_or("its list of signers is missing")?)?;
    let counted = signatures::count(&bytes, &offer.component, &trusted.signers, at)
        .map_err(|error| format!("{error} [{}]", error.code()))?;
    if counted == offer.signed {
        Ok(())
    } else {
        Err("its `signed` does not follow from the bytes that it cites".to_owned())
    }
}

fn follows(approved: &WorkerApproved, offer: Option<&WorkerOffered>) -> Result<(), String> {
    let offer = offer.ok_or_else(|| format!("there is no offer at place {}", approved.offer.0))?;
    if (&offer.component, &offer.name) != (&approved.component, &approved.name) {
        return Err("it approves something else than was handed in".to_owned());
    }
    if offer.by == approved.by {
        return Err("it is of the one who handed it in".to_owned());
    }
    Ok(())
}
