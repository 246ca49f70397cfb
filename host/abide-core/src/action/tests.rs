use super::*;

#[test]
fn the_digest_covers_class_kind_and_every_field() {
    let merge = Merge {
        repo: "api".parse().unwrap(),
        target: RefName::branch("main").unwrap(),
        expected: Oid::zero(),
        commit: "da39a3ee5e6b4b0d3255bfef95601890afd80709".parse().unwrap(),
        tree: Oid::zero(),
    };
    let text = String::from_utf8(merge.canonical().unwrap()).unwrap();
    assert!(
        text.starts_with(r#"{"action":{"commit":"da39"#)
            && text.ends_with(r#""class":"MERGE","kind":"merge"}"#),
        "{text}"
    );
    let other = Merge { expected: merge.commit.clone(), ..merge.clone() };
    assert_ne!(merge.digest().unwrap(), other.digest().unwrap());
}

#[test]
fn only_the_way_back_survives_a_halt() {
    const { assert!(Rollback::SURVIVES_HALT) };
    const {
        assert!(
            !Merge::SURVIVES_HALT
                && !Deploy::SURVIVES_HALT
                && !Promote::SURVIVES_HALT
                && !Revert::SURVIVES_HALT
        );
    };
    const { assert!(!CommitPatch::SURVIVES_HALT && !RunChecks::SURVIVES_HALT && !RunWorker::SURVIVES_HALT) };
    const { assert!(!OpenEgress::SURVIVES_HALT && !AdoptPlan::SURVIVES_HALT) };
}

#[test]
fn a_class_is_spelt_as_it_is_read() {
    for class in ActionClass::ALL {
        assert_eq!(class.as_str().parse::<ActionClass>().unwrap(), class);
        assert_eq!(serde_json::to_string(&class).unwrap(), format!("\"{class}\""));
    }
    assert!("merge".parse::<ActionClass>().is_err());
}
