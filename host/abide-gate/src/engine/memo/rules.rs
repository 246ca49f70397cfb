//! Takes a joined module apart into rules, each with what it reads: parts of the input, and other rules.
//!
//! What is read is told by the tokens of the text, as the engine's own lexer gives them. A rule reads everything below each path that begins
//! with `input`; where the word stands alone it reads all of it, and then the module is not taken apart. So the answer of a rule follows
//! from what is listed here, however it goes about it: by a loop, a function, or a whole object that it hands on.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Lexer, Source, TokenKind};

use crate::engine::link::{self, DOCUMENT, Joined};

/// Where a unit finds the answers of other rules.
pub(super) const ANSWERS: &str = "answers__";
/// What a unit answers with.
const ANSWER: &str = "answer__";

/// One rule with the functions that it calls: a module of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) name: String,
    /// The module.
    pub(super) text: String,
    /// Paths below `input`, none below another.
    pub(super) reads: Vec<Vec<String>>,
    /// Rules whose answers it needs, by name.
    pub(super) needs: Vec<String>,
}

/// The rule to ask a unit for.
pub(super) fn entrypoint() -> String {
    format!("data.{}.{ANSWER}", link::PACKAGE)
}

/// What stands in the text of a rule.
#[derive(Debug, Default)]
struct Mentions {
    names: BTreeSet<String>,
    reads: BTreeSet<Vec<String>>,
}

#[derive(Debug, Default)]
struct Written {
    text: String,
    is_function: bool,
    mentions: Mentions,
}

/// The rules that the answer comes from, each behind those that it needs, the one that answers last. `None` if the module cannot be taken
/// apart.
pub(super) fn take_apart(joined: &Joined) -> Option<Vec<Rule>> {
    let mut all: BTreeMap<&str, Written> = BTreeMap::new();
    for rule in &joined.rules {
        let text = joined.text.get(rule.place.clone())?;
        let known = all.entry(&rule.root).or_default();
        known.text.push_str(text);
        known.text.push('\n');
        known.is_function |= rule.is_function;
    }
    for (root, written) in &mut all {
        written.mentions = mentions(&written.text)?;
        written.mentions.names.remove(*root);
    }
    let entrypoint = link::entrypoint();
    let (_, root) = entrypoint.rsplit_once('.')?;
    let mut order = Order { all: &all, rules: Vec::new(), done: BTreeSet::new(), open: BTreeSet::new() };
    order.visit(root)?;
    Some(order.rules)
}

struct Order<'a> {
    all: &'a BTreeMap<&'a str, Written>,
    rules: Vec<Rule>,
    done: BTreeSet<String>,
    open: BTreeSet<String>,
}

impl Order<'_> {
    fn visit(&mut self, name: &str) -> Option<()> {
        if self.done.contains(name) {
            return Some(());
        }
        if !self.open.insert(name.to_owned()) {
            return None;
        }
        let rule = self.rule(name)?;
        for needed in &rule.needs {
            self.visit(needed)?;
        }
        self.done.insert(name.to_owned());
        self.rules.push(rule);
        Some(())
    }

    /// The rule with all functions that it calls, by whatever way.
    fn rule(&self, name: &str) -> Option<Rule> {
        let (mut reads, mut needs, mut texts) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        let (mut pending, mut taken) = (vec![name], BTreeSet::from([name]));
        while let Some(next) = pending.pop() {
            let written = self.all.get(next)?;
            texts.push(written.text.as_str());
            reads.extend(&written.mentions.reads);
            for other in &written.mentions.names {
                let Some((other, known)) = self.all.get_key_value(other.as_str()) else { continue };
                if !known.is_function {
                    needs.insert(*other);
                } else if taken.insert(other) {
                    pending.push(other);
                }
            }
        }
        let head = format!("package {}\n{DOCUMENT} := data.{DOCUMENT}\n{ANSWER} := {name}\n", link::PACKAGE);
        let answers = needs.iter().map(|need| format!("{need} := input.{ANSWERS}.{need}\n"));
        let text = [head].into_iter().chain(answers).chain(texts.into_iter().map(str::to_owned)).collect();
        let reads = outermost(&reads);
        let needs = needs.into_iter().map(str::to_owned).collect();
        Some(Rule { name: name.to_owned(), text, reads, needs })
    }
}

/// The paths that are not below another one.
fn outermost(reads: &BTreeSet<&Vec<String>>) -> Vec<Vec<String>> {
    let covered =
        |path: &[String]| (0..path.len()).any(|end| reads.iter().any(|other| path.get(..end) == Some(other)));
    reads.iter().filter(|path| !covered(path)).map(|path| (*path).clone()).collect()
}

/// Names and paths in a text. `None` where the input as a whole, the data as a whole, or another input is spoken of.
fn mentions(text: &str) -> Option<Mentions> {
    let source = Source::from_contents("rule".to_owned(), text.to_owned()).ok()?;
    let mut lexer = Lexer::new(&source);
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next_token().ok()?;
        if token.0 == TokenKind::Eof {
            break;
        }
        tokens.push(token);
    }
    let text_of = |at: usize| tokens.get(at).map(|token| token.1.text());
    let touches = |at: usize, next: usize| {
        tokens.get(at).zip(tokens.get(next)).is_some_and(|(one, other)| one.1.end == other.1.start)
    };
    let mut found = Mentions::default();
    for (at, token) in tokens.iter().enumerate() {
        let is_field = at.checked_sub(1).is_some_and(|before| text_of(before) == Some("."));
        if token.0 != TokenKind::Ident || is_field {
            continue;
        }
        match token.1.text() {
            "data" | "with" | "import" => return None,
            "input" => {
                let (mut path, mut last) = (Vec::new(), at);
                loop {
                    let (dot, field) = (last.saturating_add(1), last.saturating_add(2));
                    let goes_on = text_of(dot) == Some(".") && touches(last, dot) && touches(dot, field);
                    let name = tokens.get(field).filter(|token| goes_on && token.0 == TokenKind::Ident);
                    let Some(name) = name else { break };
                    path.push(name.1.text().to_owned());
                    last = field;
                }
                if path.is_empty() || path.first().is_some_and(|first| first == ANSWERS) {
                    return None;
                }
                found.reads.insert(path);
            }
            name => drop(found.names.insert(name.to_owned())),
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests;
