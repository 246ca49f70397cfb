//! A signature holds for one bundle, one role and one person, and counts once.

use super::*;
use crate::bundles::active::Base;
use crate::bundles::contents::{self, tests::built_in};

const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) fn secret(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// Alice signs rules; bob and carol sign hard rules, carol with two keys, and a key of bob's is over; dora signs invariants.
pub(crate) fn signers() -> Signers {
    let key = |person: &str, seed: u8, day: &str| {
        format!("{{person: {person}, public: \"{}\", not_after: {day}}}", secret(seed).public())
    };
    let text = format!(
        "roles:\n  rules: {{quorum: 1, keys: [{}, {}]}}\n  hard: {{quorum: 2, keys: [{}, {}, {}, {}]}}\n  invariants: {{quorum: 1, keys: [{}]}}\n",
        key("alice", 1, "2030-01-31"),
        key("old", 9, "2020-01-31"),
        key("bob", 2, "2030-01-31"),
        key("carol", 3, "2030-01-31"),
        key("carol", 4, "2030-01-31"),
        key("bob", 5, "2020-01-31"),
        key("dora", 6, "2030-01-31"),
    );
    Signers::parse(text.as_bytes()).unwrap()
}

fn bundle() -> Contents {
    Contents::read(&built_in()).unwrap()
}

fn standings(signatures: &Signatures, contents: &Contents) -> Vec<(Role, Option<String>, Standing)> {
    let counted = signatures.count(contents, &signers(), NOW).unwrap();
    counted.into_iter().map(|one| (one.role, one.person, one.standing)).collect()
}

#[test]
fn each_signature_is_looked_at() {
    let contents = bundle();
    let mut signed = Signatures::empty();
    for (role, seed) in [
        (Role::Rules, 1),
        (Role::Rules, 9),
        (Role::Hard, 3),
        (Role::Hard, 4),
        (Role::Hard, 5),
        (Role::Hard, 1),
        (Role::Hard, 8),
    ] {
        signed.add(&contents, role, &secret(seed)).unwrap();
    }
    let again = Signatures::parse(&signed.to_bytes().unwrap()).unwrap();
    let who = |name: &str| Some(name.to_owned());
    assert_eq!(
        standings(&again, &contents),
        [
            (Role::Rules, who("alice"), Standing::Counts),
            (Role::Rules, who("old"), Standing::Expired),
            (Role::Hard, who("carol"), Standing::Counts),
            (Role::Hard, who("carol"), Standing::Again),
            (Role::Hard, who("bob"), Standing::Expired),
            (Role::Hard, who("alice"), Standing::WrongRole),
            (Role::Hard, None, Standing::Unknown),
        ]
    );
    // Signing again changes nothing; a person's valid key counts after one of theirs that is over.
    let before = signed.to_bytes().unwrap();
    signed.add(&contents, Role::Rules, &secret(1)).unwrap();
    assert_eq!(signed.to_bytes().unwrap(), before);
    signed.add(&contents, Role::Hard, &secret(2)).unwrap();
    assert_eq!(standings(&signed, &contents).last().unwrap().2, Standing::Counts);
}

#[test]
fn a_signature_is_on_one_bundle_and_one_role() {
    let contents = bundle();
    let mut signed = Signatures::empty();
    signed.add(&contents, Role::Rules, &secret(1)).unwrap();
    let other = Contents::read(&contents::bundle(&Base::built_in().files, 4, None).unwrap()).unwrap();
    assert_eq!(signed.count(&other, &signers(), NOW).unwrap_err().code(), "AB0250");
    assert_eq!(signed.clone().add(&other, Role::Hard, &secret(2)).unwrap_err().code(), "AB0250");
    // The envelope of one role given out for another.
    let mut moved = signed.clone();
    let envelope = moved.0.envelopes.remove(&Role::Rules).unwrap();
    moved.0.envelopes.insert(Role::Hard, envelope);
    assert_eq!(moved.count(&contents, &signers(), NOW).unwrap_err().code(), "AB0250");
    // A signature of another payload, under a key that is known.
    let mut forged = signed;
    let envelope = forged.0.envelopes.get_mut(&Role::Rules).unwrap();
    envelope.signatures[0] = secret(1).sign(PAYLOAD_TYPE, b"something else");
    assert_eq!(forged.count(&contents, &signers(), NOW).unwrap_err().code(), "AB0252");
}

#[test]
fn a_keyid_alone_is_nobody() {
    let contents = bundle();
    let mut signed = Signatures::empty();
    signed.add(&contents, Role::Rules, &secret(8)).unwrap();
    signed.0.envelopes.get_mut(&Role::Rules).unwrap().signatures[0].keyid = secret(1).public().id();
    assert_eq!(signed.count(&contents, &signers(), NOW).unwrap_err().code(), "AB0252");
}

#[test]
fn what_is_no_file_of_signatures() {
    let mut signed = Signatures::empty();
    signed.add(&bundle(), Role::Rules, &secret(1)).unwrap();
    let good = String::from_utf8(signed.to_bytes().unwrap()).unwrap();
    for text in [
        String::new(),
        "{}".to_owned(),
        good.replace("\"rules\"", "\"rulers\""),
        good.replace("signatures/1", "signatures/2"),
        good.replace("policy-bundle.v1", "policy-bundle.v2"),
        good.replacen('{', "{\"schema\":\"x\",", 1),
        good.replacen('{', "{\"more\":1,", 1),
        " ".repeat(BYTES_MAX + 1),
    ] {
        assert_eq!(Signatures::parse(text.as_bytes()).unwrap_err().code(), "AB0250", "{text:.80}");
    }
}
