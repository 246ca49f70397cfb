//! A list that is half understood would trust the wrong people: every doubt refuses it.

use abide_ledger::dsse::SecretKey;

use super::*;

fn public(seed: u8) -> String {
    SecretKey::from_seed(&[seed; 32]).public().to_string()
}

fn key(person: &str, seed: u8) -> String {
    format!("{{person: {person}, public: \"{}\", not_after: 2030-01-31}}", public(seed))
}

fn list(rules: &[String], hard: &[String]) -> String {
    let (rules, hard) = (rules.join(", "), hard.join(", "));
    format!("roles:\n  rules: {{quorum: 1, keys: [{rules}]}}\n  hard: {{quorum: 2, keys: [{hard}]}}\n")
}

fn good() -> String {
    list(&[key("alice", 1)], &[key("bob", 2), key("carol", 3)])
}

fn refused(text: &str) -> String {
    Signers::parse(text.as_bytes()).unwrap_err()
}

#[test]
fn a_list_that_makes_sense() {
    let found = Signers::parse(good().as_bytes()).unwrap();
    assert_eq!(found.roles[&Role::Hard].keys[1].person, "carol");
    let alice = &found.roles[&Role::Rules].keys[0];
    // The last moment of 31 January 2030, UTC.
    assert!(!alice.is_over(Timestamp(1_896_134_399_999)) && alice.is_over(Timestamp(1_896_134_400_000)));
    let both = list(&[key("alice", 1)], &[key("alice", 1), key("bob", 2)]);
    assert!(
        Signers::parse(both.as_bytes()).is_ok(),
        "one person may be trusted for rules and for hard rules"
    );
}

#[test]
fn quorums_that_cannot_be_or_are_too_low() {
    assert!(refused(&good().replace("hard: {quorum: 2", "hard: {quorum: 1")).contains("the least is 2"));
    assert!(refused(&good().replace("rules: {quorum: 1", "rules: {quorum: 0")).contains("the least is 1"));
    assert!(refused(&good().replace("rules: {quorum: 1", "rules: {quorum: 2")).contains("cannot be met"));
    let same = list(&[key("alice", 1)], &[key("bob", 2), key("bob", 3)]);
    assert!(refused(&same).contains("keys of 1 people"), "two keys of one person are one person");
}

#[test]
fn keys_of_two_people_and_people_of_two_names() {
    assert!(refused(&list(&[key("alice", 2)], &[key("bob", 2), key("carol", 3)])).contains("the same key"));
    assert!(
        refused(&list(&[key("alice", 1), key("alice", 1)], &[key("bob", 2), key("carol", 3)]))
            .contains("twice")
    );
    for name in ["Alice", "al ice", "älice", "\"\"", "\".a\"", "a/b"] {
        assert!(refused(&good().replace("alice", name)).contains("lower-case"), "{name}");
    }
    for (person, seed) in [("alice", 1), ("alice", 4), ("carol", 5)] {
        let apart = format!("{}  invariants: {{quorum: 1, keys: [{}]}}\n", good(), key(person, seed));
        assert!(refused(&apart).contains("takes different people"), "{person}");
    }
    let own = format!("{}  invariants: {{quorum: 1, keys: [{}]}}\n", good(), key("dora", 4));
    assert!(Signers::parse(own.as_bytes()).is_ok());
}

#[test]
fn what_is_not_understood() {
    assert!(refused(&good().replace("quorum: 2", "quorum: 2, quorom: 1")).contains("quorom"));
    assert!(refused(&format!("{}roles: {{}}\n", good())).contains("duplicate"));
    assert!(refused(&good().replace("  rules:", "  ruels:")).contains("ruels"));
    assert!(refused("roles: {}").contains("no role `rules`"));
    assert!(refused(&good().replace(&public(1), "AAAA")).contains("public key of `alice`"));
    for day in ["2030-02-30", "2030", "tomorrow", "2030-01-31T00:00:00Z", "20300131"] {
        assert!(refused(&good().replace("2030-01-31", &format!("\"{day}\""))).contains("not a day"), "{day}");
    }
    assert!(refused(&good().replace("quorum: 1", "quorum: &a 1")).to_lowercase().contains("anchor"));
    assert!(refused(&format!("opa: {{x: {{algorithm: none, key: a}}}}\n{}", good())).contains("none"));
    assert!(Signers::parse(&[0xff]).unwrap_err().contains("UTF-8"));
    assert_eq!(Signers::open(Path::new("/nowhere/signers.yaml")).unwrap_err().code(), "AB0257");
}

#[test]
fn what_is_kept_has_no_secret() {
    let text = format!("opa: {{ours: {{algorithm: HS256, key: hush-hush}}}}\n{}", good());
    let found = Signers::parse(text.as_bytes()).unwrap();
    assert_eq!(found.opa["ours"], "hush-hush");
    let kept = String::from_utf8(found.kept(None, None).unwrap()).unwrap();
    assert!(kept.contains("carol") && kept.contains(&public(3)) && !kept.contains("hush"), "{kept}");
}

#[test]
fn a_list_is_ours_if_nobody_else_can_have_written_it() {
    let (me, root, stranger) = (1000, 0, 1001);
    for (mode, owner, who) in [(0o600, me, me), (0o644, me, me), (0o444, root, me), (0o600, root, root)] {
        assert_eq!(belongs(mode, owner, who), Ok(()), "{mode:o} {owner} {who}");
    }
    for (mode, owner, who) in [(0o620, me, me), (0o602, me, me), (0o777, root, root), (0o1777, root, me)] {
        assert!(belongs(mode, owner, who).unwrap_err().contains("others may write"), "{mode:o}");
    }
    for (owner, who) in [(stranger, me), (stranger, root)] {
        assert!(belongs(0o600, owner, who).unwrap_err().contains("another user"), "{owner} {who}");
    }
}

#[test]
fn an_audience_is_one_name() {
    let list = |audience: &str| {
        let kept = String::from_utf8(crate::bundles::signatures::tests::signers().kept(None, None).unwrap())
            .unwrap();
        let roles = kept.split_once("\"roles\":").unwrap().1.split_once(",\"schema\"").unwrap().0.to_owned();
        Signers::parse(format!("{{audience: {audience}, roles: {roles}}}").as_bytes())
    };
    assert_eq!(list("acme").unwrap().audience.as_deref(), Some("acme"));
    for bad in ["acme/api", "Acme", "\"\"", "\"a b\""] {
        assert!(list(bad).unwrap_err().contains("`audience` is"), "{bad}");
    }
}
