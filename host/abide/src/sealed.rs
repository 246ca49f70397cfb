//! The sealed judge of this binary: which policies are judged in it, and how it is started.
//!
//! What is not trusted is loaded inside the wall before anything of it is read by the interpreter of this process, and judged there.

use std::sync::{Arc, OnceLock};

use abide_gate::{Bundle, BundleText, Judge, NativeJudge, source};
use abide_sandbox::sealed::SealedLimits;
use abide_sandbox::{CacheKey, CompiledCache, Execution, SealedError, SealedJudge, SealedModule};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};

use crate::config::env::Env;
use crate::embedded;
use crate::home::Home;
use crate::report::{Exit, Failure};

/// Which judge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JudgeKind {
    /// In this process: fastest, for policies of one's own.
    #[default]
    Native,
    /// In a WebAssembly module that has nothing of this host.
    Sealed,
}

impl JudgeKind {
    /// How it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Sealed => "sealed",
        }
    }

    /// A judge over a bundle.
    pub(crate) fn over(self, env: &Env, bundle: &Bundle) -> Result<Arc<dyn Judge>, Failure> {
        Ok(match self {
            Self::Native => Arc::new(NativeJudge::over(bundle.clone())),
            Self::Sealed => Arc::new(behind_the_wall(env, bundle.text())?),
        })
    }

    /// A judge over the text of a bundle, which only the native one loads into this process.
    pub(crate) fn over_text(self, env: &Env, text: BundleText) -> Result<Arc<dyn Judge>, Failure> {
        Ok(match self {
            Self::Native => {
                let loaded =
                    text.load().map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
                Arc::new(NativeJudge::over(loaded))
            }
            Self::Sealed => Arc::new(behind_the_wall(env, text)?),
        })
    }

    /// Sees whether the files of a policy load, where that is to happen behind the wall. What came through there loads here as well: it is the same
    /// code, and the wall is narrower than this process. `added` are a repository's own rules.
    pub(crate) fn admits(
        self,
        env: &Env,
        base: &source::Files,
        added: &source::Added,
    ) -> Result<(), Failure> {
        match self {
            Self::Native => Ok(()),
            Self::Sealed => {
                let module = module(env)?;
                let failed =
                    |error: abide_gate::BundleError| Failure::of(error.code(), error).exit(Exit::Gate);
                let sources = source::sort_layered(base, added).map_err(failed)?;
                let text = BundleText::new(sources.modules, sources.data).map_err(failed)?;
                judge(&module, text).map(drop)
            }
        }
    }
}

/// A judge of the module that this binary carries, over text that this process does not load. AB0193 where it carries none.
pub(crate) fn behind_the_wall(env: &Env, text: BundleText) -> Result<SealedJudge, Failure> {
    judge(&module(env)?, text)
}

/// A judge inside the wall.
fn judge(module: &Arc<SealedModule>, text: BundleText) -> Result<SealedJudge, Failure> {
    SealedJudge::load(module, text).map_err(failed)
}

fn failed(error: SealedError) -> Failure {
    let help = match &error {
        SealedError::Refused(_) | SealedError::Lost(_) => {
            "ab policy check shows everything that is wrong, with its place"
        }
        SealedError::Module(_) => "build it again: cargo xtask guests, then ab",
        SealedError::Start(_) => {
            "free memory and address space (4 GiB for each instance), take --judge native, or --no-exec on a host that makes no page executable"
        }
    };
    Failure::of(error.code(), error).help(help).exit(Exit::Gate)
}

/// The digest of the module that this binary carries.
pub(crate) fn carried() -> Option<abide_core::id::Digest> {
    embedded::JUDGE.map(abide_core::id::Digest::of)
}

/// The module, compiled once for each process. What was compiled is kept in the state folder.
pub(crate) fn module(env: &Env) -> Result<Arc<SealedModule>, Failure> {
    static NATIVE: OnceLock<Arc<SealedModule>> = OnceLock::new();
    static INTERPRETED: OnceLock<Arc<SealedModule>> = OnceLock::new();
    let (kept, execution, limits) = if env.no_exec {
        (&INTERPRETED, Execution::Interpreted, SealedLimits::INTERPRETED)
    } else {
        (&NATIVE, Execution::Native, SealedLimits::SHIPPED)
    };
    if let Some(module) = kept.get() {
        return Ok(Arc::clone(module));
    }
    let bytes = embedded::JUDGE.ok_or_else(|| {
        Failure::new("AB0193", "this binary was built without the sealed judge")
            .help(
                "cargo xtask guests, then build ab again; or take --judge native for a policy that you trust",
            )
            .exit(Exit::Gate)
    })?;
    let cache = cache(env);
    if let Err(failure) = &cache {
        // Compiling takes a second or two, every time.
        tracing::warn!(code = failure.code, "the compiled sealed judge is not kept: {}", failure.what);
    }
    let module = SealedModule::new_as(bytes, cache.ok().as_ref(), limits, execution).map_err(failed)?;
    Ok(Arc::clone(kept.get_or_init(|| Arc::new(module))))
}

fn cache(env: &Env) -> Result<CompiledCache, Failure> {
    let (folder, key) = Home::of(env)?.compiled()?;
    let dir =
        Dir::open_ambient_dir(&folder, ambient_authority()).map_err(|error| Failure::of("AB0004", error))?;
    Ok(CompiledCache::new(dir, CacheKey::new(key)))
}

#[cfg(test)]
mod tests;
