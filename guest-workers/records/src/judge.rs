//! Which candidates are records, and which strategy is taken.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::convert::{Context, scalar};
use crate::hints::Strategy;
use crate::page::Page;
use crate::schema::{Field, Kind, Shape};
use crate::strategy::{Candidate, Finding, Found, Group, groups};
use crate::words::cut;
use crate::{Ask, Extraction, Provenance, Record, Refusal, Rejected, Tried};

/// What is told of a strategy that has no candidate.
pub(crate) const NOTHING: &str = "nothing of the kind on the pages";

/// Faults that are told of each group, and of each record.
const FAULTS_MAX: usize = 3;
/// Groups whose candidates are all read, those with the most fields first.
const GROUPS_MAX: usize = 24;

/// How many fields a group must have that nobody pointed at: what is required, and half of all up to three, so that a thing with a name
/// is not taken for one that happens to have a name, too.
pub(crate) fn need(shape: &Shape) -> usize {
    let required = shape.fields.iter().filter(|field| field.required).count();
    let all = shape.fields.len();
    required.max(all.div_ceil(2).min(3)).max(all.min(2))
}

/// What became of a group.
#[derive(Default)]
struct Assessed {
    name: String,
    named: bool,
    found: usize,
    records: Vec<Record>,
    rejected: Vec<Rejected>,
    left_out: BTreeMap<String, (usize, String)>,
    /// Fields that some record has.
    covered: BTreeSet<String>,
    notes: Vec<String>,
}

pub(crate) fn judge(pages: &[Page<'_>], ask: &Ask) -> Result<Extraction, Refusal> {
    let mut tried = Vec::new();
    for strategy in ask.hints.order() {
        let found = match groups(strategy, pages, ask) {
            Ok(found) => found,
            Err(why) => {
                tried.push(nothing(strategy, why));
                continue;
            }
        };
        let Some(best) = best(strategy, found, pages, ask) else {
            tried.push(nothing(strategy, "nothing of the kind on the pages".to_owned()));
            continue;
        };
        let why_not = why_not(&best, ask);
        let faults = best
            .rejected
            .iter()
            .filter_map(|rejected| {
                rejected.faults.first().map(|fault| format!("`{}`: {fault}", rejected.css))
            })
            .take(FAULTS_MAX)
            .chain(best.notes.iter().take(FAULTS_MAX).cloned());
        tried.push(Tried {
            strategy,
            group: best.name.clone(),
            found: best.found,
            valid: best.records.len(),
            faults: faults.collect(),
            why_not: why_not.clone(),
        });
        if why_not.is_none() {
            return Ok(finish(strategy, best, tried, pages, ask));
        }
    }
    Err(Refusal::NoRecords(tried))
}

fn nothing(strategy: Strategy, why: String) -> Tried {
    Tried { strategy, group: String::new(), found: 0, valid: 0, why_not: Some(why), faults: Vec::new() }
}

/// The group with the most fields, then with the most records, then the first.
fn best(strategy: Strategy, mut found: Vec<Group>, pages: &[Page<'_>], ask: &Ask) -> Option<Assessed> {
    let fields = |group: &Group| {
        let all = 0..ask.shape.fields.len();
        let has = |at: usize| group.candidates.iter().any(|c| c.found.get(at).is_some_and(Result::is_ok));
        all.filter(|at| has(*at)).count()
    };
    found.sort_by_cached_key(|group| std::cmp::Reverse((group.named, fields(group), group.candidates.len())));
    found.truncate(GROUPS_MAX);
    let mut best: Option<Assessed> = None;
    for group in found {
        let assessed = assess(strategy, group, pages, ask);
        let rank = |assessed: &Assessed| {
            (why_not(assessed, ask).is_none(), assessed.named, assessed.covered.len(), assessed.records.len())
        };
        if best.as_ref().is_none_or(|best| rank(&assessed) > rank(best)) {
            best = Some(assessed);
        }
    }
    best
}

fn why_not(assessed: &Assessed, ask: &Ask) -> Option<String> {
    let (valid, refused) = (assessed.records.len(), assessed.rejected.len());
    let of = &assessed.name;
    if assessed.found == 0 {
        return Some(NOTHING.to_owned());
    }
    if valid == 0 {
        let first = assessed.rejected.first().and_then(|rejected| rejected.faults.first());
        let why = first.map(|fault| format!(": {fault}")).unwrap_or_default();
        return Some(format!("none of {} in {of} is what the schema says{why}", assessed.found));
    }
    if refused > valid || ask.hints.rejected_max.is_some_and(|most| refused > most) {
        return Some(format!("{refused} of {} in {of} are not what the schema says", assessed.found));
    }
    let need = need(&ask.shape);
    if !assessed.named && assessed.covered.len() < need {
        let covered: Vec<&str> = assessed.covered.iter().map(String::as_str).collect();
        return Some(format!(
            "{of} has only {} of {} fields ({}); {need} are needed where no hint points at it",
            covered.len(),
            ask.shape.fields.len(),
            covered.join(", ")
        ));
    }
    None
}

fn assess(strategy: Strategy, group: Group, pages: &[Page<'_>], ask: &Ask) -> Assessed {
    let mut assessed = Assessed {
        name: group.name,
        named: group.named,
        found: group.candidates.len(),
        notes: group.notes,
        ..Assessed::default()
    };
    for candidate in group.candidates {
        let Some(page) = pages.get(candidate.page) else { continue };
        match record(strategy, page, &candidate, ask, &mut assessed.left_out) {
            Ok(record) => {
                assessed.covered.extend(record.value.keys().cloned());
                assessed.records.push(record);
            }
            Err(mut faults) => {
                faults.truncate(FAULTS_MAX);
                let (url, css) = (page.snapshot.url.clone(), page.path(candidate.element));
                assessed.rejected.push(Rejected { url, css, faults });
            }
        }
    }
    assessed
}

/// What gathers the values of one record.
struct Builder<'a> {
    strategy: Strategy,
    context: Context<'a>,
    provenance: BTreeMap<String, Provenance>,
    faults: Vec<String>,
    left_out: Vec<(String, String)>,
}

fn record(
    strategy: Strategy,
    page: &Page<'_>,
    candidate: &Candidate,
    ask: &Ask,
    left_out: &mut BTreeMap<String, (usize, String)>,
) -> Result<Record, Vec<String>> {
    let context = Context { page, hints: &ask.hints };
    let mut builder =
        Builder { strategy, context, provenance: BTreeMap::new(), faults: Vec::new(), left_out: Vec::new() };
    let mut value = Map::new();
    for (field, found) in ask.shape.fields.iter().zip(&candidate.found) {
        builder.member(field, found.as_ref(), "", &mut value);
    }
    let value = Value::Object(value);
    if builder.faults.is_empty() {
        let faults = ask.shape.checker.faults(&value);
        builder.faults.extend(faults.into_iter().map(|(at, what)| {
            if at.is_empty() { format!("it {what}") } else { format!("`{}` {what}", &at[1..]) }
        }));
    }
    let Value::Object(value) = value else { return Err(builder.faults) };
    if value.is_empty() {
        builder.faults.push("it has none of the fields".to_owned());
    }
    if !builder.faults.is_empty() {
        return Err(builder.faults);
    }
    for (field, why) in builder.left_out {
        left_out.entry(field).or_insert((0, why)).0 += 1;
    }
    Ok(Record {
        value,
        url: page.snapshot.url.clone(),
        digest: page.snapshot.digest.clone(),
        css: page.path(candidate.element),
        pointer: candidate.pointer.clone(),
        provenance: builder.provenance,
    })
}

impl Builder<'_> {
    /// Puts what was found for `field` into `object`, which stands at `at`.
    fn member(
        &mut self,
        field: &Field,
        found: Result<&Found, &String>,
        at: &str,
        object: &mut Map<String, Value>,
    ) {
        let place = format!("{at}/{}", crate::schema::escape(&field.name));
        let value = match found {
            Ok(found) => self.value(field, found, &place),
            Err(tried) if field.required => {
                self.faults.push(format!("`{}` is required and was not found: {tried}", &place[1..]));
                return;
            }
            Err(_) => return,
        };
        match value {
            Ok(value) => _ = object.insert(field.name.clone(), value),
            Err(why) if field.required => self.faults.push(format!("`{}` {why}", &place[1..])),
            Err(why) if why == "is empty" => self.forget(&place),
            Err(why) => {
                self.forget(&place);
                self.left_out.push((place[1..].to_owned(), why));
            }
        }
    }

    /// Takes back what was noted of values below `place`.
    fn forget(&mut self, place: &str) {
        self.provenance.retain(|at, _| {
            !at.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    }

    fn value(&mut self, field: &Field, found: &Found, at: &str) -> Result<Value, String> {
        match found {
            Found::One(finding) => self.one(field, finding, at),
            Found::Many(parts) => {
                let item = field.items.as_deref().unwrap_or(field);
                let mut values = Vec::new();
                for part in parts {
                    let place = format!("{at}/{}", values.len());
                    match self.value(item, part, &place) {
                        Err(why) if why == "is empty" => {}
                        value => values.push(value?),
                    }
                }
                if values.is_empty() { Err("is empty".to_owned()) } else { Ok(Value::Array(values)) }
            }
            Found::Members(members) => {
                let (faults, mut object) = (self.faults.len(), Map::new());
                for (field, found) in members {
                    self.member(field, found.as_ref(), at, &mut object);
                }
                // What its own fields lack is a fault of the whole only where the whole is required.
                if let Some(why) = self.faults.get(faults).cloned() {
                    self.faults.truncate(faults);
                    return Err(format!("is not complete: {why}"));
                }
                if object.is_empty() { Err("is empty".to_owned()) } else { Ok(Value::Object(object)) }
            }
        }
    }

    fn one(&mut self, field: &Field, finding: &Finding, at: &str) -> Result<Value, String> {
        if field.may_be(Kind::Object) && field.kinds.len() == 1 {
            return Err("is a text and not a thing".to_owned());
        }
        let read = scalar(self.context, field, &finding.raw)?;
        let page = self.context.page;
        let mut conversions = finding.notes.clone();
        conversions.extend(read.conversions);
        self.provenance.insert(
            at.to_owned(),
            Provenance {
                url: page.snapshot.url.clone(),
                digest: page.snapshot.digest.clone(),
                strategy: self.strategy,
                css: page.path(finding.spot.element),
                attribute: finding.spot.attribute.clone(),
                pointer: finding.spot.pointer.clone(),
                raw: finding.whole.clone().unwrap_or_else(|| finding.raw.text()),
                conversions,
            },
        );
        Ok(read.value)
    }
}

/// Takes out what comes twice, and sorts by key.
fn finish(
    strategy: Strategy,
    best: Assessed,
    tried: Vec<Tried>,
    pages: &[Page<'_>],
    ask: &Ask,
) -> Extraction {
    let mut seen: BTreeSet<Vec<String>> = BTreeSet::new();
    let mut duplicates: BTreeMap<String, usize> = BTreeMap::new();
    let mut records = Vec::new();
    for record in best.records {
        let key = key(&record.value, &ask.hints.key);
        if seen.insert(key.clone()) {
            records.push(record);
        } else {
            *duplicates.entry(cut(&key.join(", "), 80)).or_default() += 1;
        }
    }
    if !ask.hints.key.is_empty() {
        records.sort_by(|left: &Record, right| order(&left.value, &right.value, &ask.hints.key));
    }
    let empty_pages = pages
        .iter()
        .map(|page| &page.snapshot.url)
        .filter(|url| !records.iter().any(|record| record.url == **url))
        .cloned()
        .collect();
    Extraction {
        records,
        strategy,
        tried,
        rejected: best.rejected,
        duplicates,
        left_out: best.left_out,
        empty_pages,
    }
}

/// What tells a record from another: the fields of `names`, or all of it where it lacks one.
pub(crate) fn key(record: &Map<String, Value>, names: &[String]) -> Vec<String> {
    let parts: Option<Vec<String>> =
        names.iter().map(|name| record.get(name).map(Value::to_string)).collect();
    match parts {
        Some(parts) if !parts.is_empty() => parts,
        _ => vec![Value::Object(record.clone()).to_string()],
    }
}

/// Numbers by size, before texts by their characters.
fn order(left: &Map<String, Value>, right: &Map<String, Value>, names: &[String]) -> Ordering {
    let compare = |name: &String| match (left.get(name), right.get(name)) {
        (Some(Value::Number(left)), Some(Value::Number(right))) => {
            left.as_f64().partial_cmp(&right.as_f64()).unwrap_or(Ordering::Equal)
        }
        (Some(Value::String(left)), Some(Value::String(right))) => left.cmp(right),
        (left, right) => left.map(Value::to_string).cmp(&right.map(Value::to_string)),
    };
    names.iter().map(compare).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}
