//! What every backend must do, as one function over a fresh store. A backend's tests call [`all`] with a way to make one.

use abide_core::id::{Seq, Timestamp};
use serde_json::json;

use super::*;
use crate::leaf::Leaf;
use crate::merkle::{Frontier, Nodes, root_of};
use crate::testing::{event, run, started};

/// Runs the whole suite; `fresh` makes an empty store each time.
pub(crate) fn all<S: Store>(fresh: impl Fn() -> S) {
    appends_in_order(&fresh());
    all_or_nothing(&fresh());
    blobs_are_kept_once(&fresh());
    a_guard_stops_the_second_of_two(&fresh());
    the_switch_counts_every_turn(&fresh());
    a_size_is_signed_once(&fresh());
    concurrent_appends_lose_nothing(&fresh());
    what_contradicts_the_log_is_refused(&fresh());
    projections_are_the_same_when_made_anew(&fresh());
}

fn plain(text: &str) -> Draft {
    event(None, "Noted", 5, json!({ "text": text }))
}

struct Stored<'a>(&'a dyn Store);

impl Nodes for Stored<'_> {
    type Error = StoreError;
    fn node(&self, level: u32, index: u64) -> Result<NodeHash, StoreError> {
        self.0.node(level, index)
    }
}

/// Rehashes every leaf.
fn rehashed(store: &dyn Store) -> NodeHash {
    let mut edge = Frontier::default();
    for record in store.records(0..store.size().unwrap()).unwrap() {
        edge.push(NodeHash::leaf(record.leaf.bytes()));
    }
    edge.root()
}

fn appends_in_order(store: &dyn Store) {
    assert_eq!(store.size().unwrap(), 0);
    assert_eq!(root_of(0, &Stored(store)).unwrap(), NodeHash::empty());
    for n in 0..9 {
        assert_eq!(store.append(vec![plain(&n.to_string())], Guard::Free).unwrap(), [Seq(n)]);
    }
    assert_eq!(store.append(vec![plain("9"), plain("10")], Guard::Free).unwrap(), [Seq(9), Seq(10)]);
    assert_eq!(store.append(Vec::new(), Guard::Free).unwrap(), []);
    for (record, n) in store.records(0..100).unwrap().iter().zip(0_u64..) {
        let text = n.to_string();
        assert_eq!((record.seq, record.leaf.data()["text"].as_str()), (Seq(n), Some(text.as_str())));
    }
    assert_eq!(root_of(11, &Stored(store)).unwrap(), rehashed(store));
    assert!(store.node(0, 11).is_err());
}

fn all_or_nothing(store: &dyn Store) {
    store.append(vec![plain("0")], Guard::Free).unwrap();
    let bad = event(
        None,
        "Merged",
        5,
        json!({ "decision": "0", "ref": "refs/heads/main", "old": "x", "new": "y" }),
    );
    let error = store.append(vec![plain("1"), bad], Guard::Free).unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    let missing = event(None, "Killed", 5, json!({ "by": "alice@example.org" }));
    assert!(matches!(
        store.append(vec![missing], Guard::Free),
        Err(StoreError::Malformed { field: "reason", .. })
    ));
    assert_eq!(store.size().unwrap(), 1);
    store.append(vec![plain("1")], Guard::Free).unwrap();
    assert_eq!(root_of(2, &Stored(store)).unwrap(), rehashed(store));
}

fn blobs_are_kept_once(store: &dyn Store) {
    let blob = Blob::new("input", b"bytes".to_vec());
    let mut draft = plain("0");
    draft.blobs = vec![blob.clone(), blob.clone()];
    store.append(vec![draft.clone(), draft], Guard::Free).unwrap();
    store.put_blobs(vec![blob.clone()]).unwrap();
    assert_eq!(store.blob(blob.digest()).unwrap(), Some(blob));
    assert_eq!(store.blob(&Digest::of(b"other")).unwrap(), None);
}

fn a_guard_stops_the_second_of_two(store: &dyn Store) {
    let (one, two) = (run(1), run(2));
    let guard = |last| Guard::RunAt { run: one.clone(), last };
    let seq = store.append(vec![started(&one, 5)], guard(None)).unwrap()[0];
    store.append(vec![started(&two, 6)], Guard::Free).unwrap();
    let next = event(Some(one.clone()), "Noted", 7, json!({}));
    assert!(matches!(store.append(vec![next.clone()], guard(None)), Err(StoreError::Overtaken { .. })));
    store.append(vec![next.clone()], guard(Some(seq))).unwrap();
    assert!(matches!(store.append(vec![next], guard(Some(seq))), Err(StoreError::Overtaken { .. })));
    assert_eq!(store.records_of(&one).unwrap().len(), 2);
    assert!(matches!(store.append(vec![started(&one, 8)], Guard::Free), Err(StoreError::Conflict { .. })));
}

fn the_switch_counts_every_turn(store: &dyn Store) {
    let (one, two) = (run(1), run(2));
    let turn = |kind, of: Option<&RunId>| {
        let mut data = json!({ "by": "alice@example.org", "reason": "test" });
        if let Some(of) = of {
            data["run"] = json!(of.as_str());
        }
        store.append(vec![event(of.cloned(), kind, 5, data)], Guard::Free).unwrap();
    };
    let state = |of| store.halt(of).map(|state| (state.epoch.0, state.halted)).unwrap();
    assert_eq!(state(&one), (0, false));
    turn("Killed", Some(&one));
    assert_eq!((state(&one), state(&two)), ((1, true), (0, false)));
    turn("Killed", None);
    assert_eq!((state(&one), state(&two)), ((2, true), (1, true)));
    turn("Resumed", None);
    assert_eq!((state(&one), state(&two)), ((3, true), (2, false)));
    turn("Resumed", Some(&one));
    assert_eq!(state(&one), (4, false));
}

fn a_size_is_signed_once(store: &dyn Store) {
    assert_eq!(store.last_checkpoint().unwrap(), None);
    let row = |size, root| CheckpointRow {
        origin: "example.org/log".to_owned(),
        size,
        root: NodeHash([root; 32]),
        note: format!("{size}"),
    };
    store.put_checkpoint(row(3, 1)).unwrap();
    store.put_checkpoint(row(3, 1)).unwrap();
    assert!(matches!(store.put_checkpoint(row(3, 2)), Err(StoreError::Forked { size: 3 })));
    store.put_checkpoint(row(7, 2)).unwrap();
    assert_eq!(store.last_checkpoint().unwrap(), Some(row(7, 2)));
    assert_eq!(store.checkpoint_at(3).unwrap(), Some(row(3, 1)));
}

fn concurrent_appends_lose_nothing(store: &dyn Store) {
    let mut places: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|thread| {
                scope.spawn(move || {
                    (0..8)
                        .map(|n| {
                            store.append(vec![plain(&format!("{thread}/{n}"))], Guard::Free).unwrap()[0].0
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    places.sort_unstable();
    assert_eq!(places, (0..128).collect::<Vec<_>>());
    assert_eq!(root_of(128, &Stored(store)).unwrap(), rehashed(store));
}

fn what_contradicts_the_log_is_refused(store: &dyn Store) {
    crate::testing::story(&|drafts| store.append(drafts, Guard::Free).unwrap()[0]);
    let (own, other) = (run(77), run(1));
    store.append(vec![started(&other, 40)], Guard::Free).unwrap();
    let of = |kind: &str| store.records_of_kinds(&[kind]).unwrap().pop().unwrap();
    let again = |kind: &str| Draft::from(of(kind).leaf);
    let changed = |kind: &str, run: &RunId, field: &str, value: &str| {
        let mut data = of(kind).leaf.data();
        data.insert(field.to_owned(), json!(value));
        event(Some(run.clone()), kind, 50, data.into())
    };
    let decision = |kind: &str| of(kind).leaf.data()["decision"].as_str().unwrap().to_owned();
    let review = decision("ReviewRequested");
    let promotion =
        json!({ "decision": decision("CanaryStarted"), "environment": "production", "release": "r0" });
    for (why, draft) in [
        ("adopted twice", again("PlanAdopted")),
        ("proposed twice", again("PatchProposed")),
        ("committed twice", again("PatchCommitted")),
        ("allowed twice", again("RefMoveAllowed")),
        ("merged twice", again("Merged")),
        ("deployed twice", again("CanaryStarted")),
        ("rolled back twice", again("RolledBack")),
        ("approved twice", again("Approved")),
        ("settled twice", again("BudgetSettled")),
        ("reserved twice", again("BudgetReserved")),
        ("started twice", again("RunStarted")),
        ("a decision of another class", changed("PatchCommitted", &own, "decision", &decision("Merged"))),
        ("a decision that says review", changed("Merged", &own, "decision", &review)),
        ("a decision that is none", changed("Merged", &own, "decision", "0")),
        ("a decision that is not there", changed("Merged", &own, "decision", "900")),
        ("a decision of another run", changed("Merged", &other, "decision", &decision("Merged"))),
        ("an approval of another action", changed("Approved", &own, "action", Digest::of(b"x").as_str())),
        ("an approval that nobody asked for", changed("Approved", &own, "item", "i9")),
        (
            "a refusal of what does not wait",
            event(Some(own.clone()), "Refused", 50, json!({ "item": "i9", "by": "b", "reason": "r" })),
        ),
        ("a promotion of what was never started", event(Some(own.clone()), "Promoted", 50, promotion)),
    ] {
        let size = store.size().unwrap();
        let refused = store.append(vec![draft], Guard::Free);
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{why}: {refused:?}");
        assert_eq!(store.size().unwrap(), size);
    }
}

fn projections_are_the_same_when_made_anew(store: &dyn Store) {
    crate::testing::story(&|drafts| store.append(drafts, Guard::Free).unwrap()[0]);
    let unknown = Leaf::new(None, "SomethingNew", Timestamp(9), json!({ "anything": ["goes"] })).unwrap();
    store.append(vec![unknown.into()], Guard::Free).unwrap();
    let before = store.tables().unwrap();
    let empty: Vec<&String> =
        before.0.iter().filter(|(_, rows)| rows.is_empty()).map(|(table, _)| table).collect();
    assert!(empty.is_empty(), "the story must fill every projection: {empty:?}");
    store.rebuild().unwrap();
    assert_eq!(store.tables().unwrap(), before);
}
