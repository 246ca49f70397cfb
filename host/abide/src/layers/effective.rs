//! What is in force, value by value, with where each came from and what it took the place of.
//!
//! It only tells: what decides is the bundle that was made of the same documents.

use std::collections::{BTreeMap, BTreeSet};

use abide_core::action::ActionClass;
use abide_core::input::SafetyLevel;
use serde_json::Value;

use super::tighten::Tighten;
use super::{Source, Tightened};

/// A number with who said it. `None` as the source is the policy below all layers.
pub(crate) type Said<T> = (Option<Source>, T);

/// One value: what is in force, and what it took the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    /// Its name, as a document spells it.
    pub(crate) name: String,
    /// What is in force; none if nobody says anything.
    pub(crate) in_force: Option<Said<T>>,
    /// What stood there before, the last one first.
    pub(crate) instead_of: Vec<Said<T>>,
    /// What was said above and is not tighter, so that it changes nothing.
    pub(crate) idle: Vec<(Source, T)>,
}

impl<T: Clone + PartialEq> Setting<T> {
    fn of(name: &str, below: Option<T>) -> Self {
        Self {
            name: name.to_owned(),
            in_force: below.map(|value| (None, value)),
            instead_of: Vec::new(),
            idle: Vec::new(),
        }
    }

    /// Takes what `source` says, if it is tighter.
    fn said(&mut self, source: Source, value: T, tighter: impl Fn(&T, &T) -> bool) {
        match &self.in_force {
            Some((_, now)) if *now == value => {}
            Some((_, now)) if !tighter(&value, now) => self.idle.push((source, value)),
            _ => {
                if let Some(before) = self.in_force.replace((Some(source), value)) {
                    self.instead_of.insert(0, before);
                }
            }
        }
    }
}

/// Which of two numbers is tighter.
#[derive(Clone, Copy)]
enum Tighter {
    Lower,
    Higher,
}

/// A number of the document: its name, where the policy has its own, and which way is tighter.
type Number = (&'static str, &'static str, Tighter, fn(&Tighten) -> Option<u64>);

const NUMBERS: [Number; 9] = [
    ("caps.files_max", "/caps/files_max", Tighter::Lower, |document| document.caps.files_max),
    ("caps.lines_max", "/caps/lines_max", Tighter::Lower, |document| document.caps.lines_max),
    ("caps.bytes_max", "/caps/bytes_max", Tighter::Lower, |document| document.caps.bytes_max),
    ("caps.binaries_max", "/caps/binaries_max", Tighter::Lower, |document| document.caps.binaries_max),
    ("caps.file_bytes_max", "/caps/file_bytes_max", Tighter::Lower, |document| document.caps.file_bytes_max),
    ("thresholds.files_max", "/safety/levels/{}/files_max", Tighter::Lower, |document| {
        document.thresholds.files_max
    }),
    ("thresholds.lines_max", "/safety/levels/{}/lines_max", Tighter::Lower, |document| {
        document.thresholds.lines_max
    }),
    ("thresholds.bytes_max", "/safety/levels/{}/bytes_max", Tighter::Lower, |document| {
        document.thresholds.bytes_max
    }),
    (
        "rollback_threshold_permille",
        "/safety/levels/{}/rollback_threshold_permille",
        Tighter::Higher,
        |document| document.rollback_threshold_permille,
    ),
];

/// Every number, in the order of the document.
pub(crate) fn numbers(data: &Value, tightened: &[Tightened], level: SafetyLevel) -> Vec<Setting<u64>> {
    let all = NUMBERS.into_iter().map(|(name, place, way, read)| {
        let below = data.pointer(&place.replace("{}", level.as_str())).and_then(Value::as_u64);
        let mut setting = Setting::of(name, below);
        for one in tightened {
            if let Some(value) = read(&one.document) {
                setting.said(one.source, value, |new, now| match way {
                    Tighter::Lower => new < now,
                    Tighter::Higher => new > now,
                });
            }
        }
        setting
    });
    all.collect()
}

/// Whether code needs a test.
pub(crate) fn require_tests(data: &Value, tightened: &[Tightened], level: SafetyLevel) -> Setting<bool> {
    let below =
        data.pointer(&format!("/safety/levels/{}/require_tests", level.as_str())).and_then(Value::as_bool);
    let mut setting = Setting::of("require_tests", below.or(Some(false)));
    for one in tightened.iter().filter(|one| one.document.require_tests) {
        setting.said(one.source, true, |new, now| *new && !now);
    }
    setting
}

/// Sets of what may be used: profiles, safety modes and safety levels of the policy, made smaller by each layer.
pub(crate) fn choices(data: &Value, tightened: &[Tightened]) -> Vec<Setting<BTreeSet<String>>> {
    type Read = fn(&Tighten) -> Option<BTreeSet<String>>;
    let sets: [(&str, &str, Read); 3] = [
        ("profiles", "/profiles", |document| document.profiles.clone()),
        ("safety_modes", "/safety/modes", |document| {
            Some(document.safety_modes.as_ref()?.iter().map(|mode| mode.as_str().to_owned()).collect())
        }),
        ("safety_levels", "/safety/levels", |document| {
            Some(document.safety_levels.as_ref()?.iter().map(|level| level.as_str().to_owned()).collect())
        }),
    ];
    let all = sets.into_iter().map(|(name, place, read)| {
        let below =
            data.pointer(place).and_then(Value::as_object).map(|fields| fields.keys().cloned().collect());
        let mut setting: Setting<BTreeSet<String>> = Setting::of(name, below);
        for one in tightened {
            let Some(named) = read(&one.document) else { continue };
            let now = setting.in_force.as_ref().map(|(_, now)| now.clone()).unwrap_or_default();
            let more: BTreeSet<String> = named.difference(&now).cloned().collect();
            if !more.is_empty() {
                setting.idle.push((one.source, more));
            }
            let both: BTreeSet<String> = named.intersection(&now).cloned().collect();
            setting.said(one.source, both, |new, now| new.len() < now.len());
        }
        setting
    });
    all.collect()
}

/// The ceiling of each class, as far as anybody sets one; A5 is none.
pub(crate) fn ceilings(tightened: &[Tightened]) -> BTreeMap<ActionClass, Setting<u8>> {
    let classes = ActionClass::ALL.into_iter().filter(|class| *class != ActionClass::Rollback);
    let all = classes.map(|class| {
        let mut setting = Setting::of(&format!("levels.{class}"), Some(5));
        for one in tightened {
            if let Some(level) = one.document.levels.get(&class) {
                setting.said(one.source, level.number(), |new, now| new < now);
                if level.number() == 5 {
                    setting.idle.push((one.source, 5));
                }
            }
        }
        (class, setting)
    });
    all.collect()
}
