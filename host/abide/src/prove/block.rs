//! A block: cases of one product that are judged and held against the invariants together.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use abide_core::decision::Verdict;
use abide_core::facts::{Facts, WindowFacts};
use abide_core::id::Digest;
use abide_core::input::PolicyInput;
use abide_gate::{Cases, FIELDS, Name, Opinion, Parts};

use crate::prove::Bundles;
use crate::prove::model::{Axis, Split, Steps};
use crate::prove::space::Space;
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
    pub(crate) opinion: Arc<Opinion>,
}

/// A question that is to be judged.
#[derive(Debug)]
struct Asked {
    point: Vec<usize>,
    /// What is called `change` here, if no axis says it.
    change: Option<String>,
    parts: Parts,
    policy: usize,
}

/// Two cases that differ on one axis, by its place.
#[derive(Debug)]
struct Step {
    axis: usize,
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
pub(crate) struct Block<'a> {
    space: &'a Space<'a>,
    asked: Vec<Asked>,
    opinions: Vec<Arc<Opinion>>,
    steps: Vec<Step>,
    splits: Vec<Halved>,
}

/// The value of an axis at point `number`: any, and always the same.
pub(crate) fn drawn(number: usize, name: &str, count: usize) -> usize {
    let digest = Digest::of(format!("{name} {number}").as_bytes());
    let drawn = digest.hex().get(..12).and_then(|hex| usize::from_str_radix(hex, 16).ok());
    drawn.unwrap_or_default().checked_rem(count).unwrap_or_default()
}

/// How a product is cut: the axes that lead, and those whose cases stay together.
pub(crate) struct Cut<'a> {
    axes: &'a [Axis],
    leading: usize,
}

impl<'a> Cut<'a> {
    pub(crate) fn of(axes: &'a [Axis]) -> Self {
        let leading = axes.iter().take_while(|axis| axis.steps.is_none()).count();
        Self { axes, leading }
    }

    /// Combinations of the leading axes.
    pub(crate) fn count(&self) -> usize {
        count(self.axes.get(..self.leading).unwrap_or_default())
    }

    /// Cases under one combination.
    pub(crate) fn size(&self) -> usize {
        count(self.inner())
    }

    fn inner(&self) -> &'a [Axis] {
        self.axes.get(self.leading..).unwrap_or_default()
    }

    /// The points under combination `number`, the last axis fastest.
    fn points(&self, number: usize) -> impl Iterator<Item = Vec<usize>> {
        let size = self.size();
        let first = number.saturating_mul(size);
        (first..first.saturating_add(size)).map(|number| point(self.axes, number))
    }
}

fn count(axes: &[Axis]) -> usize {
    axes.iter().fold(1, |count, axis| count.saturating_mul(axis.values.len()))
}

/// The point with this number, where the last axis counts fastest.
fn point(axes: &[Axis], number: usize) -> Vec<usize> {
    let (mut point, mut left) = (Vec::with_capacity(axes.len()), number);
    for axis in axes.iter().rev() {
        let length = axis.values.len().max(1);
        point.push(left.checked_rem(length).unwrap_or_default());
        left = left.checked_div(length).unwrap_or_default();
    }
    point.reverse();
    point
}

/// What is compared among `size` cases of the axes from `leading` on, the first of which has number `first`.
fn compared(cut: &Cut<'_>, first: usize, steps: &mut Vec<Step>) {
    let count = cut.size();
    let mut stride = count;
    for (place, axis) in cut.inner().iter().enumerate() {
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
                let axis = cut.leading.saturating_add(place);
                steps.push(Step { axis, from, to: from.saturating_add(further) });
            }
        }
    }
}

impl<'a> Block<'a> {
    fn over(space: &'a Space<'a>) -> Self {
        Self { space, asked: Vec::new(), opinions: Vec::new(), steps: Vec::new(), splits: Vec::new() }
    }

    /// Judges the cases under some combinations of a product.
    pub(crate) fn judge(
        space: &'a Space<'a>,
        numbers: Range<usize>,
        bundles: &Bundles,
    ) -> Result<Self, Failure> {
        let (cut, mut block) = (Cut::of(space.axes), Self::over(space));
        for number in numbers {
            compared(&cut, block.asked.len(), &mut block.steps);
            for point in cut.points(number) {
                block.ask(point, bundles)?;
            }
        }
        block.judged(bundles);
        Ok(block)
    }

    /// Judges points from anywhere in the product of all axes, each with its neighbours along the axes that have steps. The same numbers
    /// are the same points.
    pub(crate) fn sample(
        space: &'a Space<'a>,
        numbers: Range<usize>,
        bundles: &Bundles,
    ) -> Result<Self, Failure> {
        let mut block = Self::over(space);
        for number in numbers {
            let point: Vec<usize> =
                space.axes.iter().map(|axis| drawn(number, &axis.name, axis.values.len())).collect();
            let here = block.ask(point.clone(), bundles)?;
            for (place, axis) in space.axes.iter().enumerate() {
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
                let there = block.ask(moved, bundles)?;
                let (from, to) = if axis.steps == Some(Steps::First) { (there, here) } else { (here, there) };
                block.steps.push(Step { axis: place, from, to });
            }
        }
        block.judged(bundles);
        Ok(block)
    }

    /// Judges a change as a whole, and then piece by piece: what was not denied counts into the window of the next.
    pub(crate) fn split(space: &'a Space<'a>, split: &Split, bundles: &Bundles) -> Result<Self, Failure> {
        let mut block = Self::over(space);
        let askers: Vec<Vec<usize>> =
            (0..count(space.axes)).map(|number| point(space.axes, number)).collect();
        for asker in &askers {
            block.put(asker, &split.whole, format!("{}, whole", split.about), bundles)?;
        }
        block.judged(bundles);
        let mut windows = vec![WindowFacts { hours: 24, ..WindowFacts::default() }; askers.len()];
        let mut worst: Vec<Option<(Verdict, usize)>> = vec![None; askers.len()];
        for (number, piece) in split.pieces.iter().enumerate() {
            let first = block.asked.len();
            let add = |window: &WindowFacts| window.clone().and_this(&piece.totals, &piece.by_zone());
            let called = format!("{}, piece {}", split.about, number.saturating_add(1));
            for (asker, window) in askers.iter().zip(&windows) {
                let facts = Facts { window: add(window), ..piece.clone() };
                block.put(asker, &facts, called.clone(), bundles)?;
            }
            block.judged(bundles);
            for (at, (window, worst)) in (first..).zip(windows.iter_mut().zip(&mut worst)) {
                let verdict = block.verdict(at);
                if verdict != Verdict::Deny {
                    *window = add(window);
                }
                *worst = (*worst).max(Some((verdict, at)));
            }
        }
        let worst = worst.into_iter().enumerate();
        block.splits = worst.filter_map(|(whole, worst)| Some(Halved { whole, piece: worst?.1 })).collect();
        Ok(block)
    }

    /// Adds a question and gives its number.
    fn ask(&mut self, point: Vec<usize>, bundles: &Bundles) -> Result<usize, Failure> {
        let parts = self.space.parts(bundles.memo(), &point)?;
        let policy = bundles.place(self.space.layer(&point))?;
        self.asked.push(Asked { point, change: None, parts, policy });
        Ok(self.asked.len().saturating_sub(1))
    }

    /// Adds a question about these facts.
    fn put(
        &mut self,
        asker: &[usize],
        facts: &Facts,
        called: String,
        bundles: &Bundles,
    ) -> Result<(), Failure> {
        let memo = bundles.memo();
        let wrong = |error: abide_gate::NotAnInput| Failure::new("AB0195", error.to_string());
        let parts = self.space.parts(memo, asker)?;
        let question = PolicyInput { facts: Some(facts.clone()), ..memo.input(&parts).map_err(wrong)? };
        let with_facts = memo.parts(&question).map_err(wrong)?;
        let field = FIELDS.iter().position(|name| *name == "facts").unwrap_or_default();
        let (point, parts) = (asker.to_vec(), parts.with(field, &with_facts));
        self.asked.push(Asked { point, change: Some(called), parts, policy: 0 });
        Ok(())
    }

    /// Judges what was not judged yet: questions with the same layer together.
    fn judged(&mut self, bundles: &Bundles) {
        let from = self.opinions.len();
        let mut by_policy: BTreeMap<usize, Vec<(usize, Parts)>> = BTreeMap::new();
        for (number, asked) in self.asked.iter().enumerate().skip(from) {
            by_policy.entry(asked.policy).or_default().push((number, asked.parts));
        }
        let mut found = Vec::new();
        for (policy, asked) in by_policy {
            let (numbers, parts): (Vec<usize>, Vec<Parts>) = asked.into_iter().unzip();
            found.extend(numbers.into_iter().zip(bundles.memo().opinions(policy, parts)));
        }
        found.sort_by_key(|(number, _)| *number);
        self.opinions.extend(found.into_iter().map(|(_, opinion)| opinion));
    }

    /// What would be decided about a case; a denial where there is none.
    fn verdict(&self, number: usize) -> Verdict {
        self.opinions.get(number).map_or(Verdict::Deny, |opinion| opinion.verdict)
    }

    /// How many cases it has.
    pub(crate) fn count(&self) -> usize {
        self.asked.len()
    }

    /// A case with all that there is to it.
    pub(crate) fn case(&self, number: usize, bundles: &Bundles) -> Result<Case, Failure> {
        let found = self.asked.get(number).zip(self.opinions.get(number));
        let (asked, opinion) =
            found.ok_or_else(|| Failure::new("AB0195", format!("there is no case {number} in a block")))?;
        let input = bundles.memo().input(&asked.parts);
        let input = input.map_err(|error| Failure::new("AB0195", error.to_string()))?;
        let layer = bundles.layer(asked.policy).map(str::to_owned);
        let mut values = self.space.values(&asked.point);
        values.extend(asked.change.iter().map(|change| ("change".to_owned(), change.clone())));
        Ok(Case { values, input, layer, opinion: Arc::clone(opinion) })
    }

    /// What the invariants are asked about.
    pub(crate) fn question(&self) -> Cases {
        let mut cases = Cases::default();
        for (asked, opinion) in self.asked.iter().zip(&self.opinions) {
            let change = asked.change.as_deref().map(|change| (Name::from("change"), Name::from(change)));
            cases.add(self.space.names(&asked.point).into_iter().chain(change), opinion);
        }
        for step in &self.steps {
            if let Some(axis) = self.space.axis(step.axis) {
                cases.step(axis, step.from, step.to);
            }
        }
        for split in &self.splits {
            cases.split(split.whole, split.piece);
        }
        cases
    }
}
