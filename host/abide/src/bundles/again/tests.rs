//! A recorded activation holds if enough different people signed it by the list that it cites, and in no other case.

use abide_core::event::{Body, Count};
use abide_core::id::{RunId, Timestamp};
use abide_gate::source::Added;
use abide_ledger::Leaf;

use super::*;
use crate::bundles::Role;
use crate::bundles::contents;
use crate::bundles::signatures::tests::{secret, signers};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const HARD: &[(&str, &str)] = &[("hard_more.rego", "package abide.hard_more\nx := 1\n")];

/// What a log has of one activation.
#[derive(Clone)]
struct Kept<R = PolicyActivated> {
    record: R,
    blobs: BTreeMap<Digest, Vec<u8>>,
    at: Timestamp,
}

/// A bundle of the built-in policy with `edits`, signed by these, recorded as `ab policy activate` does, whatever speaks against it.
fn kept(version: u64, edits: &[(&str, &str)], signed: &[(Role, u8)], before: &InForce) -> Kept {
    let mut files = Base::built_in().files;
    files.extend(edits.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    let packed = contents::bundle(&files, version, None).unwrap();
    recorded_as(packed, signed, before, |contents, judgement, [archive, signatures, signers]| {
        PolicyActivated {
            version: Count(version),
            archive,
            signatures,
            signers,
            bundle: contents.policy.bundle.clone(),
            hard: contents.policy.hard.clone(),
            invariants: contents.policy.invariants.clone(),
            hard_changed: judgement.hard_changed,
            signed: judgement.record(),
            by: "sponsor".to_owned(),
            reason: "for the test".to_owned(),
        }
    })
}

/// The same of a layer with this document.
fn layer(version: u64, tighten: &str, signed: &[(Role, u8)], before: &InForce) -> Kept<LayerActivated> {
    let files = BTreeMap::from([("tighten.yaml".to_owned(), tighten.as_bytes().to_vec())]);
    let packed = crate::bundles::layer::bundle(&files, version, None).unwrap();
    recorded_as(packed, signed, before, |contents, judgement, [archive, signatures, signers]| {
        LayerActivated {
            layer: "organisation".to_owned(),
            version: Count(version),
            archive,
            signatures,
            signers,
            files: contents.policy.bundle.clone(),
            signed: judgement.record(),
            by: "sponsor".to_owned(),
            reason: "for the test".to_owned(),
        }
    })
}

fn recorded_as<R>(
    packed: Vec<u8>,
    signed: &[(Role, u8)],
    before: &InForce,
    record: impl FnOnce(&Contents, &Judgement, [Digest; 3]) -> R,
) -> Kept<R> {
    let contents = Contents::read(&packed).unwrap();
    let mut signatures = Signatures::empty();
    for (role, seed) in signed {
        signatures.add(&contents, *role, &secret(*seed)).unwrap();
    }
    let judgement =
        Judgement::of(&contents, &signatures, Ok(&signers()), before, &Here { now: NOW, repository: None });
    let blobs = [
        packed,
        signatures.to_bytes().unwrap(),
        signers().kept(None, Some(&proof::Proof::claimed(&contents.policy))).unwrap(),
    ];
    let digests = blobs.each_ref().map(|bytes| Digest::of(bytes));
    let record = record(&contents, &judgement, digests.clone());
    Kept { record, blobs: digests.into_iter().zip(blobs).collect(), at: NOW }
}

/// A record as the body of an event.
trait Told: Record {
    fn body(&self) -> Body;
}

impl Told for PolicyActivated {
    fn body(&self) -> Body {
        Body::PolicyActivated(Box::new(self.clone()))
    }
}

impl Told for LayerActivated {
    fn body(&self) -> Body {
        Body::LayerActivated(Box::new(self.clone()))
    }
}

impl<R: Told> Kept<R> {
    /// The bytes of the event.
    fn event(&self) -> Vec<u8> {
        let (kind, data) = self.record.body().parts().unwrap();
        Leaf::new(None::<RunId>, &kind, self.at, data).unwrap().bytes().to_vec()
    }
}

/// Judges `one` again after `before`; the error in words.
fn again<R: Told>(one: &Kept<R>, before: Option<&Kept<R>>) -> Result<Activated, String> {
    let (event, event_before) = (one.event(), before.map(Kept::event));
    let cited = |digest: &Digest| one.blobs.get(digest).cloned();
    let cited_before = |digest: &Digest| before.and_then(|kept| kept.blobs.get(digest).cloned());
    let recorded = Activation { seq: 2, at: one.at, event: &event, cited: &cited };
    let previous =
        event_before.as_ref().map(|event| Activation { seq: 1, at: NOW, event, cited: &cited_before });
    let judges = Again::trusting(Vec::new()).unwrap();
    judges.activation(&recorded, previous.as_ref()).map_err(|why| why.to_string())
}

#[track_caller]
fn refused<R: Told>(one: &Kept<R>, before: Option<&Kept<R>>, words: &str) {
    let why = again(one, before).unwrap_err();
    assert!(why.contains(words), "{why}");
}

#[test]
fn enough_different_people_by_the_recorded_list() {
    let built_in = InForce::built_in();
    let good = kept(1, &[], &[(Role::Rules, 1)], &built_in);
    let activated = again(&good, None).unwrap();
    assert_eq!((activated.version, activated.part), (1, Some(good.record.bundle.clone())));
    refused(&kept(1, &[], &[], &built_in), None, "AB0251");
    refused(&kept(1, &[], &[(Role::Rules, 9)], &built_in), None, "AB0255");
    refused(&kept(1, &[], &[(Role::Rules, 2)], &built_in), None, "AB0253");
    let all = [(Role::Rules, 1), (Role::Hard, 2), (Role::Hard, 3)];
    assert!(again(&kept(1, HARD, &all, &built_in), None).is_ok());
    refused(&kept(1, HARD, &all[..2], &built_in), None, "AB0251");
    let twice = [(Role::Rules, 1), (Role::Hard, 3), (Role::Hard, 4)];
    refused(&kept(1, HARD, &twice, &built_in), None, "AB0256");
    // The record cannot say that nothing hard changed, nor that others signed.
    let mut lie = kept(1, HARD, &all[..1], &built_in);
    lie.record.hard_changed = false;
    refused(&lie, None, "AB0251");
    let mut lie = kept(1, HARD, &all, &built_in);
    lie.record.hard_changed = false;
    refused(&lie, None, "`hard_changed`");
    let mut lie = good;
    lie.record.signed[0].person = "bob".to_owned();
    refused(&lie, None, "`signed`");
}

#[test]
fn versions_go_up_and_keys_end() {
    let built_in = InForce::built_in();
    let first = kept(5, &[], &[(Role::Rules, 1)], &built_in);
    let more = &[("more.rego", "package abide.more\nx := 1\n")][..];
    let next = |version| kept(version, more, &[(Role::Rules, 1)], &built_in);
    assert!(again(&next(6), Some(&first)).is_ok());
    refused(&next(5), Some(&first), "AB0259");
    refused(&next(4), Some(&first), "AB0259");
    refused(&first, Some(&first), "already");
    // What was signed for while the first was in force is compared with the first, and not with what is built in.
    let hard = kept(1, HARD, &[(Role::Rules, 1), (Role::Hard, 2), (Role::Hard, 3)], &built_in);
    refused(&kept(2, &[], &[(Role::Rules, 1)], &built_in), Some(&hard), "AB0251");
    let mut late = first;
    late.at = Timestamp(1_900_000_000_000_u64.saturating_add(100_000_000_000));
    refused(&late, None, "AB0255");
}

#[test]
fn bytes_that_are_missing_or_other_ones_are_refused() {
    let good = kept(1, &[], &[(Role::Rules, 1)], &InForce::built_in());
    for digest in [&good.record.archive, &good.record.signatures, &good.record.signers] {
        let mut torn = good.clone();
        torn.blobs.remove(digest);
        refused(&torn, None, "is missing");
        let mut torn = good.clone();
        torn.blobs.insert(digest.clone(), b"other".to_vec());
        refused(&torn, None, "was changed");
    }
    let other = Digest::of(b"other");
    let edits: [fn(&mut PolicyActivated, Digest); 3] =
        [|one, other| one.bundle = other, |one, other| one.hard = other, |one, other| one.invariants = other];
    for edit in edits {
        let mut lie = good.clone();
        edit(&mut lie.record, other.clone());
        refused(&lie, None, "does not follow");
    }
    // A list with a quorum below the least is no list, although the log has it.
    let mut lax = good.clone();
    let list = String::from_utf8(lax.blobs[&lax.record.signers].clone()).unwrap();
    let list = list.replace("\"quorum\":2", "\"quorum\":1").into_bytes();
    lax.record.signers = Digest::of(&list);
    lax.blobs.insert(lax.record.signers.clone(), list);
    refused(&lax, None, "the least is 2");
}

#[test]
fn what_has_invariants_was_checked_against_them() {
    let mut good = kept(1, &[], &[(Role::Rules, 1)], &InForce::built_in());
    let mut with = |proof: Option<&proof::Proof>| {
        let list = signers().kept(None, proof).unwrap();
        good.record.signers = Digest::of(&list);
        good.blobs.insert(good.record.signers.clone(), list);
        again(&good, None)
    };
    assert!(with(None).unwrap_err().contains("keeps its invariants"));
    let (parts, _, _) = Parts::of(&Base::built_in().files).unwrap();
    assert!(with(Some(&proof::Proof::claimed(&parts))).is_ok());
    let other = Parts { bundle: Digest::of(b"another policy"), ..parts };
    assert!(with(Some(&proof::Proof::claimed(&other))).is_err(), "it is about another policy");
}

#[test]
fn the_base_is_the_policy_without_the_rules_of_a_repository() {
    let judges = Again::trusting(Vec::new()).unwrap();
    let base = Base::built_in().files;
    let layer = b"package abide.layers.ours\nfindings := set()\n".to_vec();
    let added = BTreeMap::from([("ours.rego".to_owned(), layer)]);
    let layered =
        abide_gate::source::assemble_layered(&base, &Added { repository: added, ..Added::default() })
            .unwrap();
    let SignedParts { base: found, layer } = judges.signed_parts(layered.to_bytes()).unwrap();
    assert_eq!(layer, None);
    assert_eq!(found, *abide_gate::source::assemble(&base).unwrap().digest());
    assert_eq!(judges.built_in(&found), Some(false));
    assert_eq!(judges.built_in(layered.digest()), None);
}

#[test]
fn a_layer_is_judged_as_a_policy_is() {
    let none = InForce::no_layer();
    let rules = [(Role::Rules, 1)];
    let good = layer(3, "caps: {files_max: 5}", &rules, &none);
    assert_eq!(again(&good, None).unwrap().version, 3);
    refused(&layer(3, "caps: {files_max: 5}", &[], &none), None, "AB0251");
    refused(&layer(3, "caps: {files_max: 5}", &[(Role::Rules, 9)], &none), None, "AB0255");
    refused(&layer(3, "caps: {files_max: 5}", &[(Role::Rules, 2)], &none), None, "AB0253");
    let next = |version| layer(version, "caps: {files_max: 4}", &rules, &none);
    assert!(again(&next(4), Some(&good)).is_ok());
    refused(&next(3), Some(&good), "AB0259");
    refused(&next(2), Some(&good), "AB0259");
    refused(&good, Some(&good), "already");
    for digest in [&good.record.archive, &good.record.signatures, &good.record.signers] {
        let mut torn = good.clone();
        torn.blobs.insert(digest.clone(), b"other".to_vec());
        refused(&torn, None, "was changed");
    }
    let mut lie = good.clone();
    lie.record.files = Digest::of(b"other");
    refused(&lie, None, "`files`");
    let mut lie = good.clone();
    lie.record.version = Count(9);
    refused(&lie, None, "`version`");
    let mut lie = good.clone();
    lie.record.signed[0].person = "bob".to_owned();
    refused(&lie, None, "`signed`");
    let mut lie = good.clone();
    lie.record.layer = "repository".to_owned();
    refused(&lie, None, "does not know");
    // The archive of a whole policy is none of a layer, whoever signed for it, nor the other way round.
    let policy = kept(1, &[], &rules, &InForce::built_in());
    let mut lie = good.clone();
    lie.record.archive = policy.record.archive.clone();
    lie.blobs.extend(policy.blobs.clone());
    refused(&lie, None, "another kind");
    let mut lie = policy;
    lie.record.archive = good.record.archive.clone();
    lie.blobs.extend(good.blobs.clone());
    refused(&lie, None, "another kind");
}

#[test]
fn the_part_of_a_layer_is_what_it_adds_to_a_bundle() {
    let document = "caps: {files_max: 5}\nreview: [\"docs/**\"]\n";
    let rules = [(Role::Rules, 1)];
    let activated = again(&layer(1, document, &rules, &InForce::no_layer()), None).unwrap();
    let judges = Again::trusting(Vec::new()).unwrap();
    let base = Base::built_in().files;
    let of = |organisation: &str, repository: &str| {
        let files = |text: &str| match text {
            "" => BTreeMap::new(),
            text => BTreeMap::from([("tighten.yaml".to_owned(), text.as_bytes().to_vec())]),
        };
        let added =
            Added { organisation: files(organisation), repository: files(repository), ..Added::default() };
        let policy = crate::policy::Policy::over(&base, &added, None).unwrap();
        judges.signed_parts(policy.bundle.to_bytes()).unwrap().layer
    };
    assert!(activated.part.is_some());
    assert_eq!(of(document, ""), activated.part);
    assert_eq!(
        of(document, "caps: {files_max: 2}"),
        activated.part,
        "the repository's rules are no part of it"
    );
    assert_ne!(of("caps: {files_max: 5}", ""), activated.part);
    assert_eq!(of("", document), None);
    // A layer that says nothing is nothing in a bundle.
    let empty = again(&layer(1, "about: nothing", &rules, &InForce::no_layer()), None).unwrap();
    assert_eq!((empty.part, of("about: nothing", "")), (None, None));
}
