//! Where a document says what would loosen, or changes nothing. It never loosens in fact: findings only add up. But whoever wrote it believes in
//! a limit that is not there.

use std::collections::BTreeSet;

use abide_core::input::SafetyLevel;
use serde_json::Value;

use super::effective::{self, Setting};
use super::{Source, Tightened};

/// One such value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loose {
    /// Whose document.
    pub(crate) source: Source,
    /// The code for `ab explain`.
    pub(crate) code: &'static str,
    /// The key in the document, its parts with dots.
    pub(crate) key: String,
    /// What is wrong, without the key.
    pub(crate) why: String,
}

/// Everything of this kind in the documents, over the data of the policy below them.
pub(crate) fn all(data: &Value, tightened: &[Tightened], level: SafetyLevel) -> Vec<Loose> {
    let mut found = Vec::new();
    for setting in effective::numbers(data, tightened, level) {
        found.extend(told(&setting, u64::to_string));
    }
    for setting in effective::ceilings(tightened).values() {
        found.extend(told(setting, |level| format!("A{level}")));
    }
    for setting in effective::choices(data, tightened) {
        found.extend(chosen(&setting, data));
    }
    found
}

fn told<T: Clone>(setting: &Setting<T>, spell: impl Fn(&T) -> String) -> Vec<Loose> {
    let Some((whose, now)) = &setting.in_force else { return Vec::new() };
    let below = whose.map_or_else(|| "the policy below".to_owned(), whose_words);
    let idle = setting.idle.iter().map(|(source, value)| Loose {
        source: *source,
        code: "AB0181",
        key: setting.name.clone(),
        why: format!(
            "is {}, and {below} says {}: it changes nothing, for a layer only tightens",
            spell(value),
            spell(now)
        ),
    });
    idle.collect()
}

fn whose_words(source: Source) -> String {
    match source {
        Source::Layer(layer) => format!("the {}", layer.name()),
        Source::AbYml => "ab.yml".to_owned(),
    }
}

fn chosen(setting: &Setting<BTreeSet<String>>, data: &Value) -> Vec<Loose> {
    let known = data.get(&setting.name).and_then(Value::as_object);
    let known = known.or_else(|| {
        let place = setting.name.strip_prefix("safety_").map(|name| format!("/safety/{name}"))?;
        data.pointer(&place).and_then(Value::as_object)
    });
    let mut found = Vec::new();
    for (source, names) in &setting.idle {
        for name in names {
            let there = known.is_some_and(|known| known.contains_key(name));
            let (code, why) = if there {
                ("AB0181", format!("names `{name}`, which a layer below does not let be used: it stays so"))
            } else {
                let list: Vec<&str> = known.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                ("AB0189", format!("names `{name}`, which there is not; there are {}", list.join(", ")))
            };
            found.push(Loose { source: *source, code, key: setting.name.clone(), why });
        }
    }
    found
}
