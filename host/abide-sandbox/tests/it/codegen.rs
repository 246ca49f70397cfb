//! The recipes of the codegen worker, through the component.

use abide_sandbox::{Capability, RunResult};

use crate::setup::{Bench, repository, task};

#[test]
fn a_recipe_becomes_a_patch_in_the_seed_contract() {
    let Some(bench) = Bench::of("codegen") else { return };
    let repository = repository(&[("src/foo.ts", "one\ntwo\nthree\n")]);
    let outcome = bench.run(task("replace-text", &[("path", "src/foo.ts"), ("old", "two"), ("new", "2")]), &repository);
    let RunResult::Proposed(proposal) = outcome.result else { panic!("{outcome:?}") };
    assert_eq!(
        serde_json::to_value(&proposal.patch).unwrap(),
        serde_json::json!({
            "patch_format": "unified",
            "files": [{"path": "src/foo.ts", "status": "modify", "hunks": ["@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"]}],
        })
    );
    assert_eq!(outcome.receipt.used.get(&Capability::Workspace).map(|used| (used.calls, used.bytes)), Some((1, 14)));
    assert!(outcome.receipt.requested.contains("abide:worker/workspace@0.1.0"));
}
