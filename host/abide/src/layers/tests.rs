//! Whatever a document says, in whichever layer: the policy loads with it, no answer gets looser, and the way back stays open.

use abide_core::action::ActionClass;
use abide_core::decision::Verdict;
use abide_core::input::PolicyInput;

use super::*;
use crate::bundles::active::Base;
use crate::example;
use crate::policy::Policy;

const DOCUMENTS: [&str; 24] = [
    "levels: {PLAN: A0, FETCH: A0, GENERATE: A0, EXECUTE: A0, WRITE: A0, MERGE: A0, DEPLOY: A0}",
    "levels: {PLAN: A1, FETCH: A1, GENERATE: A1, EXECUTE: A1, WRITE: A1, MERGE: A1, DEPLOY: A1}",
    "levels: {MERGE: A2, DEPLOY: A2}",
    "levels: {MERGE: A3, DEPLOY: A3}",
    "levels: {MERGE: A4, DEPLOY: A4}",
    "levels: {PLAN: A5, FETCH: A5, GENERATE: A5, EXECUTE: A5, WRITE: A5, MERGE: A5, DEPLOY: A5}",
    "caps: {files_max: 0, lines_max: 0, bytes_max: 0, binaries_max: 0, file_bytes_max: 0}",
    "caps: {files_max: 18446744073709551615, lines_max: 4000000000, bytes_max: 4000000000, binaries_max: 1000, file_bytes_max: 4000000000}",
    "thresholds: {files_max: 0, lines_max: 0, bytes_max: 0}",
    "thresholds: {files_max: 100000, lines_max: 100000, bytes_max: 100000000}",
    "forbidden_patterns: [\"x\", \"a\\\"b\", \"100% {{}} ${x} `\", {id: \"q\\\"\", regex: \"x+\"}]",
    "never_touch: [\"**\"]",
    "never_touch: [\"nowhere/**\"]",
    "review: [\"docs/**\", \"flags/**\"]",
    "profiles: [assisted]",
    "profiles: [assisted, \"no such \\\"profile\\\"\"]",
    "safety_modes: [deny-by-default]",
    "safety_modes: [warn, allow]",
    "safety_levels: [low]",
    "required_checks: [unit, \"a\\\"b\\\\\", \"%s\"]",
    "require_tests: true",
    "rollback_threshold_permille: 1000",
    "rollback_threshold_permille: 0",
    "about: \"two\\nlines \\u2028 # package abide\"\nrequire_tests: true",
];

fn strictness(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Review => 1,
        Verdict::Deny => 2,
    }
}

fn policy(layer: Layer, document: &str) -> Policy {
    let mut added = Added::default();
    if !document.is_empty() {
        added.of_mut(layer).insert(TIGHTEN.to_owned(), document.as_bytes().to_vec());
    }
    Policy::over(&Base::built_in().files, &added, None)
        .unwrap_or_else(|failure| panic!("{document}: {failure}"))
}

/// An example of each class under each profile, in two safety modes, measured by `policy`.
fn inputs(policy: &Policy) -> Vec<PolicyInput> {
    let mut all = Vec::new();
    for class in ActionClass::ALL {
        for profile in policy.profiles() {
            for mode in [abide_core::input::SafetyMode::DenyByDefault, abide_core::input::SafetyMode::Allow] {
                let mut input = example::input(class, &profile, &policy.meter, &policy.risk).unwrap();
                input.run.safety_mode = mode;
                all.push(input.clone());
                if class == ActionClass::Deploy {
                    input.action.kind = "promote".to_owned();
                    all.push(input);
                }
            }
        }
    }
    all
}

#[test]
fn no_document_loosens_anything() {
    let bare = policy(Layer::Repository, "");
    let before = bare.bundle.opinions(inputs(&bare));
    let (mut tightened, mut merges) = (0_usize, 0_usize);
    for (number, document) in DOCUMENTS.iter().enumerate() {
        let layer = Layer::ALL[number % 3];
        let policy = policy(layer, document);
        assert_eq!(policy.bundle.not_joined(), None, "{document}");
        let inputs = inputs(&policy);
        let after = policy.bundle.opinions(inputs.clone());
        assert_eq!(before.len(), after.len());
        for ((input, was), is) in inputs.iter().zip(&before).zip(&after) {
            let told =
                format!("{document}: {} {} {}", input.action.class, input.action.kind, input.run.profile);
            assert_eq!(is.fault, was.fault, "{told}");
            assert!(strictness(is.verdict) >= strictness(was.verdict), "{told}");
            assert!(
                was.findings.iter().all(|finding| is.findings.contains(finding)),
                "{told} lost a finding"
            );
            if input.action.class == ActionClass::Rollback {
                assert_eq!(is, was, "{told}: the way back is never held");
            }
            tightened += usize::from(is.verdict != was.verdict);
            merges += usize::from(was.verdict == Verdict::Allow && input.action.class == ActionClass::Merge);
        }
    }
    // The comparison means something: there were merges that went through, and documents that stopped something.
    assert!(merges > 50 && tightened > 300, "{merges} {tightened}");
}

#[test]
fn documents_of_all_layers_stand_beside_each_other() {
    let mut added = Added::default();
    for layer in Layer::ALL {
        let text =
            format!("caps: {{files_max: {}}}\nnever_touch: [\"{}/**\"]", layer.name().len(), layer.name());
        added.of_mut(layer).insert(TIGHTEN.to_owned(), text.into_bytes());
    }
    let policy = Policy::over(&Base::built_in().files, &added, None).unwrap();
    for path in
        ["layers/organisation/tighten.yaml.rego", "layers/tighten.yaml.rego", "layers/run/tighten.yaml.rego"]
    {
        let module = &policy.bundle.modules()[path];
        let document = render::document_in(module).unwrap();
        assert!(Tighten::of_json(path, document.as_bytes()).is_ok(), "{document}");
    }
    for layer in Layer::ALL {
        let zone = Source::Layer(layer).zone("never_touch");
        assert_eq!(policy.measure.zones[&zone].globs, [format!("{}/**", layer.name())]);
        assert_eq!(policy.risk.weights.zones[&zone], 0);
    }
}
