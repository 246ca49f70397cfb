//! What speaks against a bundle, and that nothing but enough different people puts one in force.

use super::*;
use crate::bundles::active::Base;
use crate::bundles::contents;
use crate::bundles::signatures::tests::{secret, signers};

const NOW: abide_core::id::Timestamp = abide_core::id::Timestamp(1_800_000_000_000);

fn here() -> Here {
    Here { now: NOW, repository: Some("api".to_owned()) }
}

/// A bundle of version `version`, with `edits` over the built-in policy.
fn bundle(version: u64, edits: &[(&str, &str)]) -> Contents {
    let mut files = Base::built_in().files;
    files.extend(edits.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    Contents::read(&contents::bundle(&files, version, None).unwrap()).unwrap()
}

fn judged(contents: &Contents, signed: &[(Role, u8)], in_force: &InForce) -> Judgement {
    let mut signatures = Signatures::empty();
    for (role, seed) in signed {
        signatures.add(contents, *role, &secret(*seed)).unwrap();
    }
    Judgement::of(contents, &signatures, Ok(&signers()), in_force, &here())
}

fn codes(contents: &Contents, signed: &[(Role, u8)]) -> Vec<&'static str> {
    judged(contents, signed, &InForce::built_in()).refusals.into_iter().map(|one| one.code).collect()
}

const PLAIN: &[(&str, &str)] = &[("more.rego", "package abide.more\nx := 1\n")];
const HARD: &[(&str, &str)] = &[("hard_more.rego", "package abide.hard_more\nx := 1\n")];
const INVARIANT: &[(&str, &str)] = &[("invariants/a.rego", "package abide.invariants\nx := 1\n")];
const NONE: [&str; 0] = [];

#[test]
fn rules_take_one_person_of_the_right_role() {
    let bundle = bundle(1, PLAIN);
    assert_eq!(codes(&bundle, &[(Role::Rules, 1)]), NONE);
    assert_eq!(codes(&bundle, &[]), ["AB0251"]);
    assert_eq!(codes(&bundle, &[(Role::Hard, 2), (Role::Hard, 3)]), ["AB0251"], "hard is not rules");
    assert_eq!(codes(&bundle, &[(Role::Rules, 2)]), ["AB0253"]);
    assert_eq!(codes(&bundle, &[(Role::Rules, 8)]), ["AB0254"]);
    assert_eq!(codes(&bundle, &[(Role::Rules, 9)]), ["AB0255"]);
    assert_eq!(
        codes(&bundle, &[(Role::Rules, 8), (Role::Rules, 1)]),
        NONE,
        "what does not count does no harm"
    );
}

#[test]
fn hard_rules_take_two_people() {
    let bundle = bundle(1, HARD);
    assert_eq!(codes(&bundle, &[(Role::Rules, 1)]), ["AB0251"]);
    assert_eq!(codes(&bundle, &[(Role::Rules, 1), (Role::Hard, 2)]), ["AB0251"]);
    assert_eq!(
        codes(&bundle, &[(Role::Rules, 1), (Role::Hard, 3), (Role::Hard, 4)]),
        ["AB0256"],
        "one person, two keys"
    );
    assert_eq!(codes(&bundle, &[(Role::Rules, 1), (Role::Hard, 3), (Role::Hard, 5)]), ["AB0255"]);
    assert_eq!(codes(&bundle, &[(Role::Hard, 2), (Role::Hard, 3)]), ["AB0251"], "and rules too");
    let judgement =
        judged(&bundle, &[(Role::Rules, 1), (Role::Hard, 2), (Role::Hard, 3)], &InForce::built_in());
    assert_eq!(judgement.refusals, []);
    let people: Vec<_> = judgement.record().into_iter().map(|one| (one.role, one.person)).collect();
    let pair = |role: &str, person: &str| (role.to_owned(), person.to_owned());
    assert_eq!(people, [pair("rules", "alice"), pair("hard", "bob"), pair("hard", "carol")]);
    assert_eq!(judgement.differences, [("hard_more.rego".to_owned(), Difference::Added)]);
}

#[test]
fn invariants_take_others_than_rules() {
    let bundle = bundle(1, &[PLAIN, INVARIANT].concat());
    assert_eq!(codes(&bundle, &[(Role::Rules, 1)]), ["AB0251"]);
    assert_eq!(codes(&bundle, &[(Role::Invariants, 6)]), ["AB0251"], "rules are asked, too");
    assert_eq!(codes(&bundle, &[(Role::Rules, 1), (Role::Invariants, 1)]), ["AB0253"]);
    assert_eq!(codes(&bundle, &[(Role::Rules, 1), (Role::Invariants, 6)]), NONE);
}

#[test]
fn versions_only_go_up() {
    let active = bundle(5, PLAIN);
    let in_force = InForce {
        version: 5,
        archive: Some(active.archive.clone()),
        policy: Some(active.policy.clone()),
        recorded: None,
    };
    let code = |contents: &Contents| {
        judged(contents, &[(Role::Rules, 1)], &in_force).refusals.first().map(|one| one.code)
    };
    assert_eq!(code(&bundle(4, PLAIN)), Some("AB0259"));
    assert_eq!(code(&bundle(5, &[("more.rego", "package abide.more\nx := 2\n")])), Some("AB0259"));
    assert_eq!(code(&bundle(6, PLAIN)), None);
    assert_eq!(code(&bundle(202_612_312_359, PLAIN)), None, "a version made of a time");
    assert_eq!(code(&bundle(STEP_MAX + 6, PLAIN)), Some("AB0259"));
    assert_eq!(code(&active), None, "the one that is in force is no other");
}

#[test]
fn where_nothing_can_be_compared_everything_counts_as_changed() {
    let in_force = InForce { version: 0, archive: None, policy: None, recorded: None };
    let next = bundle(1, PLAIN);
    let judgement = judged(&next, &[(Role::Rules, 1)], &in_force);
    assert!(judgement.hard_changed && judgement.invariants_changed);
    let codes: Vec<_> = judgement.refusals.iter().map(|one| one.code).collect();
    assert_eq!(codes, ["AB0251", "AB0251"]);
    // The record tells what the parts were, even where the archive is lost.
    let recorded = Some((next.policy.hard.clone(), next.policy.invariants.clone()));
    let judgement = judged(&next, &[(Role::Rules, 1)], &InForce { recorded, ..in_force });
    assert!(!judgement.hard_changed && !judgement.invariants_changed && judgement.refusals.is_empty());
}

#[test]
fn without_a_list_nobody_is_trusted() {
    let missing = SignersError::Missing("signers.yaml".to_owned());
    let found =
        Judgement::of(&bundle(1, PLAIN), &Signatures::empty(), Err(&missing), &InForce::built_in(), &here());
    assert_eq!(found.refusals.iter().map(|one| one.code).collect::<Vec<_>>(), ["AB0257"]);
}
