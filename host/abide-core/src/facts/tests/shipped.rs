//! The shipped policy data compiles, and puts paths where they belong.

use std::path::PathBuf;

use super::*;
use crate::risk::RiskConfig;

/// The data document of the shipped policies.
fn data() -> serde_json::Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../policies/data");
    let read = |key: &str| -> serde_json::Value {
        let path = folder.join(format!("{key}.yaml"));
        serde_saphyr::from_str(
            &std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())),
        )
        .unwrap()
    };
    // `measure` holds limits, which have values where data says nothing.
    let keys = MeasureConfig::KEYS.iter().chain(&["risk"]).filter(|key| **key != "measure");
    keys.map(|key| ((*key).to_owned(), read(key))).collect::<serde_json::Map<_, _>>().into()
}

fn shipped() -> Meter {
    Meter::compile(&MeasureConfig::from_data(&data()).unwrap()).unwrap()
}

fn zones_of(meter: &Meter, path: &str) -> Vec<String> {
    meter.measure(&delta(entries(&[(path, None, Some("x\n"))])), WindowFacts::default()).zones
}

/// More than thirty kinds of files that run when somebody builds, tests, installs or opens a project.
const RUNS: &[&str] = &[
    "tests/conftest.py",
    "docs/conf.py",
    "setup.py",
    "setup.cfg",
    "pyproject.toml",
    "noxfile.py",
    "tox.ini",
    "pytest.ini",
    "site/sitecustomize.py",
    "x/a.pth",
    "build.rs",
    "crates/x/build.rs",
    "Cargo.toml",
    ".cargo/config.toml",
    "package.json",
    "docs/package.json",
    "webpack.config.js",
    "vite.config.ts",
    "jest.config.mjs",
    "tests/jest.setup.js",
    "vitest.config.ts",
    "playwright.config.ts",
    ".eslintrc.js",
    "babel.config.js",
    ".husky/pre-commit",
    ".pre-commit-config.yaml",
    "Makefile",
    "tests/Makefile",
    "src/makefile",
    "common.mk",
    "CMakeLists.txt",
    "cmake/find.cmake",
    "configure.ac",
    "m4/build-to-host.m4",
    "autogen.sh",
    "meson.build",
    "BUILD.bazel",
    "rules.bzl",
    "build.gradle",
    "settings.gradle.kts",
    "gradlew",
    "pom.xml",
    ".mvn/extensions.xml",
    "Rakefile",
    "Gemfile",
    "x.gemspec",
    "Package.swift",
    "App.csproj",
    "Directory.Build.props",
    "mix.exs",
    "flake.nix",
    "Dockerfile",
    "docker-compose.yml",
    "Vagrantfile",
    "Justfile",
    ".envrc",
    ".vscode/tasks.json",
    ".devcontainer/devcontainer.json",
    "scripts/x.sh",
    "MAKEFILE",
];

#[test]
fn what_executes_on_build_is_known_and_never_harmless() {
    let meter = shipped();
    assert!(RUNS.len() >= 30);
    for path in RUNS {
        let facts = meter.measure(&delta(entries(&[(path, None, Some("x\n"))])), WindowFacts::default());
        assert!(facts.zones.contains(&"executes-on-build".to_owned()), "{path}");
        assert!(facts.categories.contains(&"code".to_owned()), "{path}: {:?}", facts.categories);
    }
    for path in ["README.md", "docs/guide.md", "tests/test_a.py", "src/lib.rs"] {
        assert!(!zones_of(&meter, path).contains(&"executes-on-build".to_owned()), "{path}");
    }
}

#[test]
fn governance_and_pipelines_are_zones() {
    let meter = shipped();
    for (path, zone) in [
        (".github/workflows/ci.yml", "ci"),
        (".GITHUB/workflows/ci.yml", "ci"),
        ("policies/merge.rego", "governance"),
        ("ab.yml", "governance"),
        ("AGENTS.md", "governance"),
        ("x/.gitattributes", "governance"),
        (".npmrc", "governance"),
        ("main.tf", "infra"),
        (".env", "secrets"),
    ] {
        assert!(zones_of(&meter, path).contains(&zone.to_owned()), "{path}");
    }
}

#[test]
fn the_shape_of_the_xz_commits_is_not_a_small_change_to_tests() {
    let meter = shipped();
    let payload: Vec<u8> =
        (0..40_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24).to_le_bytes()[0]).collect();
    let xz = delta(vec![
        DeltaEntry::added("tests/files/bad-3-corrupt_lzma2.xz", blob(&payload)),
        DeltaEntry::added("tests/files/good-large_compressed.lzma", blob(&payload)),
    ]);
    let facts = meter.measure(&xz, WindowFacts::default());
    assert_eq!((facts.totals.added, facts.totals.binaries, facts.totals.bytes), (0, 2, 80_000));
    let risk = RiskConfig::from_data(&data()).unwrap().assess(&facts);
    assert_ne!(risk.band, "low", "{risk:?}");
}
