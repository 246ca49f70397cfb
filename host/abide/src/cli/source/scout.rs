//! `ab source scout`: a run of the scout over active sources.

use clap::Args as ClapArgs;
use serde_json::json;

use abide_core::source::SourceState;

use super::super::Shell;
use super::super::args::{AtRepo, Mode};
use super::super::run::Bench;
use super::{definitions, start};
use crate::report::{Exit, Failure};
use crate::sources::Life;

#[derive(Debug, ClapArgs)]
pub(super) struct ScoutArgs {
    #[command(flatten)]
    at: AtRepo,
    /// From these active sources; from all that are active if none is named.
    name: Vec<String>,
    /// Pages that are looked at, for each source.
    #[arg(long, value_name = "PAGES", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=200))]
    pages_max: u16,
}

pub(super) fn run(shell: &Shell, args: &ScoutArgs) -> Result<Exit, Failure> {
    let bench = Bench::open(shell, args.at.repo.as_deref())?;
    let definitions = definitions(&bench)?;
    for name in &args.name {
        definitions.named(name)?;
    }
    let lives = Life::all(&bench.desk)?;
    let is_active = |digest| lives.get(digest).is_some_and(|life| life.state == SourceState::Active);
    let urls = definitions.by_name.values().filter_map(|one| one.unit.params.get("urls"));
    let known = urls.map(String::as_str).collect::<Vec<_>>().join(" ");
    let mut units = Vec::new();
    for (name, defined) in &definitions.by_name {
        let asked = args.name.is_empty() || args.name.contains(name);
        if !asked || !is_active(&defined.definition) {
            continue;
        }
        let param = |name: &str| defined.unit.params.get(name).cloned().unwrap_or_default();
        let mut params = json!({
            "from": name, "urls": param("urls"), "schema": param("schema"), "path": param("path"), "known": known,
            "folder": bench.config.sources.as_str(), "pages_max": args.pages_max.to_string(),
        });
        for optional in ["hints", "next", "wait-for"] {
            if let (Some(value), Some(map)) = (defined.unit.params.get(optional), params.as_object_mut()) {
                map.insert(optional.to_owned(), value.clone().into());
            }
        }
        units.push(json!({ "recipe": "scout-sources", "title": format!("Look for sources beside {name}"), "params": params }));
    }
    if units.is_empty() {
        return Err(Failure::new("AB0884", "no source is active that could lead to others")
            .help("ab source list shows how far each has come, ab source promote asks for more")
            .exit(Exit::Usage));
    }
    drop(bench);
    let text = format!("---\nunits: {}\n---\nLook for further sources\n", json!(units));
    start(shell, &args.at, text, Mode::Apply, (None, None))
}
