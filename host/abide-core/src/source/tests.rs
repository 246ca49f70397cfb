use serde_json::json;

use super::*;
use crate::action::{Action as _, HoldSource};
use crate::id::Digest;

fn sample(at: u64, records: Option<&'static str>) -> Sample<'static> {
    Sample {
        at,
        succeeded: records.is_some(),
        records,
        shape: records.map(|_| "s"),
        count: 200,
        filled_permille: 900,
        wall_ms: at / 10,
        ..Sample::default()
    }
}

#[test]
fn a_record_adds_up_what_tasks_showed() {
    assert_eq!(SourceRecord::of(&[]), SourceRecord::default());
    let mut third = sample(3_000, Some("b"));
    (third.shape, third.vanished_permille, third.refused, third.forbidden) = (Some("t"), 40, 3, 1);
    let record = SourceRecord::of(&[
        sample(1_000, Some("a")),
        sample(2_000, None),
        third,
        sample(4_000, Some("b")),
        sample(5_000, None),
        sample(6_000, None),
    ]);
    let wanted = SourceRecord {
        samples: 6,
        succeeded: 3,
        succeeded_permille: 500,
        failed_in_a_row: 2,
        span_ms: 5_000,
        records: 200,
        filled_permille: 900,
        shape_changes: 2,
        vanished_permille: 40,
        refused: 3,
        forbidden: 1,
        unchanged_ms: 1_000,
        wall_ms_median: 300,
    };
    assert_eq!(record, wanted);
}

#[test]
fn only_the_newest_tasks_count() {
    let mut samples: Vec<_> = (0..10).map(|at| sample(at, None)).collect();
    samples.extend((10..60).map(|at| sample(at, Some("a"))));
    let record = SourceRecord::of(&samples);
    assert_eq!((record.samples, record.succeeded_permille, record.span_ms), (50, 1_000, 49));
}

#[test]
fn a_claim_is_checked() {
    let claim = |change: serde_json::Value| {
        let mut all = json!({"name": "goods", "licence": "CC0-1.0",
            "terms": {"at": "https://a.example/terms", "read": "2026-11-03", "by": "alice", "say": "allow"}});
        for (name, value) in change.as_object().unwrap() {
            all[name] = value.clone();
        }
        serde_json::from_value::<SourceClaim>(all).map_err(|error| error.to_string())
    };
    assert_eq!(claim(json!({})).unwrap().check(), Ok(()));
    let terms = |name: &str, value: &str| {
        let mut terms =
            json!({"at": "https://a.example/terms", "read": "2026-11-03", "by": "alice", "say": "allow"});
        terms[name] = value.into();
        json!({ "terms": terms })
    };
    for (change, wanted) in [
        (json!({"name": "Goods"}), "`source.name`"),
        (json!({"name": ""}), "`source.name`"),
        (json!({"licence": " "}), "`source.licence`"),
        (json!({"licence": "a\nb"}), "`source.licence`"),
        (terms("at", "ftp://a.example"), "`source.terms.at`"),
        (terms("read", "2026-13-03"), "`source.terms.read`"),
        (terms("read", "2026-02-29"), "`source.terms.read`"),
        (terms("read", "2026-04-31"), "`source.terms.read`"),
        (terms("read", "3 November"), "`source.terms.read`"),
        (terms("read", "2026-11-03-1"), "`source.terms.read`"),
        (terms("by", ""), "`source.terms.by`"),
    ] {
        let told = claim(change.clone()).unwrap().check().unwrap_err();
        assert!(told.contains(wanted), "{change}: {told}");
    }
    assert!(claim(terms("say", "maybe")).unwrap_err().contains("maybe"));
    assert!(claim(json!({"colour": "red"})).is_err());
}

/// The log takes no numbers, and what is read back is what was judged.
#[test]
fn in_an_action_numbers_are_texts() {
    let case = SourceCase {
        name: "goods".to_owned(),
        definition: Digest::of(b"x"),
        state: SourceState::Probation,
        to: Some(SourceState::Active),
        licence: Some("12".to_owned()),
        terms: None,
        fresh_hours: Some(48),
        record: Some(SourceRecord { samples: 5, ..SourceRecord::default() }),
    };
    let action =
        HoldSource { run: "01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap(), source: Some(case.clone()) };
    let recorded = serde_json::to_value(&action).unwrap();
    assert_eq!(recorded["source"]["fresh_hours"], "48");
    assert_eq!(recorded["source"]["record"]["samples"], "5");
    assert_eq!(serde_json::from_value::<HoldSource>(recorded.clone()).unwrap(), action);
    assert_eq!(action.source(), Some(&case));
    let mut other = recorded;
    other["source"]["record"]["samples"] = "05".into();
    assert!(serde_json::from_value::<HoldSource>(other).is_err());
}

#[test]
fn steps_lead_from_proposed_to_active() {
    let ways: Vec<_> = SourceState::ALL.into_iter().map(SourceState::next).collect();
    assert_eq!(
        ways,
        [Some(SourceState::Probation), Some(SourceState::Active), None, Some(SourceState::Probation)]
    );
}
