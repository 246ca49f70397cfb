//! Over the changes of other projects: what was decided natively is decided sealed.

use std::path::{Path, PathBuf};

use abide_core::decision::Decision;
use abide_core::input::{SafetyLevel, SafetyMode};
use abide_gate::sealed::module_of;
use abide_gate::source::Added;

use super::*;
use crate::bundles::active::Base;
use crate::policy::Policy;
use crate::replay::{Asked, corpus, decide};

fn corpora() -> Vec<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    #[expect(clippy::disallowed_methods, reason = "tests are told where the corpora are")]
    let shared = std::env::var_os("ABIDE_SHARED").map_or(beside, PathBuf::from);
    let found = std::fs::read_dir(shared.join("corpus")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = found.map(|entry| entry.path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".jsonl.gz"));
    files.sort();
    files
}

/// Changes of each corpus that are judged by both.
const SAMPLE: usize = 250;

#[test]
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn changes_of_the_corpora_are_decided_alike() {
    let files = corpora();
    let (Some(bytes), false) = (embedded::JUDGE, files.is_empty()) else {
        println!("skipped: no corpus, or no sealed judge (`cargo xtask guests`)");
        return;
    };
    let module = Arc::new(SealedModule::new(bytes, None, SealedLimits::SHIPPED).unwrap());
    let policy = Policy::over(&Base::built_in().files, &Added::default(), None).unwrap();
    let sealed = judge(&module, policy.bundle.text()).unwrap();
    let native = NativeJudge::over(policy.bundle.clone());
    for file in files {
        let mut past = corpus::read(&file, &policy.meter).unwrap();
        // An even sample: all of them take minutes where nothing is optimised, and differ no more.
        let every = past.changes.len().div_ceil(SAMPLE);
        past.changes = past.changes.into_iter().step_by(every.max(1)).collect();
        for profile in ["prod-conservative", "staging-aggressive"] {
            let asked = Asked {
                profile: profile.to_owned(),
                mode: SafetyMode::DenyByDefault,
                level: SafetyLevel::High,
                level_max: 5,
                // All of them.
                kept: vec![String::new()],
            };
            let natively = decide(&policy, &native, &past, &asked).unwrap();
            let inside = decide(&policy, &sealed, &past, &asked).unwrap();
            assert_eq!(natively.len(), inside.len());
            for (native, inside) in natively.into_iter().zip(inside) {
                assert_eq!(native.if_clean, inside.if_clean);
                let ((asked, native), (same, inside)) = (*native.kept.unwrap(), *inside.kept.unwrap());
                assert_eq!(asked, same);
                assert_eq!(module_of(&inside.engine).as_ref(), Some(module.digest()));
                let engine = native.engine.clone();
                assert_eq!(native, Decision { engine, ..inside }, "{}", file.display());
            }
        }
    }
}
