//! A layer goes into a bundle and comes back; whatever would reach beyond its corner is refused.

use super::*;
use crate::bundles::Contents;

const RULE: &str = "package abide.layers.organisation\nfindings contains {\"rule\": \"ours\", \"level\": \"warn\", \"msg\": \"m\"}";

fn files(all: &[(&str, &str)]) -> Files {
    all.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

fn packed(all: &[(&str, &str)]) -> Result<Vec<u8>, String> {
    bundle(&files(all), 3, None).map_err(|error| format!("{} {error}", error.code()))
}

/// A layer whose archive was edited.
fn edited(edit: impl FnOnce(&mut Entries)) -> String {
    let mut entries = archive::read(&packed(&[("a.rego", RULE), (TIGHTEN, "{}")]).unwrap()).unwrap();
    edit(&mut entries);
    let error = Contents::read(&archive::write(&entries).unwrap()).unwrap_err();
    format!("{} {error}", error.code())
}

fn manifest_with(entries: &mut Entries, edit: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&entries[manifest::NAME]).unwrap();
    edit(&mut value);
    entries.insert(manifest::NAME.to_owned(), value.to_string().into_bytes());
}

#[test]
fn the_same_layer_comes_back() {
    let made = packed(&[
        ("a.rego", RULE),
        ("deep/b_test.rego", "package house_test"),
        (TIGHTEN, "caps: {files_max: 3}"),
        ("README.md", "x"),
    ])
    .unwrap();
    let contents = Contents::read(&made).unwrap();
    assert_eq!(contents.manifest.layer(), Some("organisation"));
    assert_eq!(contents.manifest.version(), 3);
    assert_eq!(contents.policy.files.keys().collect::<Vec<_>>(), ["a.rego", TIGHTEN_JSON]);
    assert_eq!(contents.manifest.roots, ["abide/layers/organisation", "abide/layers/organisation_tighten"]);
    assert_eq!(bundle(&contents.policy.files, 3, None).unwrap(), made, "a bundle of a bundle is the bundle");
    assert_eq!(contents.policy.hard, Parts::no_layer().unwrap().hard);
    assert!(packed(&[(TIGHTEN, "{}")]).is_ok());
}

#[test]
fn what_is_no_layer() {
    let package = |name: &str| RULE.replace("abide.layers.organisation", name);
    for (path, text) in [
        ("a.rego", package("abide.layers.repository")),
        ("a.rego", package("abide.layers.run")),
        ("a.rego", package("abide.layers.organisations")),
        ("a.rego", package("abide.layers")),
        ("a.rego", package("abide.hard")),
        ("a_test.rego", "package a_test".to_owned()),
        ("main.rego", package("abide")),
        ("invariants/a.rego", package("abide.layers.organisation")),
        ("data/caps.yaml", "files_max: 3000".to_owned()),
        ("caps/data.json", "{}".to_owned()),
        (TIGHTEN, "cap: {}".to_owned()),
        (RENDERED, RULE.to_owned()),
        ("README.md", "nothing else".to_owned()),
    ] {
        let error = packed(&[(path, &text)]).unwrap_err();
        assert!(error.starts_with("AB0182"), "{path} {text}: {error}");
    }
    assert!(
        packed(&[("a.rego", "package abide.layers.organisation\nfindings contains")])
            .unwrap_err()
            .starts_with("AB0102")
    );
    assert!(packed(&[(TIGHTEN, "{}"), (TIGHTEN_JSON, "{}")]).unwrap_err().contains("twice"));
}

#[test]
fn an_archive_that_was_edited() {
    let own = |entries: &mut Entries, path: &str, text: &str| {
        drop(entries.insert(path.to_owned(), text.as_bytes().to_vec()));
    };
    let root = |entries: &mut Entries, root: &str| {
        manifest_with(entries, |value| value["roots"] = serde_json::json!([root]));
    };
    assert!(
        edited(|all| own(all, "b.rego", &RULE.replace("organisation", "repository"))).starts_with("AB0182")
    );
    assert!(
        edited(|all| own(all, "b.rego", &RULE.replace("layers.organisation", "hard"))).starts_with("AB0182")
    );
    assert!(edited(|all| own(all, "caps/data.json", "{}")).starts_with("AB0182"));
    assert!(edited(|all| own(all, "tighten.yaml", "{}")).starts_with("AB0182"));
    assert!(
        edited(|all| own(all, TIGHTEN_JSON, "{\"caps\":{\"files_max\":3}}")).starts_with("AB0182"),
        "spelled otherwise"
    );
    assert!(edited(|all| own(all, "README.md", "x")).starts_with("AB0182"));
    assert!(edited(|all| own(all, "a_test.rego", "package a_test")).starts_with("AB0182"));
    assert!(
        edited(|all| own(all, "b.rego", &RULE.replace("organisation", "organisation_b")))
            .starts_with("AB0246")
    );
    assert!(edited(|all| own(all, "b.rego", RULE)).starts_with("AB0245"), "the digest is of other files");
    for name in ["abide", "", "abide/layers", "abide/layers/repository", "caps", "abide/layers/organisations"]
    {
        assert!(edited(|all| root(all, name)).starts_with("AB0182"), "{name}");
    }
    assert!(
        edited(|all| manifest_with(all, |value| value["metadata"]["abide"]["layer"] = "repository".into()))
            .starts_with("AB0245")
    );
    // Said to be a whole policy, it is none.
    assert!(
        edited(|all| manifest_with(all, |value| drop(
            value["metadata"]["abide"].as_object_mut().unwrap().remove("layer")
        )))
        .starts_with("AB0247")
    );
}
