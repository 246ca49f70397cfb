use super::*;
use crate::facts::{Totals, WindowFacts};

fn config() -> RiskConfig {
    RiskConfig::from_data(&data()).unwrap()
}

fn data() -> serde_json::Value {
    serde_json::json!({"risk": {
        "bands": {"low": 0, "medium": 25, "high": 50, "critical": 75},
        "weights": {
            "files": 1, "lines": 5, "bytes": 2, "binaries": 25, "deleted": 5, "symlinks": 20, "submodules": 30, "made_executable": 15,
            "dependencies": 20, "tests_removed": 25, "destructive": 25, "hazards": 15, "unmeasured": 25,
            "zones": {"ci": 40, "never-touch": 60}, "categories": {"docs": 0, "tests": 5, "code": 15},
        },
    }})
}

fn facts() -> Facts {
    let oid = || crate::id::Oid::zero();
    Facts {
        schema: Facts::SCHEMA.to_owned(),
        base_tree: oid(),
        tree: oid(),
        files: Vec::new(),
        totals: Totals { files: 1, added: 4, removed: 3, bytes: 700, ..Totals::default() },
        zones: Vec::new(),
        categories: vec!["docs".to_owned()],
        secrets: Vec::new(),
        forbidden: Vec::new(),
        dependencies: Vec::new(),
        tests: crate::facts::TestFacts::default(),
        destructive: Vec::new(),
        hazards: Vec::new(),
        collisions: Vec::new(),
        unmeasured: Vec::new(),
        window: WindowFacts::default(),
    }
}

#[test]
fn a_small_repair_of_docs_is_low_and_a_pipeline_is_not() {
    let config = config();
    let low = config.assess(&facts());
    assert_eq!((low.score, low.band.as_str()), (1, "low"));
    assert_eq!(low.parts.keys().collect::<Vec<_>>(), ["files"]);
    let mut ci = facts();
    ci.zones = vec!["ci".to_owned()];
    assert_eq!((config.assess(&ci).score, config.assess(&ci).band.as_str()), (41, "medium"));
    ci.totals =
        Totals { files: 8, added: 900, removed: 100, bytes: 20 << 10, binaries: 2, ..Totals::default() };
    ci.categories.push("code".to_owned());
    // 4 files + 15 lines + 2 bytes + 50 binaries + 40 zone + 15 category, cut at 100.
    let high = config.assess(&ci);
    assert_eq!(high.parts.values().sum::<u32>(), 126);
    assert_eq!((high.score, high.band.as_str()), (100, "critical"));
}

#[test]
fn a_name_without_a_weight_is_no_discount() {
    let mut strange = facts();
    strange.zones = vec!["new-zone".to_owned()];
    strange.categories = vec!["new-category".to_owned()];
    let risk = config().assess(&strange);
    assert_eq!((risk.parts["zone:new-zone"], risk.parts["category"]), (60, 15));
}

#[test]
fn a_claim_only_raises() {
    let config = config();
    let risk = config.assess(&facts());
    assert_eq!(config.raised(&risk, 0), risk);
    assert_eq!((config.raised(&risk, 60).score, config.raised(&risk, 60).band.as_str()), (60, "high"));
    assert_eq!(config.raised(&risk, 5000).score, 100);
}

#[test]
fn data_without_weights_or_with_falling_bands_is_refused() {
    let code = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut data = data();
        change(&mut data);
        RiskConfig::from_data(&data).err().map(|error| error.code())
    };
    assert_eq!(code(&|_| {}), None);
    assert_eq!(code(&|d| d["risk"] = serde_json::Value::Null), Some("AB0740"));
    assert_eq!(code(&|d| d["risk"]["weights"]["extra"] = 1.into()), Some("AB0740"));
    assert_eq!(code(&|d| d["risk"]["weights"]["files"] = (-1).into()), Some("AB0740"));
    assert_eq!(code(&|d| d["risk"]["bands"]["high"] = 80.into()), Some("AB0741"));
}
