//! What a repository adds tightens, and nothing it says loosens.

use std::collections::BTreeMap;

use abide_core::decision::{FindingLevel, Verdict};

use super::answers::input;
use super::policies;
use crate::engine::{Bundle, BundleError, NativeJudge};
use crate::gate::Judge;
use crate::question::Question;
use crate::source::{Added, Layer, assemble_layered};

fn layered(text: &str) -> Result<Bundle, BundleError> {
    let added = BTreeMap::from([("repository.rego".to_owned(), text.as_bytes().to_vec())]);
    assemble_layered(&policies(), &Added::of_repository(added))
}

/// One module of `layer` at `path`, in `package`.
fn of(layer: Layer, path: &str, package: &str) -> Result<Bundle, BundleError> {
    let mut added = Added::default();
    let text = finding("deny").replace("abide.layers.repository", package);
    added.of_mut(layer).insert(path.to_owned(), text.into_bytes());
    assemble_layered(&policies(), &added)
}

/// Verdict and findings of a plan that the shipped policies allow.
fn judged(text: &str) -> (Verdict, Vec<(String, FindingLevel)>) {
    let (bundle, question) = (layered(text).unwrap(), Question::new(input()).unwrap());
    assert_eq!(bundle.not_joined(), None);
    let decision = NativeJudge::over(bundle.clone()).decide(&question);
    assert_eq!(decision, NativeJudge::as_written(bundle).decide(&question), "{text}");
    (decision.verdict, decision.findings.into_iter().map(|finding| (finding.rule, finding.level)).collect())
}

fn finding(level: &str) -> String {
    format!(
        "package abide.layers.repository\nfindings contains {{\"rule\": \"mine\", \"level\": \"{level}\", \"msg\": \"m\"}}"
    )
}

#[test]
fn a_layer_tightens() {
    let silent =
        "package abide.layers.repository\nfindings contains finding if { input.run.halted; finding := {} }";
    assert_eq!(judged(silent), (Verdict::Allow, vec![]));
    let mine = |level| vec![("mine".to_owned(), level)];
    assert_eq!(judged(&finding("warn")), (Verdict::Allow, mine(FindingLevel::Warn)));
    assert_eq!(judged(&finding("review")), (Verdict::Review, mine(FindingLevel::Review)));
    assert_eq!(judged(&finding("deny")), (Verdict::Deny, mine(FindingLevel::Deny)));
    assert_eq!(judged(&finding("hard")), (Verdict::Deny, mine(FindingLevel::Hard)));
}

#[test]
fn a_finding_that_means_nothing_is_not_lost() {
    let (verdict, findings) = judged(&finding("allow"));
    assert_eq!((verdict, findings), (Verdict::Deny, vec![("layer-invalid".to_owned(), FindingLevel::Hard)]));
    assert_eq!(
        judged("package abide.layers.repository\nfindings contains {\"rule\": \"mine\"}").0,
        Verdict::Deny
    );
    assert_eq!(judged("package abide.layers.repository\nfindings contains \"mine\"").0, Verdict::Deny);
    assert_eq!(judged("package abide.layers.repository\nfindings := 3").0, Verdict::Deny);
}

#[test]
fn a_layer_stays_in_its_corner() {
    for package in ["abide", "abide.hard", "abide.layers", "abide.settings", "elsewhere", "abide.layersx"] {
        let error = layered(&format!("package {package}\nx := 1")).unwrap_err();
        assert_eq!(error.code(), "AB0105", "{package}: {error}");
    }
    let added = BTreeMap::from([("data/hard.yaml".to_owned(), b"enabled: []".to_vec())]);
    let added = Added::of_repository(added);
    assert_eq!(assemble_layered(&policies(), &added).unwrap_err().code(), "AB0105");
}

#[test]
fn each_layer_has_names_and_a_folder_of_its_own() {
    use Layer::{Organisation, Repository, Run};
    for (layer, path, package) in [
        (Organisation, "a.rego", "abide.layers.organisation"),
        (Organisation, "deep/a.rego", "abide.layers.organisation_a"),
        (Run, "run.rego", "abide.layers.run"),
        (Repository, "a.rego", "abide.layers.organised"),
        (Repository, "organisation.rego", "abide.layers.mine"),
        (Repository, "deep/run/a.rego", "abide.layers.runner"),
    ] {
        let bundle = of(layer, path, package).unwrap_or_else(|error| panic!("{path} {package}: {error}"));
        assert!(bundle.modules().contains_key(&format!("{}{path}", layer.folder())), "{path}");
        // What was recorded is read again under the same rules.
        assert!(Bundle::from_bytes(bundle.to_bytes()).is_ok());
    }
    for (layer, path, package) in [
        (Repository, "a.rego", "abide.layers.organisation"),
        (Repository, "a.rego", "abide.layers.organisation.deep"),
        (Repository, "a.rego", "abide.layers.organisation_tighten"),
        (Repository, "a.rego", "abide.layers.run"),
        (Repository, "organisation/a.rego", "abide.layers.organisation"),
        (Repository, "organisation/a.rego", "abide.layers.mine"),
        (Repository, "run/a.rego", "abide.layers.run"),
        (Organisation, "a.rego", "abide.layers.repository"),
        (Organisation, "a.rego", "abide.layers.run"),
        (Organisation, "a.rego", "abide"),
        (Run, "run.rego", "abide.layers.organisation"),
        (Run, "run.rego", "abide"),
    ] {
        let error = of(layer, path, package).unwrap_err();
        assert_eq!(error.code(), "AB0105", "{path} {package}: {error}");
    }
}

#[test]
fn a_layer_that_nobody_reads_is_refused() {
    let error =
        layered("package abide.layers.repository\ndeny contains \"no\" if input.run.halted").unwrap_err();
    assert_eq!(error.code(), "AB0105");
    let why = "`layers/repository.rego`: package `abide.layers.repository` has no `findings`, and nothing else of a layer is read";
    assert_eq!(error.to_string(), why);
}

#[test]
fn a_layer_that_fails_denies() {
    let text = "package abide.layers.repository\nfindings contains {\"rule\": \"mine\", \"level\": \"warn\", \"msg\": \"m\"} if to_number(input.run.profile) == 1";
    assert_eq!(judged(text).0, Verdict::Deny);
}

#[test]
fn a_repository_replaces_nothing_of_the_organisation() {
    let mut shipped = policies();
    shipped
        .insert("layers/house.rego".to_owned(), finding("deny").replace("repository", "house").into_bytes());
    let own =
        |name: &str| Added::of_repository(BTreeMap::from([(name.to_owned(), finding("warn").into_bytes())]));
    assert!(assemble_layered(&shipped, &own("repository.rego")).is_ok());
    let refused = assemble_layered(&shipped, &own("house.rego")).unwrap_err();
    assert_eq!(refused.code(), "AB0105");
    assert!(refused.to_string().contains("replaces nothing"), "{refused}");
}

#[test]
fn data_is_yaml_or_json_and_never_both() {
    let with = |files: &[(&str, &str)]| {
        let mut all = policies();
        all.extend(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
        crate::source::sort(&all).map(|sources| sources.data)
    };
    assert_eq!(with(&[("data/more.yaml", "{a: [1]}")]), with(&[("data/more.json", "{\"a\": [1]}")]));
    for (path, text) in [
        ("data/caps.json", "{}"),
        ("data/more.json", "{\"a\": 1, \"a\": 2}"),
        ("data/more.json", "{\"a\": 1.5}"),
        ("data/more.json", "{} {}"),
        ("data/more.yaml", "a: 1\na: 2\n"),
    ] {
        assert_eq!(with(&[(path, text)]).unwrap_err().code(), "AB0105", "{path} {text}");
    }
    // Nine aliases of nine aliases, nine levels deep: a text of some hundred bytes that would be four hundred million values.
    let level = |n: usize| format!("l{n}: &l{n} [{}]\n", vec![format!("*l{}", n - 1); 9].join(", "));
    let bomb = format!("l0: &l0 [lol]\n{}", (1..10).map(level).collect::<String>());
    assert_eq!(with(&[("data/more.yaml", &bomb)]).unwrap_err().code(), "AB0105");
}
