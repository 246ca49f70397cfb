//! Holds a policy against invariants over every case of a finite model.
//!
//! What comes out is no theorem: it is that so many cases were judged, each of them, and in which of them an invariant does not hold. Cases
//! are judged in bulk; each counterexample, and one case of every block, is put to the ordinary judge as well, by the modules as they were
//! written, and it must say the same.

pub(crate) mod block;
pub(crate) mod model;
mod space;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use abide_gate::{Bundle, Effort, Invariants, Judge as _, Memo, NativeJudge, Question, source};

use crate::prove::block::{Block, Case, Cut, drawn};
use crate::prove::model::{Axis, Model};
use crate::prove::space::Space;
use crate::report::{Exit, Failure};

/// The policy by the layers that the model puts under it, the bare one first.
#[derive(Debug)]
pub(crate) struct Bundles {
    places: BTreeMap<Option<String>, usize>,
    /// The ordinary judge of each.
    judges: Vec<NativeJudge>,
    memo: Memo,
}

impl Bundles {
    /// Prepares the policy alone and with each layer of the model.
    pub(crate) fn prepare(policy: &Bundle, model: &Model) -> Result<Self, Failure> {
        let (mut places, mut bundles) = (BTreeMap::from([(None, 0)]), vec![policy.clone()]);
        let values = model.axes.iter().flat_map(|axis| &axis.values);
        for layer in values.filter_map(|value| value.layer.as_ref()) {
            if places.contains_key(&Some(layer.clone())) {
                continue;
            }
            let mut modules = policy.modules().clone();
            let text = format!("package abide.layers.of_the_model\n\nimport rego.v1\n\n{layer}\n");
            modules.insert(format!("{}of_the_model.rego", source::LAYERS), text);
            let bundle = Bundle::load(modules, policy.data().clone())
                .map_err(|error| Failure::of(error.code(), error).exit(Exit::Gate))?;
            places.insert(Some(layer.clone()), bundles.len());
            bundles.push(bundle);
        }
        let judges = bundles.iter().cloned().map(NativeJudge::as_written).collect();
        Ok(Self { places, judges, memo: Memo::over(bundles) })
    }

    fn place(&self, layer: Option<&str>) -> Result<usize, Failure> {
        self.places
            .get(&layer.map(str::to_owned))
            .copied()
            .ok_or_else(|| Failure::new("AB0195", "a layer of the model was not prepared".to_owned()))
    }

    fn layer(&self, place: usize) -> Option<&str> {
        self.places.iter().find(|(_, known)| **known == place).and_then(|(layer, _)| layer.as_deref())
    }

    fn memo(&self) -> &Memo {
        &self.memo
    }
}

/// A case in which an invariant does not hold.
#[derive(Debug, Clone)]
pub(crate) struct Counterexample {
    /// The case.
    pub(crate) case: Case,
    /// What it is compared with.
    pub(crate) before: Option<Case>,
}

/// What was found about one invariant.
#[derive(Debug)]
pub(crate) struct Held {
    /// Its name.
    pub(crate) name: String,
    /// What it says.
    pub(crate) says: String,
    /// In how many cases it does not hold.
    pub(crate) violations: usize,
    /// The first of them.
    pub(crate) examples: Vec<Counterexample>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Proof {
    /// Cases that were judged.
    pub(crate) cases: usize,
    /// Those of each product, by what it is about.
    pub(crate) products: Vec<(String, usize)>,
    /// All invariants, by name.
    pub(crate) invariants: Vec<Held>,
    /// Cases that the ordinary judge was asked about as well.
    pub(crate) judged_twice: usize,
    /// What was done instead of judging each case by itself.
    pub(crate) effort: Effort,
}

impl Proof {
    /// Whether all of them hold.
    pub(crate) fn holds(&self) -> bool {
        self.invariants.iter().all(|held| held.violations == 0)
    }
}

/// Counterexamples that are kept of each invariant.
const EXAMPLES_MAX: usize = 3;
/// Cases of a block, about.
const BLOCK_CASES: usize = 512;

/// How often the ordinary judge is asked about a case before its time is up for good.
const TRIES: usize = 5;

/// Points that are judged together.
const POINTS_TOGETHER: usize = 64;

/// One piece of the work.
enum Job<'a> {
    Product(&'a Space<'a>, std::ops::Range<usize>),
    Sample(&'a Space<'a>, std::ops::Range<usize>),
    Split(&'a Space<'a>, &'a model::Split),
}

/// What one job found: cases, and by invariant how often it does not hold, with the first cases.
struct Found {
    cases: usize,
    judged_twice: usize,
    violations: BTreeMap<String, (usize, Vec<Counterexample>)>,
}

/// Checks all cases, and `points` from anywhere in the product of all axes with their neighbours, on all cores. `progress` is called with the number of cases done.
pub(crate) fn check(
    model: &Model,
    bundles: &Bundles,
    invariants: &Invariants,
    points: usize,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Proof, Failure> {
    let spaces = Spaces::of(model);
    let jobs = jobs(&spaces, model, points);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut found: Vec<(usize, Result<Found, Failure>)> = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { return found };
            let done = one(number, job, bundles, invariants);
            let failed = done.is_err();
            progress(done.as_ref().map_or(0, |found| found.cases));
            found.push((number, done));
            if failed {
                next.store(jobs.len(), Ordering::Relaxed);
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let found = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let died = |_| Failure::new("AB0171", "a thread of the check died".to_owned());
        threads.into_iter().map(|thread| thread.join().map_err(died)).collect::<Result<Vec<_>, Failure>>()
    })?;
    let mut found: Vec<_> = found.into_iter().flatten().collect();
    found.sort_by_key(|(number, _)| *number);
    let proof = gather(model, invariants, found)?;
    Ok(Proof { effort: bundles.memo.effort(), ..proof })
}

/// The axes of each product and each split, and all of them.
struct Spaces<'a> {
    products: Vec<Space<'a>>,
    splits: Vec<Space<'a>>,
    all: Space<'a>,
}

impl<'a> Spaces<'a> {
    fn of(model: &'a Model) -> Self {
        let space = |axes: &'a [Axis]| Space::of(&model.base, axes);
        Self {
            products: model.products.iter().map(|product| space(&product.axes)).collect(),
            splits: model.splits.iter().map(|split| space(&split.product.axes)).collect(),
            all: space(&model.axes),
        }
    }
}

fn jobs<'a>(spaces: &'a Spaces<'a>, model: &'a Model, points: usize) -> Vec<Job<'a>> {
    let mut jobs: Vec<Job<'a>> =
        spaces.splits.iter().zip(&model.splits).map(|(space, split)| Job::Split(space, split)).collect();
    for space in &spaces.products {
        let cut = Cut::of(space.axes);
        let together = BLOCK_CASES.checked_div(cut.size()).unwrap_or(1).max(1);
        jobs.extend(ranges(cut.count(), together).map(|range| Job::Product(space, range)));
    }
    jobs.extend(ranges(points, POINTS_TOGETHER).map(|range| Job::Sample(&spaces.all, range)));
    jobs
}

/// The numbers below `count`, so many together.
fn ranges(count: usize, together: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..count).step_by(together.max(1)).map(move |from| from..from.saturating_add(together).min(count))
}

fn one(number: usize, job: &Job<'_>, bundles: &Bundles, invariants: &Invariants) -> Result<Found, Failure> {
    let block = match job {
        Job::Product(space, range) => Block::judge(space, range.clone(), bundles)?,
        Job::Split(space, split) => Block::split(space, split, bundles)?,
        Job::Sample(space, numbers) => Block::sample(space, numbers.clone(), bundles)?,
    };
    let broken = invariants.violations(block.question()).map_err(|why| {
        Failure::new("AB0195", format!("the invariants cannot be asked: {why}")).exit(Exit::Gate)
    })?;
    let mut found = Found { cases: block.count(), judged_twice: 0, violations: BTreeMap::new() };
    let mut again = |case: &Case| {
        found.judged_twice = found.judged_twice.saturating_add(1);
        twice(case, bundles)
    };
    if block.count() > 0 {
        again(&block.case(drawn(number, "judged again", block.count()), bundles)?)?;
    }
    for violation in broken {
        let (count, examples) = found.violations.entry(violation.invariant).or_default();
        *count = count.saturating_add(1);
        if examples.len() >= EXAMPLES_MAX {
            continue;
        }
        let case = block.case(violation.case, bundles)?;
        let before = violation.before.map(|before| block.case(before, bundles)).transpose()?;
        for case in [Some(&case), before.as_ref()].into_iter().flatten() {
            again(case)?;
        }
        examples.push(Counterexample { case, before });
    }
    Ok(found)
}

/// The ordinary judge, over the modules as they were written, must say the same.
fn twice(case: &Case, bundles: &Bundles) -> Result<(), Failure> {
    let question = Question::new(case.input.clone()).map_err(|error| Failure::of("AB0124", error))?;
    let judge = bundles.judges.get(bundles.place(case.layer.as_deref())?);
    let judge =
        judge.ok_or_else(|| Failure::new("AB0195", "a layer of the model was not prepared".to_owned()))?;
    let opinion = &case.opinion;
    // A busy host is no reason to doubt a case: one that ran out of time is asked again.
    let late = |fault: &Option<String>| fault.as_deref() == Some("AB0113");
    let mut decision = judge.decide(&question);
    for _ in 1..TRIES {
        if !late(&decision.fault) || late(&opinion.fault) {
            break;
        }
        decision = judge.decide(&question);
    }
    if (decision.verdict, &decision.fault, &decision.findings)
        == (opinion.verdict, &opinion.fault, &opinion.findings)
    {
        return Ok(());
    }
    let why =
        "a case judged in bulk was decided otherwise by the ordinary judge: nothing here can be relied upon";
    Err(Failure::new("AB0196", why.to_owned()).exit(Exit::Gate))
}

fn gather(
    model: &Model,
    invariants: &Invariants,
    found: Vec<(usize, Result<Found, Failure>)>,
) -> Result<Proof, Failure> {
    let mut held: Vec<Held> = invariants
        .list()
        .iter()
        .map(|one| Held {
            name: one.name.clone(),
            says: one.says.clone(),
            violations: 0,
            examples: Vec::new(),
        })
        .collect();
    let (mut cases, mut judged_twice) = (0_usize, 0_usize);
    for (_, found) in found {
        let found = found?;
        cases = cases.saturating_add(found.cases);
        judged_twice = judged_twice.saturating_add(found.judged_twice);
        for (name, (count, examples)) in found.violations {
            let Some(held) = held.iter_mut().find(|held| held.name == name) else { continue };
            held.violations = held.violations.saturating_add(count);
            let room = EXAMPLES_MAX.saturating_sub(held.examples.len());
            held.examples.extend(examples.into_iter().take(room));
        }
    }
    let mut products: Vec<(String, usize)> =
        model.products.iter().map(|product| (product.about.clone(), product.count())).collect();
    let of_splits =
        |split: &model::Split| split.product.count().saturating_mul(split.pieces.len().saturating_add(1));
    products.extend(model.splits.iter().map(|split| (split.about.clone(), of_splits(split))));
    let walked = products.iter().fold(0_usize, |sum, (_, count)| sum.saturating_add(*count));
    if cases > walked {
        products.push(("points anywhere, with their neighbours".to_owned(), cases.saturating_sub(walked)));
    }
    Ok(Proof { cases, products, invariants: held, judged_twice, effort: Effort::default() })
}
