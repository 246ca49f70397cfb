//! A block: cases of one product that are judged and held against the invariants together.

use std::collections::BTreeMap;

use abide_core::decision::{FindingLevel, Verdict};
use abide_core::facts::{Facts, WindowFacts};
use abide_core::id::Digest;
use abide_core::input::PolicyInput;
use abide_gate::{Bundle, Opinion};
use serde_json::{Map, Value as Json, json};

use crate::prove::Bundles;
use crate::prove::model::{Axis, Model, Product, Split, Steps, lay};
use crate::report::Failure;

/// One case: where it lies, what is asked, what would be decided.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Its value on each axis.
    pub(crate) values: Vec<(String, String)>,
    /// The question.
    pub(crate) input: PolicyInput,
    /// The layer it is judged with.
    pub(crate) layer: Option<String>,
    /// What would be decided.
    pub(crate) opinion: Opinion,
}

/// Two cases that differ on one axis.
#[derive(Debug)]
struct Step {
    axis: String,
    from: usize,
    to: usize,
}

/// A change as a whole and the worst of its pieces.
#[derive(Debug)]
struct Halved {
    whole: usize,
    piece: usize,
}

/// Cases with what is compared among them.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) cases: Vec<Case>,
    steps: Vec<Step>,
    splits: Vec<Halved>,
}

/// 0 allow, 1 review, 2 deny.
fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Review => 1,
        Verdict::Deny => 2,
    }
}

fn is_hard(opinion: &Opinion) -> bool {
    opinion.findings.iter().any(|finding| finding.level == FindingLevel::Hard)
}

/// A question that is to be judged.
struct Asked {
    values: Vec<(String, String)>,
    input: PolicyInput,
    layer: Option<String>,
}

/// Walks all values of all axes below `doc`, the last axis fastest.
fn walk(all: &[Axis], doc: Json, above: Place, out: &mut Vec<Asked>) -> Result<(), Failure> {
    let Some((axis, rest)) = all.split_first() else {
        out.push(asked(doc, above)?);
        return Ok(());
    };
    for value in &axis.values {
        let (mut doc, mut place) = (doc.clone(), above.clone());
        lay(&value.over, &mut doc);
        place.values.push((axis.name.clone(), value.called.clone()));
        place.layer = value.layer.clone().or(place.layer);
        walk(rest, doc, place, out)?;
    }
    Ok(())
}

fn asked(doc: Json, place: Place) -> Result<Asked, Failure> {
    let Place { values, layer } = place;
    match serde_json::from_value(doc) {
        Ok(input) => Ok(Asked { values, input, layer }),
        Err(error) => {
            let place: Vec<String> = values.iter().map(|(axis, value)| format!("{axis} {value}")).collect();
            let place = place.join(", ");
            let why = format!("the model makes a question that cannot be asked ({place}): {error}");
            Err(Failure::new("AB0195", why))
        }
    }
}

/// The value of an axis at point `number`: any, and always the same.
fn drawn(number: usize, axis: &Axis) -> usize {
    let digest = Digest::of(format!("{} {number}", axis.name).as_bytes());
    let drawn = digest.hex().get(..12).and_then(|hex| usize::from_str_radix(hex, 16).ok());
    drawn.unwrap_or_default().checked_rem(axis.values.len()).unwrap_or_default()
}

/// The case with these values, one for each axis.
fn at(model: &Model, point: &[usize]) -> Result<Asked, Failure> {
    let one = |(axis, value): (&Axis, &usize)| {
        let values = axis.values.get(*value).cloned().into_iter().collect();
        Axis { name: axis.name.clone(), steps: None, values }
    };
    let axes: Vec<Axis> = model.axes.iter().zip(point).map(one).collect();
    let mut asked = Vec::new();
    walk(&axes, model.base.clone(), Place::default(), &mut asked)?;
    asked.pop().ok_or_else(|| Failure::new("AB0195", "a point of the model has no case".to_owned()))
}

#[derive(Debug, Clone, Default)]
struct Place {
    values: Vec<(String, String)>,
    layer: Option<String>,
}

/// How a product is cut: the axes that lead, and those whose cases stay together.
pub(crate) struct Cut<'a> {
    product: &'a Product,
    leading: usize,
}

impl<'a> Cut<'a> {
    pub(crate) fn of(product: &'a Product) -> Self {
        let leading = product.axes.iter().take_while(|axis| axis.steps.is_none()).count();
        Self { product, leading }
    }

    /// Combinations of the leading axes.
    pub(crate) fn count(&self) -> usize {
        self.product
            .axes
            .iter()
            .take(self.leading)
            .fold(1, |count, axis| count.saturating_mul(axis.values.len()))
    }

    /// Cases under one combination.
    pub(crate) fn size(&self) -> usize {
        self.product
            .axes
            .iter()
            .skip(self.leading)
            .fold(1, |count, axis| count.saturating_mul(axis.values.len()))
    }

    /// Adds the cases under combination `number` to a block that is being gathered.
    fn gather(
        &self,
        model: &Model,
        number: usize,
        asked: &mut Vec<Asked>,
        steps: &mut Vec<Step>,
    ) -> Result<(), Failure> {
        let first = asked.len();
        let (mut doc, mut place, mut left) = (model.base.clone(), Place::default(), number);
        let mut chosen = Vec::new();
        for axis in self.product.axes.iter().take(self.leading).rev() {
            let count = axis.values.len().max(1);
            chosen.push((axis, left.checked_rem(count).unwrap_or_default()));
            left = left.checked_div(count).unwrap_or_default();
        }
        for (axis, at) in chosen.into_iter().rev() {
            let Some(value) = axis.values.get(at) else { continue };
            lay(&value.over, &mut doc);
            place.values.push((axis.name.clone(), value.called.clone()));
            place.layer = value.layer.clone().or(place.layer);
        }
        let inner = self.product.axes.get(self.leading..).unwrap_or_default();
        walk(inner, doc, place, asked)?;
        steps.extend(compared(inner, first, self.size()));
        Ok(())
    }
}

/// What is compared among `count` cases of `axes`, the first of which has number `first`.
fn compared(axes: &[Axis], first: usize, count: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut stride = count;
    for axis in axes {
        let length = axis.values.len().max(1);
        stride = stride.checked_div(length).unwrap_or(1).max(1);
        let Some(kind) = axis.steps else { continue };
        for case in 0..count {
            let at = case.checked_div(stride).and_then(|at| at.checked_rem(length)).unwrap_or_default();
            let to = match kind {
                Steps::Next => at.saturating_add(1)..at.saturating_add(2).min(length),
                Steps::First if at == 0 => 1..length,
                Steps::First => 0..0,
            };
            for to in to {
                let further = to.saturating_sub(at).saturating_mul(stride);
                let from = first.saturating_add(case);
                steps.push(Step { axis: axis.name.clone(), from, to: from.saturating_add(further) });
            }
        }
    }
    steps
}

impl Block {
    /// Judges the cases under some combinations of a product.
    pub(crate) fn judge(
        model: &Model,
        cut: &Cut<'_>,
        numbers: std::ops::Range<usize>,
        bundles: &Bundles,
    ) -> Result<Self, Failure> {
        let (mut asked, mut steps) = (Vec::new(), Vec::new());
        for number in numbers {
            cut.gather(model, number, &mut asked, &mut steps)?;
        }
        Ok(Self { cases: judge(asked, bundles)?, steps, splits: Vec::new() })
    }

    /// Judges points from anywhere in the product of all axes, each with its neighbours along the axes that have steps. The same numbers
    /// are the same points.
    pub(crate) fn sample(
        model: &Model,
        numbers: std::ops::Range<usize>,
        bundles: &Bundles,
    ) -> Result<Self, Failure> {
        let (mut asked, mut steps) = (Vec::new(), Vec::new());
        for number in numbers {
            let point: Vec<usize> = model.axes.iter().map(|axis| drawn(number, axis)).collect();
            let here = asked.len();
            asked.push(at(model, &point)?);
            for (place, axis) in model.axes.iter().enumerate() {
                let value = point.get(place).copied().unwrap_or_default();
                let other = match axis.steps {
                    Some(Steps::Next) => {
                        Some(value.saturating_add(1)).filter(|next| *next < axis.values.len())
                    }
                    Some(Steps::First) => Some(0).filter(|_| value > 0),
                    None => None,
                };
                let Some(other) = other else { continue };
                let mut moved = point.clone();
                if let Some(value) = moved.get_mut(place) {
                    *value = other;
                }
                let there = asked.len();
                asked.push(at(model, &moved)?);
                let (from, to) = if axis.steps == Some(Steps::First) { (there, here) } else { (here, there) };
                steps.push(Step { axis: axis.name.clone(), from, to });
            }
        }
        Ok(Self { cases: judge(asked, bundles)?, steps, splits: Vec::new() })
    }

    /// Judges a change as a whole, and then piece by piece: what was not denied counts into the window of the next.
    pub(crate) fn split(model: &Model, split: &Split, bundles: &Bundles) -> Result<Self, Failure> {
        let mut askers = Vec::new();
        walk(&split.product.axes, model.base.clone(), Place::default(), &mut askers)?;
        let mut block = Self::default();
        for asker in &askers {
            let whole = block.put(asker, &split.whole, format!("{}, whole", split.about), bundles)?;
            let mut window = WindowFacts { hours: 24, ..WindowFacts::default() };
            let mut worst = None;
            for (number, piece) in split.pieces.iter().enumerate() {
                let after = window.clone().and_this(&piece.totals, &piece.by_zone());
                let facts = Facts { window: after.clone(), ..piece.clone() };
                let called = format!("{}, piece {}", split.about, number.saturating_add(1));
                let at = block.put(asker, &facts, called, bundles)?;
                let verdict = block.verdict(at);
                if verdict != Verdict::Deny {
                    window = after;
                }
                worst = worst.max(Some((rank(verdict), at)));
            }
            block.splits.extend(worst.map(|(_, piece)| Halved { whole, piece }));
        }
        Ok(block)
    }

    /// Judges one more case and gives its number.
    fn put(
        &mut self,
        asker: &Asked,
        facts: &Facts,
        called: String,
        bundles: &Bundles,
    ) -> Result<usize, Failure> {
        let mut values = asker.values.clone();
        values.push(("change".to_owned(), called));
        let input = PolicyInput { facts: Some(facts.clone()), ..asker.input.clone() };
        self.cases.extend(judge(vec![Asked { values, input, layer: None }], bundles)?);
        Ok(self.cases.len().saturating_sub(1))
    }

    /// What would be decided about a case; a denial where there is none.
    fn verdict(&self, number: usize) -> Verdict {
        self.cases.get(number).map_or(Verdict::Deny, |case| case.opinion.verdict)
    }

    /// What the invariants are asked about.
    pub(crate) fn question(&self) -> Json {
        let of = |number: usize| rank(self.verdict(number));
        let hard = |number: usize| self.cases.get(number).is_some_and(|case| is_hard(&case.opinion));
        let mut steps: BTreeMap<&str, Vec<Json>> = BTreeMap::new();
        for step in &self.steps {
            steps.entry(&step.axis).or_default().push(json!({
                "from": step.from, "to": step.to, "before": of(step.from), "after": of(step.to), "hard": hard(step.from),
            }));
        }
        let splits = self.splits.iter().map(|split| {
            json!({"whole": split.whole, "piece": split.piece, "before": of(split.whole), "after": of(split.piece)})
        });
        json!({
            "cases": self.cases.iter().enumerate().map(|(number, case)| told(number, case)).collect::<Vec<_>>(),
            "steps": steps,
            "splits": splits.collect::<Vec<_>>(),
        })
    }
}

/// A case as the invariants see it.
fn told(number: usize, case: &Case) -> Json {
    let opinion = &case.opinion;
    let mut fields: Map<String, Json> =
        case.values.iter().map(|(axis, value)| (axis.clone(), Json::from(value.as_str()))).collect();
    let against = opinion.findings.iter().filter(|finding| finding.level > FindingLevel::Warn);
    let rules: Vec<Json> = against.map(|finding| Json::from(finding.rule.as_str())).collect();
    fields.insert("n".to_owned(), Json::from(number));
    fields.insert("verdict".to_owned(), Json::from(opinion.verdict.as_str()));
    fields.insert("rank".to_owned(), Json::from(rank(opinion.verdict)));
    fields.insert("hard".to_owned(), Json::from(is_hard(opinion)));
    fields.insert("rules".to_owned(), Json::Array(rules));
    fields.insert("fault".to_owned(), Json::from(opinion.fault.clone().unwrap_or_default()));
    Json::Object(fields)
}

/// Judges questions, those with the same layer together, and gives them back in their order.
fn judge(asked: Vec<Asked>, bundles: &Bundles) -> Result<Vec<Case>, Failure> {
    let mut by_layer: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
    for (number, one) in asked.iter().enumerate() {
        by_layer.entry(one.layer.as_deref()).or_default().push(number);
    }
    let mut opinions: Vec<(usize, Opinion)> = Vec::new();
    for (layer, numbers) in by_layer {
        let bundle: &Bundle = bundles.with(layer)?;
        let inputs = numbers.iter().filter_map(|number| asked.get(*number)).map(|one| one.input.clone());
        let found = bundle.opinions(inputs.collect());
        opinions.extend(numbers.into_iter().zip(found));
    }
    opinions.sort_by_key(|(number, _)| *number);
    let cases = asked.into_iter().zip(opinions);
    Ok(cases
        .map(|(one, (_, opinion))| Case { values: one.values, input: one.input, layer: one.layer, opinion })
        .collect())
}
