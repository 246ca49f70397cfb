//! Elements of like shape: cards of a list, entries of an index, a heading and what follows it, over and over.
//!
//! Two elements are alike when they share at least half of the paths (names and classes, four levels) that lead down from them: the Jaccard
//! index of the two sets. Lists of the same shape in several places are one group.

use std::collections::{BTreeMap, BTreeSet};

use scraper::ElementRef;

use super::labels::{Labels, first};
use super::{Candidate, Group};
use crate::Ask;
use crate::convert::Context;
use crate::page::Page;
use crate::page::text::{is_unseen, shown};

/// Fewer are no list.
const LEAST: usize = 2;
/// Levels below an element that make its shape, and paths of it.
const LEVELS: usize = 4;
const PATHS_MAX: usize = 64;
/// Elements that are never a record: parts of a text, of a table, or of what surrounds the content.
const NEVER: [&str; 16] = [
    "td", "th", "br", "option", "script", "style", "meta", "link", "col", "b", "i", "em", "strong", "code",
    "path", "source",
];
/// Shapes among the children of one element.
const SHAPES_MAX: usize = 16;
/// Elements that may lead what follows them.
const LEADERS: [&str; 7] = ["dt", "h1", "h2", "h3", "h4", "h5", "h6"];
/// Lists that are looked at on one page, those with the most elements first.
const LISTS_MAX: usize = 200;

/// The shape of an element.
type Shape = BTreeSet<u64>;

/// Records of like shape: each is one element, or several that follow each other.
struct List<'p> {
    name: String,
    shape: Shape,
    records: Vec<Vec<ElementRef<'p>>>,
}

pub(super) fn groups(pages: &[Page<'_>], ask: &Ask) -> Vec<Group> {
    let need = need(ask);
    let mut all: Vec<Group> = Vec::new();
    for (number, page) in pages.iter().enumerate() {
        let mut lists = lists(page);
        // The order of the document decides between lists of the same length.
        lists.sort_by_key(|list| std::cmp::Reverse(list.records.len()));
        lists.truncate(LISTS_MAX);
        for list in lists {
            let sample = list.records.iter().take(3).any(|record| {
                let labels = Labels::of(record);
                ask.shape.fields.iter().filter(|field| labels.has(field)).count() >= need
            });
            if !sample {
                continue;
            }
            let context = Context { page, hints: &ask.hints };
            for record in &list.records {
                let labels = Labels::of(record);
                let found = ask.shape.fields.iter().map(|field| labels.find(context, field, ask)).collect();
                let Some(element) = first(record) else { continue };
                let candidate = Candidate { page: number, element, pointer: None, found };
                super::add(&mut all, &format!("`{}`", list.name), false, candidate);
            }
        }
    }
    all
}

/// How many fields must be there before a list is read at all.
fn need(ask: &Ask) -> usize {
    crate::judge::need(&ask.shape)
}

/// Every list of `page`.
fn lists<'p>(page: &'p Page<'_>) -> Vec<List<'p>> {
    let mut lists: BTreeMap<String, Vec<List<'p>>> = BTreeMap::new();
    let mut order = Vec::new();
    let Some(root) = page.root() else { return Vec::new() };
    for parent in shown(root, usize::MAX) {
        let children: Vec<ElementRef<'p>> =
            parent.child_elements().filter(|child| !is_unseen(*child)).collect();
        for (name, records) in alike(&children).into_iter().chain(led(&children)) {
            let Some(head) = records.first().and_then(|record| record.first()) else { continue };
            let shape = shape(*head);
            let same = lists.entry(name.clone()).or_default();
            let full = same.len() >= SHAPES_MAX;
            match same.iter_mut().find(|list| resembles(&list.shape, &shape)) {
                Some(list) => list.records.extend(records),
                // One alone is found again only where the same name stands elsewhere.
                None if !full => {
                    order.push((name.clone(), same.len()));
                    same.push(List { name, shape, records });
                }
                None => {}
            }
        }
    }
    let mut found = Vec::new();
    let mut lists: BTreeMap<String, Vec<Option<List<'p>>>> =
        lists.into_iter().map(|(name, lists)| (name, lists.into_iter().map(Some).collect())).collect();
    for (name, at) in order {
        let list = lists.get_mut(&name).and_then(|lists| lists.get_mut(at)).and_then(Option::take);
        found.extend(list.filter(|list| list.records.len() >= LEAST).map(|mut list| {
            if at > 0 {
                list.name = format!("{} ({})", list.name, at + 1);
            }
            list
        }));
    }
    found
}

/// Children of like shape.
fn alike<'p>(children: &[ElementRef<'p>]) -> Vec<(String, Vec<Vec<ElementRef<'p>>>)> {
    let mut groups: Vec<(&str, Shape, Vec<Vec<ElementRef<'p>>>)> = Vec::new();
    for child in children.iter().filter(|child| !NEVER.contains(&child.value().name())) {
        let tag = child.value().name();
        let shape = shape(*child);
        let full = groups.len() >= SHAPES_MAX;
        let known = groups.iter_mut().find(|(_, known, records)| {
            let same = records.first().and_then(|record| record.first());
            same.is_some_and(|first| first.value().name() == tag) && resembles(known, &shape)
        });
        match known {
            Some((_, _, records)) => records.push(vec![*child]),
            None if !full => groups.push((tag, shape, vec![vec![*child]])),
            None => {}
        }
    }
    groups
        .into_iter()
        .map(|(_, _, records)| (spell(&records), records))
        .filter(|(name, records)| records.len() >= LEAST || name.contains('.'))
        .collect()
}

/// A heading or term with what follows it up to the next one.
fn led<'p>(children: &[ElementRef<'p>]) -> Option<(String, Vec<Vec<ElementRef<'p>>>)> {
    let leader = children.iter().find(|child| LEADERS.contains(&child.value().name()))?.value().name();
    let mut records: Vec<Vec<ElementRef<'p>>> = Vec::new();
    for child in children {
        if child.value().name() == leader {
            records.push(vec![*child]);
        } else if let Some(last) = records.last_mut() {
            last.push(*child);
        }
    }
    let follows = records.iter().filter(|record| record.len() > 1).count();
    (records.len() >= LEAST && follows * 2 >= records.len())
        .then(|| (format!("{leader} and what follows"), records))
}

/// Name, and the classes that all of them have.
fn spell(records: &[Vec<ElementRef<'_>>]) -> String {
    let mut all = records.iter().flatten();
    let Some(first) = all.next() else { return String::new() };
    let mut classes: Vec<&str> = first.value().classes().collect();
    for element in all {
        classes.retain(|class| element.value().classes().any(|other| other == *class));
    }
    let mut name = first.value().name().to_owned();
    for class in classes.iter().take(4) {
        name.push('.');
        name.push_str(class);
    }
    name
}

/// The paths that lead down from `element`.
fn shape(element: ElementRef<'_>) -> Shape {
    let mut paths = Shape::new();
    let mut open = vec![(element, 0_usize, 0_u64)];
    while let Some((element, level, above)) = open.pop() {
        // What the record itself is called may differ: `card` and `active card`.
        let class = element.value().classes().next().filter(|_| level > 0).unwrap_or_default();
        let path = mix(above, element.value().name(), class);
        paths.insert(path);
        if paths.len() >= PATHS_MAX {
            break;
        }
        if level < LEVELS {
            let before = open.len();
            open.extend(element.child_elements().take(PATHS_MAX).map(|child| (child, level + 1, path)));
            open[before..].reverse();
        }
    }
    paths
}

/// FNV-1a over the name and the first class, on top of the path above.
fn mix(above: u64, name: &str, class: &str) -> u64 {
    let bytes = name.bytes().chain([b'.']).chain(class.bytes());
    bytes.fold(above ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

fn resembles(left: &Shape, right: &Shape) -> bool {
    let shared = left.intersection(right).count();
    shared * 2 >= left.len() + right.len() - shared
}
