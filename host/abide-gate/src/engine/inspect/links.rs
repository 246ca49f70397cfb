//! What joining the modules would replace, found while they are inspected.

use regorus::unstable::{Expr, Span};

use super::{Walk, place};
use crate::engine::link::{self, Edit};

/// Obstacles of one module that are kept.
const OBSTACLES_MAX: usize = 100;

impl Walk<'_> {
    pub(super) fn edit(&mut self, from: &Span, end: u32, text: String) {
        self.links.edits.insert(Edit { start: from.start, end, text });
    }

    pub(super) fn obstacle(&mut self, span: &Span, why: &'static str) {
        if self.links.obstacles.len() < OBSTACLES_MAX {
            self.links.obstacles.push((place(span), why));
        }
    }

    /// `input` under another name is called `input` again.
    pub(super) fn link_input(&mut self, expr: &Expr, before: &[String]) {
        let Some((root, _)) = spine(expr) else { return };
        if root.text() != "input" {
            let text = format!("input{}", brackets(before.iter().map(String::as_str)));
            self.edit(root, root.end, text);
        }
    }

    /// A function gets the name that it has in the joined module.
    pub(super) fn link_call(&mut self, function: &Expr, path: &[String]) {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        let root = spine(function).map_or(0, |(_, ends)| parts.len().saturating_sub(ends.len()));
        self.link_data(function, &parts, root);
    }

    /// A path below `data`. `before` of its parts are those of an import.
    pub(super) fn link_data(&mut self, expr: &Expr, path: &[&str], before: usize) {
        let Some((root, ends)) = spine(expr) else { return };
        if path == ["abide", "layers"] {
            let only_findings = self.links.loud.contains(&root.start);
            let text = link::layers_name(only_findings).to_owned();
            return self.replace(root, &ends, before, path.len(), text);
        }
        if let Some(length) = self.names.root_on(path) {
            let (name, field) = path.split_at(length);
            let name = link::name(name);
            if length <= before {
                let rest = field.iter().take(before.saturating_sub(length)).copied();
                return self.edit(root, root.end, format!("{name}{}", brackets(rest)));
            }
            return self.replace(root, &ends, before, length, name);
        }
        // A document of data, or a package as a whole. The second is only known while judging.
        let known = !path.is_empty() && !self.names.reaches(path);
        if !known {
            return self.obstacle(root, "a package is read as a whole");
        }
        let text = format!("{}{}", link::DOCUMENT, brackets(path.iter().take(before).copied()));
        self.edit(root, root.end, text);
    }

    /// Replaces the root and the parts of `expr` up to the `length`th part of the path.
    fn replace(&mut self, root: &Span, ends: &[Option<u32>], before: usize, length: usize, text: String) {
        let end = match length.checked_sub(before) {
            Some(0) => Some(root.end),
            Some(parts) => ends.get(parts.saturating_sub(1)).copied().flatten(),
            None => None,
        };
        match end {
            Some(end) => self.edit(root, end, text),
            None => self.obstacle(root, "a rule is named in brackets"),
        }
    }
}

/// The root of a reference, and where each part of it ends; in brackets that is not known.
#[expect(clippy::wildcard_enum_match_arm, reason = "anything else is not part of a reference")]
fn spine(mut expr: &Expr) -> Option<(&Span, Vec<Option<u32>>)> {
    let mut ends = Vec::new();
    loop {
        match expr {
            Expr::Var { span, .. } => {
                ends.reverse();
                return Some((span, ends));
            }
            Expr::RefDot { refr, field, .. } => {
                ends.push(Some(field.0.end));
                expr = refr;
            }
            Expr::RefBrack { refr, .. } => {
                ends.push(None);
                expr = refr;
            }
            _ => return None,
        }
    }
}

fn brackets<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.fold(String::new(), |path, part| format!("{path}[{part:?}]"))
}
