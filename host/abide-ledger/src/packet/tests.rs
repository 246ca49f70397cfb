use abide_core::action::{Action as _, AdoptCommit, RunChecks};
use abide_core::decision::Verdict;
use abide_core::id::{Digest, Oid, RunId, Timestamp};
use abide_gate::DecisionRecord;
use serde_json::{Value, json};

use super::*;
use crate::leaf::{Blob, Draft};
use crate::ledger::{Ledger, Opening};
use crate::note::{NoteKey, Vkey};
use crate::report::Report;
use crate::testing::{BUNDLE, claim, event, ledger, merge, oid, record, recorded, run, started, story};

/// Stands for those who judge: it answers as the decisions of these tests were made, and knows one policy that nobody signs for.
struct Again;

impl Judges for Again {
    fn decision(&self, bundle: &[u8], input: &[u8], _engine: &str) -> Result<Vec<u8>, Fault> {
        again(bundle, input)
    }
    fn activation(&self, _: &Activation<'_>, _: Option<&Activation<'_>>) -> Result<Activated, Fault> {
        Err("nobody signed".into())
    }
    fn signed_parts(&self, bundle: &[u8]) -> Result<SignedParts, Fault> {
        Ok(SignedParts { base: Digest::of(bundle), layer: None })
    }
    fn built_in(&self, base: &Digest) -> Option<bool> {
        (*base == Digest::of(BUNDLE)).then_some(false)
    }
}

/// The same, but decisions come out as `0` says.
struct Otherwise(fn() -> Result<Vec<u8>, Fault>);

impl Judges for Otherwise {
    fn decision(&self, _: &[u8], _: &[u8], _: &str) -> Result<Vec<u8>, Fault> {
        self.0()
    }
    fn activation(&self, one: &Activation<'_>, before: Option<&Activation<'_>>) -> Result<Activated, Fault> {
        Again.activation(one, before)
    }
    fn signed_parts(&self, bundle: &[u8]) -> Result<SignedParts, Fault> {
        Again.signed_parts(bundle)
    }
    fn built_in(&self, base: &Digest) -> Option<bool> {
        Again.built_in(base)
    }
}

fn again(bundle: &[u8], input: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let told: Value = serde_json::from_slice(input)?;
    let verdict = if told["now"].as_u64() == Some(18) { Verdict::Review } else { Verdict::Allow };
    let action = told["action"]["digest"].as_str().unwrap_or_default().parse()?;
    let decision = abide_core::decision::Decision {
        schema: abide_core::decision::Decision::SCHEMA.to_owned(),
        verdict,
        fault: None,
        findings: Vec::new(),
        obligations: Vec::new(),
        grants: abide_core::decision::Grants::default(),
        waived: Vec::new(),
        risk: 0,
        action,
        input: Digest::of(input),
        bundle: Digest::of(bundle),
        engine: "test 1".to_owned(),
    };
    Ok(abide_core::canonical::jcs(&decision)?)
}

fn told() -> (tempfile::TempDir, Ledger) {
    let (home, ledger) = ledger();
    ledger
        .store()
        .put_blobs(vec![Blob::new("bundle", BUNDLE.to_vec()), Blob::new("patch", b"p".to_vec())])
        .unwrap();
    story(&|drafts| ledger.append(drafts).unwrap()[0]);
    (home, ledger)
}

fn refusal(report: &Report) -> Option<&'static str> {
    report.refusal().map(|check| check.name)
}

#[test]
fn an_honest_packet_is_accepted() {
    let (_home, ledger) = told();
    let packet = export(&ledger, &run(77)).unwrap();
    let report = verify_packet(&packet, Some(ledger.vkey()), &Again);
    assert!(report.accepted(), "{:#?}", report.checks);
    assert_eq!(report.checks.len(), 18);
    assert_eq!(export(&ledger, &run(77)).unwrap(), packet, "two exports are the same bytes");
    let report = verify_packet(&packet, None, &Again);
    assert!(
        report.accepted()
            && report.checks.iter().any(|check| check.outcome == crate::report::Outcome::Unchecked)
    );
    let stranger: Vkey = NoteKey::from_seed("example.org/log".parse().unwrap(), &[9; 32]).vkey();
    assert_eq!(refusal(&verify_packet(&packet, Some(&stranger), &Again)), Some("checkpoint"));
    assert_eq!(export(&ledger, &run(5)).unwrap_err().code(), "AB0419");
}

/// Flips one bit at each position, with and without a trusted key.
fn refuses_flips(packet: &[u8], vkey: &Vkey, positions: &[usize]) {
    std::thread::scope(|scope| {
        for share in positions.chunks(positions.len().div_ceil(4)) {
            scope.spawn(move || {
                let mut changed = packet.to_vec();
                for &at in share {
                    changed[at] ^= 1 << (at % 8);
                    let trusted = (at % 2 == 0).then_some(vkey);
                    assert!(
                        !verify_packet(&changed, trusted, &Again).accepted(),
                        "byte {at} of {}",
                        packet.len()
                    );
                    changed[at] = packet[at];
                }
            });
        }
    });
}

#[test]
fn a_changed_byte_is_refused() {
    let (_home, ledger) = told();
    let packet = export(&ledger, &run(77)).unwrap();
    // A sample of everything, and a denser one of the files that hold keys and signatures.
    let dense: Vec<usize> = ["checkpoint", "log.vkey", "attest.pub.pem", "evidence.sig"]
        .iter()
        .filter_map(|name| find(&packet, name))
        .collect();
    let near = |at: usize| dense.iter().any(|start| (start + 500..start + 700).contains(&at));
    let positions: Vec<usize> =
        (0..packet.len()).filter(|at| at % 997 == 0 || (near(*at) && at % 5 == 0)).collect();
    assert!(dense.len() == 4 && positions.len() > 200);
    refuses_flips(&packet, ledger.vkey(), &positions);
    for cut in [0, 1, 511, 512, packet.len() / 2, packet.len() - 512, packet.len() - 1] {
        assert!(!verify_packet(&packet[..cut], None, &Again).accepted(), "cut at {cut}");
    }
    let longer = [packet.as_slice(), &[0]].concat();
    assert!(!verify_packet(&longer, None, &Again).accepted());
}

#[test]
#[ignore = "takes minutes: cargo test --release -p abide-ledger -- --ignored"]
fn every_changed_byte_is_refused() {
    let (_home, ledger) = told();
    let packet = export(&ledger, &run(77)).unwrap();
    refuses_flips(&packet, ledger.vkey(), &(0..packet.len()).collect::<Vec<_>>());
}

/// Where the header of a file starts.
fn find(packet: &[u8], name: &str) -> Option<usize> {
    packet
        .chunks(512)
        .position(|block| block.starts_with(name.as_bytes()) && block.get(name.len()) == Some(&0))
        .map(|block| block * 512)
}

/// Rewrites the files of a packet without the keys.
fn forged(packet: &[u8], change: impl FnOnce(&mut Files)) -> Option<&'static str> {
    let views = archive::read(packet).unwrap();
    let mut files: Files = views.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect();
    change(&mut files);
    refusal(&verify_packet(&archive::write(&files).unwrap(), None, &Again))
}

#[test]
fn files_cannot_be_added_taken_away_or_renamed() {
    let (_home, ledger) = told();
    let packet = export(&ledger, &run(77)).unwrap();
    assert_eq!(forged(&packet, |_| {}), None);
    let blob = format!("blobs/{}", Digest::of(b"p").hex());
    assert_eq!(forged(&packet, |files| drop(files.remove(&blob))), Some("statement"));
    assert_eq!(forged(&packet, |files| drop(files.insert("more".to_owned(), Vec::new()))), Some("statement"));
    assert_eq!(forged(&packet, |files| drop(files.insert(blob.clone(), b"q".to_vec()))), Some("blobs"));
    assert_eq!(
        forged(&packet, |files| drop((files.remove(&event_name(4)), files.remove(&proof_name(4))))),
        Some("statement")
    );
    assert_eq!(forged(&packet, |files| drop(files.remove(&proof_name(4)))), Some("events"));
    assert_eq!(forged(&packet, |files| drop(files.remove(&event_name(4)))), Some("events"));
    assert_eq!(
        forged(&packet, |files| drop((files.remove(&event_name(0)), files.remove(&proof_name(0))))),
        Some("events")
    );
    assert_eq!(forged(&packet, |files| drop(files.remove("evidence.sig"))), Some("statement"));
    assert_eq!(
        forged(&packet, |files| {
            let (event, proof) =
                (files.remove(&event_name(4)).unwrap(), files.remove(&proof_name(4)).unwrap());
            files.insert(event_name(999), event);
            files.insert(proof_name(999), proof);
        }),
        Some("events")
    );
}

#[test]
fn a_decision_that_comes_out_otherwise_is_refused() {
    let (_home, ledger) = told();
    let packet = export(&ledger, &run(77)).unwrap();
    let report = verify_packet(&packet, None, &Otherwise(|| Ok(b"{}".to_vec())));
    assert_eq!(refusal(&report), Some("recomputed"));
    let report = verify_packet(&packet, None, &Otherwise(|| Err("no engine".into())));
    assert_eq!(refusal(&report), Some("recomputed"));
}

/// A ledger whose owner writes what must not be written. The store refuses most of it, so the rows go in under kinds that it does not know
/// and are relabelled in the exported evidence by the owner's own keys: here the log is made by hand.
fn outlaw(drafts: &[Draft]) -> Report {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("state");
    let ledger = Ledger::create(&dir, &[7; 32], "example.org/log", Timestamp(1), &Opening::STANDARD).unwrap();
    ledger.store().put_blobs(vec![Blob::new("bundle", BUNDLE.to_vec())]).unwrap();
    drop(ledger);
    let db = rusqlite::Connection::open(dir.join("ledger.db")).unwrap();
    let mut edge = crate::merkle::Frontier::default();
    edge.push(
        crate::merkle::NodeHash::from_slice(
            &db.query_row("SELECT hash FROM leaves", [], |row| row.get::<_, Vec<u8>>(0)).unwrap(),
        )
        .unwrap(),
    );
    for draft in drafts {
        let (leaf, seq) = (&draft.leaf, edge.size() as i64);
        for node in edge.push(crate::merkle::NodeHash::leaf(leaf.bytes())).unwrap() {
            let hash = &node.hash.0[..];
            if node.level == 0 {
                let row = rusqlite::params![
                    seq,
                    hash,
                    leaf.bytes(),
                    leaf.kind(),
                    leaf.run().map(RunId::as_str),
                    leaf.at().0 as i64
                ];
                db.execute("INSERT INTO leaves VALUES (?1, ?2, ?3, ?4, ?5, ?6)", row).unwrap();
            } else {
                db.execute(
                    "INSERT INTO nodes VALUES (?1, ?2, ?3)",
                    rusqlite::params![node.level, node.index as i64, hash],
                )
                .unwrap();
            }
        }
        for blob in &draft.blobs {
            db.execute(
                "INSERT INTO blobs VALUES (?1, 'x', ?2)",
                rusqlite::params![blob.digest().as_str(), blob.bytes()],
            )
            .unwrap();
        }
    }
    drop(db);
    let ledger = Ledger::open(&dir, &Opening::STANDARD).unwrap();
    let packet = export(&ledger, &run(1)).unwrap();
    verify_packet(&packet, Some(ledger.vkey()), &Again)
}

fn own(kind: &str, at: u64, data: Value) -> Draft {
    event(Some(run(1)), kind, at, data)
}

fn decided(verdict: Verdict, at: u64, epoch: u64) -> Draft {
    recorded(&record(&run(1), &merge('a', 'b'), verdict, at, epoch))
}

fn spent(decision: u64, at: u64) -> Draft {
    own(
        "RefMoveAllowed",
        at,
        json!({ "decision": decision.to_string(), "repo": "demo", "ref": "refs/heads/main", "old": oid('a').as_str(), "new": oid('b').as_str() }),
    )
}

fn merged(decision: u64, new: char) -> Draft {
    own(
        "Merged",
        30,
        json!({ "decision": decision.to_string(), "ref": "refs/heads/main", "old": oid('a').as_str(), "new": oid(new).as_str() }),
    )
}

fn killed() -> Draft {
    event(None, "Killed", 20, json!({ "by": "alice@example.org", "reason": "test" }))
}

/// What a log says beyond the start of the run, and the check that refuses it, if any.
type Case = (&'static str, Option<&'static str>, Vec<Draft>);

fn judged(cases: Vec<Case>) {
    for (name, expected, drafts) in cases {
        let start = std::iter::once(started(&run(1), 5));
        let report = outlaw(&start.chain(drafts).collect::<Vec<_>>());
        assert_eq!(refusal(&report), expected, "{name}: {:#?}", report.checks);
    }
}

fn allow() -> Draft {
    decided(Verdict::Allow, 10, 0)
}

#[test]
fn a_deed_without_its_own_allow_is_refused_although_every_signature_is_right() {
    judged(vec![
        ("lawful", None, vec![allow(), spent(2, 11), merged(2, 'b')]),
        ("no decision", Some("decided"), vec![allow(), spent(2, 11), merged(7, 'b')]),
        ("decision comes later", Some("decided"), vec![spent(3, 11), allow()]),
        ("another commit", Some("decided"), vec![allow(), spent(2, 11), merged(2, 'c')]),
        ("record not spent", Some("merges"), vec![allow(), merged(2, 'b')]),
        ("record spent afterwards", Some("merges"), vec![allow(), merged(2, 'b'), spent(2, 31)]),
        ("interrupted, then decided again", None, vec![allow(), spent(2, 11), allow(), merged(4, 'b')]),
        ("two merges", Some("merges"), vec![allow(), spent(2, 11), merged(2, 'b'), allow(), merged(5, 'b')]),
        ("twice", Some("once"), vec![allow(), spent(2, 11), spent(2, 12)]),
        ("expired", Some("halt"), vec![allow(), spent(2, 60_010)]),
    ]);
}

#[test]
fn a_commit_that_was_handed_in_is_the_one_that_was_judged() {
    let adopt = AdoptCommit {
        repo: "demo".parse().unwrap(),
        run: run(1),
        unit: "u1".to_owned(),
        branch: "refs/heads/ab/u1".parse().unwrap(),
        expected: Oid::zero(),
        base: oid('a'),
        commit: oid('b'),
        tree: oid('e'),
    };
    let allow = || recorded(&record(&run(1), &adopt, Verdict::Allow, 10, 0));
    let (base, tree, branch) = (oid('a'), oid('e'), "refs/heads/ab/u1");
    let done = |commit: char| {
        let (base, tree, commit) = (base.as_str(), tree.as_str(), oid(commit));
        let data = json!({ "unit": "u1", "decision": "2", "branch": branch, "commit": commit.as_str(), "base": base, "tree": tree });
        own("PatchCommitted", 11, data)
    };
    judged(vec![
        ("the same", None, vec![allow(), done('b')]),
        ("another", Some("decided"), vec![allow(), done('c')]),
    ]);
}

#[test]
fn a_deed_after_the_kill_switch_or_a_freeze_is_refused() {
    let resumed = || event(None, "Resumed", 21, json!({ "by": "a", "reason": "b" }));
    let stray = json!({ "repo": "demo", "ref": "refs/heads/x", "found": "f", "why": "stray" });
    judged(vec![
        ("after a kill", Some("halt"), vec![allow(), killed(), spent(2, 21)]),
        ("after a kill and a resume", Some("halt"), vec![allow(), killed(), resumed(), spent(2, 22)]),
        ("decided during a halt", Some("halt"), vec![killed(), decided(Verdict::Allow, 21, 1)]),
        (
            "decided after a resume",
            None,
            vec![killed(), resumed(), decided(Verdict::Allow, 22, 2), spent(4, 23)],
        ),
        ("a kill is left out", Some("halt"), vec![decided(Verdict::Allow, 21, 1)]),
        ("frozen", Some("freeze"), vec![event(None, "Frozen", 6, stray), allow(), spent(3, 11)]),
    ]);
}

#[test]
fn an_approval_of_what_nobody_asked_is_refused() {
    let asked = || own("ReviewRequested", 6, json!({ "item": "i", "action": "x" }));
    let given = |action| {
        own("Approved", 7, json!({ "item": "i", "action": action, "by": "bob", "role": "reviewer" }))
    };
    judged(vec![
        ("asked", None, vec![asked(), given("x")]),
        ("nobody asked", Some("approvals"), vec![given("x")]),
        ("asked about another action", Some("approvals"), vec![asked(), given("y")]),
    ]);
}

#[test]
fn a_deed_on_a_denial_is_refused() {
    let deny = recorded(&record(&run(1), &merge('a', 'b'), Verdict::Deny, 10, 0));
    let report = outlaw(&[started(&run(1), 5), deny, spent(2, 11)]);
    let refused = |check: &&crate::report::Check| check.outcome == crate::report::Outcome::Refused;
    let names: Vec<&str> = report.checks.iter().filter(refused).map(|check| check.name).collect();
    assert_eq!(names, ["recomputed", "decided"]);
}

#[test]
fn documents_that_disagree_are_refused() {
    let lie = |change: &dyn Fn(&mut DecisionRecord)| {
        let mut record = record(&run(1), &merge('a', 'b'), Verdict::Allow, 10, 0);
        change(&mut record);
        refusal(&outlaw(&[started(&run(1), 5), recorded(&record)]))
    };
    assert_eq!(lie(&|_| {}), None);
    assert_eq!(lie(&|record| record.action_bytes = merge('a', 'c').canonical().unwrap()), Some("decisions"));
    assert_eq!(lie(&|record| record.at = Timestamp(11)), Some("decisions"));
    assert_eq!(lie(&|record| record.decision.verdict = Verdict::Deny), Some("decisions"));
    assert_eq!(lie(&|record| record.kind = RunChecks::KIND), Some("decisions"));
    assert_eq!(lie(&|record| record.decision.engine = "other".to_owned()), Some("decisions"));
    let told = |input: &str| {
        lie(&|record| {
            let text = String::from_utf8(record.input_bytes.clone()).unwrap();
            let (from, to) = input.split_once('>').unwrap();
            assert!(text.contains(from), "{text}");
            record.input_bytes = text.replace(from, to).into_bytes();
            record.decision.input = Digest::of(&record.input_bytes);
            record.decision_bytes = abide_core::canonical::jcs(&record.decision).unwrap();
            record.digest = Digest::of(&record.decision_bytes);
        })
    };
    assert_eq!(told("refs/heads/main>refs/heads/free"), Some("decisions"));
    assert_eq!(told("\"repo\":\"demo\">\"repo\":\"toys\""), Some("decisions"));
    assert_eq!(told("MERGE>WRITE"), Some("decisions"));
    assert_eq!(told("\"now\":10>\"now\":9"), Some("decisions"));
    assert_eq!(
        told("[]>[{\"by\":\"bob\",\"role\":\"reviewer\",\"action\":\"x\",\"at\":6}]"),
        Some("approvals")
    );
}

#[test]
fn a_packet_of_a_hooked_merge_is_accepted() {
    let (_home, ledger) = ledger();
    ledger.store().put_blobs(vec![Blob::new("bundle", BUNDLE.to_vec())]).unwrap();
    ledger.append(vec![started(&run(1), 5)]).unwrap();
    ledger.append(vec![decided(Verdict::Allow, 10, 0)]).unwrap();
    ledger.consume_ref_move(&claim('a', 'b'), Timestamp(11)).unwrap().unwrap();
    ledger.append(vec![merged(2, 'b')]).unwrap();
    let report = verify_packet(&export(&ledger, &run(1)).unwrap(), Some(ledger.vkey()), &Again);
    assert!(report.accepted(), "{:#?}", report.checks);
}
