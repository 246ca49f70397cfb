//! Which lines differ, within a bound of work.
//!
//! Up to [`EDITS_MAX`] edits the diff is the shortest there is (E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986),
//! as `git diff --numstat` counts. Beyond, lines that are unique on both sides split the texts and the parts are compared alone (Bram
//! Cohen's patience diff). What is still too dear counts as replaced: any such answer is a true diff, with more lines than needed. No
//! library that we know bounds its work without a clock on lines that are made to be dear (few distinct ones, many of each).

use std::collections::BTreeMap;
use std::ops::Range;

/// Edits up to which a part is compared exactly.
const EDITS_MAX: usize = 1000;

/// Steps that are left for all diffs of one change.
#[derive(Debug)]
pub(crate) struct Work(pub(crate) u64);

impl Work {
    /// Takes `steps` of what is left, if there is so much.
    fn take(&mut self, steps: usize) -> bool {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

/// For each line of both sides, whether it differs.
pub(crate) struct LineDiff {
    pub(crate) removed: Vec<bool>,
    pub(crate) added: Vec<bool>,
    /// Nothing was given up for want of work.
    pub(crate) exact: bool,
}

/// A part of both sides.
#[derive(Clone)]
struct Part {
    old: Range<usize>,
    new: Range<usize>,
}

/// Compares two lists of lines.
pub(crate) fn diff(old: &[&[u8]], new: &[&[u8]], work: &mut Work) -> LineDiff {
    let (old, new) = named(old, new);
    let mut result = LineDiff { removed: vec![false; old.len()], added: vec![false; new.len()], exact: true };
    let mut parts = vec![Part { old: 0..old.len(), new: 0..new.len() }];
    while let Some(part) = parts.pop() {
        let part = without_common_ends(part, &old, &new);
        let (a, b) = (slice(&old, &part.old), slice(&new, &part.new));
        if a.is_empty() || b.is_empty() {
            result.replace(&part);
        } else if let Some(edits) = shortest(a, b, work) {
            for edit in edits {
                match edit {
                    Edit::Removed(at) => mark(&mut result.removed, part.old.start.saturating_add(at)),
                    Edit::Added(at) => mark(&mut result.added, part.new.start.saturating_add(at)),
                }
            }
        } else if work.take(a.len().saturating_add(b.len()).saturating_mul(16))
            && let Some(split) = split_at_unique(&part, a, b)
        {
            parts.extend(split);
        } else {
            result.exact = false;
            result.replace(&part);
        }
    }
    result
}

impl LineDiff {
    fn replace(&mut self, part: &Part) {
        part.old.clone().for_each(|at| mark(&mut self.removed, at));
        part.new.clone().for_each(|at| mark(&mut self.added, at));
    }
}

fn mark(flags: &mut [bool], at: usize) {
    if let Some(flag) = flags.get_mut(at) {
        *flag = true;
    }
}

fn slice<'a>(names: &'a [u32], range: &Range<usize>) -> &'a [u32] {
    names.get(range.clone()).unwrap_or_default()
}

/// Gives equal lines equal numbers.
fn named<'a>(old: &[&'a [u8]], new: &[&'a [u8]]) -> (Vec<u32>, Vec<u32>) {
    let mut names: BTreeMap<&[u8], u32> = BTreeMap::new();
    let mut name = |line: &'a [u8]| {
        let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
        *names.entry(line).or_insert(next)
    };
    (old.iter().copied().map(&mut name).collect(), new.iter().copied().map(&mut name).collect())
}

fn without_common_ends(mut part: Part, old: &[u32], new: &[u32]) -> Part {
    let (mut a, mut b) = (slice(old, &part.old), slice(new, &part.new));
    while let ([x, a_rest @ ..], [y, b_rest @ ..]) = (a, b)
        && x == y
    {
        (a, b) = (a_rest, b_rest);
        part.old.start = part.old.start.saturating_add(1);
        part.new.start = part.new.start.saturating_add(1);
    }
    while let ([a_rest @ .., x], [b_rest @ .., y]) = (a, b)
        && x == y
    {
        (a, b) = (a_rest, b_rest);
        part.old.end = part.old.end.saturating_sub(1);
        part.new.end = part.new.end.saturating_sub(1);
    }
    part
}

/// One line that differs, by its place in the part.
enum Edit {
    Removed(usize),
    Added(usize),
}

/// The shortest edit script, if it has at most [`EDITS_MAX`] edits and the work lasts.
///
/// `rounds[d][j]` is the furthest place in `old` reached with `d` edits on the diagonal `x - y = 2j - d`.
fn shortest(old: &[u32], new: &[u32], work: &mut Work) -> Option<Vec<Edit>> {
    if old.len().abs_diff(new.len()) > EDITS_MAX || !work.take(old.len().saturating_add(new.len())) {
        return None;
    }
    let mut rounds: Vec<Vec<usize>> = Vec::new();
    for edits in 0..=EDITS_MAX {
        let mut round = Vec::with_capacity(edits.saturating_add(1));
        for j in 0..=edits {
            let (mut x, _) = begin(rounds.last(), edits, j);
            let mut y = y_of(x, edits, j);
            let from = x;
            while let (Some(a), Some(b)) = (old.get(x), new.get(y))
                && a == b
            {
                (x, y) = (x.saturating_add(1), y.saturating_add(1));
            }
            round.push(x);
            if x == old.len() && y == new.len() {
                rounds.push(round);
                return Some(script(&rounds, j));
            }
            if !work.take(x.saturating_sub(from).saturating_add(1)) {
                return None;
            }
        }
        rounds.push(round);
    }
    None
}

/// Where a diagonal of a round begins, and whether a line of `new` was added to get there.
fn begin(before: Option<&Vec<usize>>, edits: usize, j: usize) -> (usize, bool) {
    let Some(before) = before else { return (0, false) };
    let left = j.checked_sub(1).and_then(|j| before.get(j)).copied();
    let up = before.get(j).copied().filter(|_| j < edits);
    match (left, up) {
        (Some(left), Some(up)) if left < up => (up, true),
        (Some(left), _) => (left.saturating_add(1), false),
        (None, up) => (up.unwrap_or(0), true),
    }
}

/// `y = x - (2j - d)`.
fn y_of(x: usize, edits: usize, j: usize) -> usize {
    x.saturating_add(edits).saturating_sub(j.saturating_mul(2))
}

fn script(rounds: &[Vec<usize>], mut j: usize) -> Vec<Edit> {
    let mut edits = Vec::with_capacity(rounds.len());
    for edit in (1..rounds.len()).rev() {
        let (x, added) = begin(rounds.get(edit.saturating_sub(1)), edit, j);
        if added {
            edits.push(Edit::Added(y_of(x, edit, j).saturating_sub(1)));
        } else {
            edits.push(Edit::Removed(x.saturating_sub(1)));
            j = j.saturating_sub(1);
        }
    }
    edits
}

/// The parts between lines that are there once on each side, in an order that both have; `None` if there is no such line.
fn split_at_unique(part: &Part, old: &[u32], new: &[u32]) -> Option<Vec<Part>> {
    let mut seen: BTreeMap<u32, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for (at, name) in old.iter().enumerate() {
        seen.entry(*name).or_default().0.push(at);
    }
    for (at, name) in new.iter().enumerate() {
        seen.entry(*name).or_default().1.push(at);
    }
    let mut pairs: Vec<(usize, usize)> = seen
        .into_values()
        .filter_map(|(old, new)| match (&old[..], &new[..]) {
            ([x], [y]) => Some((*x, *y)),
            _ => None,
        })
        .collect();
    pairs.sort_unstable();
    let anchors = longest_rising(&pairs);
    if anchors.is_empty() {
        return None;
    }
    let mut parts = Vec::with_capacity(anchors.len().saturating_add(1));
    let (mut x, mut y) = (part.old.start, part.new.start);
    for (old_at, new_at) in anchors {
        let (to_x, to_y) = (part.old.start.saturating_add(old_at), part.new.start.saturating_add(new_at));
        parts.push(Part { old: x..to_x, new: y..to_y });
        (x, y) = (to_x.saturating_add(1), to_y.saturating_add(1));
    }
    parts.push(Part { old: x..part.old.end, new: y..part.new.end });
    Some(parts)
}

/// The longest list of pairs in which the second number rises too; `pairs` rise in the first.
fn longest_rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // Patience sorting: `tops[n]` is the pair that ends the best list of n + 1 pairs.
    let mut tops: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let second = |index: &usize| pairs.get(*index).map_or(0, |(_, y)| *y);
    for (index, (_, y)) in pairs.iter().enumerate() {
        let pile = tops.partition_point(|top| second(top) < *y);
        before.push(pile.checked_sub(1).and_then(|pile| tops.get(pile)).copied());
        match tops.get_mut(pile) {
            Some(top) => *top = index,
            None => tops.push(index),
        }
    }
    let mut list = Vec::with_capacity(tops.len());
    let mut next = tops.last().copied();
    while let Some(index) = next {
        list.extend(pairs.get(index).copied());
        next = before.get(index).copied().flatten();
    }
    list.reverse();
    list
}

#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::format_collect,
    reason = "tests may fail loudly, and read better for it"
)]
mod tests;
