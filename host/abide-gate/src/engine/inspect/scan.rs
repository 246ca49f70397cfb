//! What is looked at before the parser sees a module: the parser recurses, so depth is bounded on the text.

use crate::engine::loader::BundleError;

/// Refuses text with more than `max` brackets open at once, or more than `max` minus signs in a row.
pub(crate) fn nesting(path: &str, text: &str, max: usize) -> Result<(), BundleError> {
    let (mut open, mut signs, mut deepest) = (0_usize, 0_usize, 0_usize);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '(' | '[' | '{' => open = open.saturating_add(1),
            ')' | ']' | '}' => open = open.saturating_sub(1),
            '"' => skip_text(&mut letters),
            '`' => while letters.next().is_some_and(|next| next != '`') {},
            '#' => while letters.next_if(|next| *next != '\n').is_some() {},
            _ => {}
        }
        match letter {
            '-' => signs = signs.saturating_add(1),
            _ if letter.is_whitespace() => {}
            _ => signs = 0,
        }
        deepest = deepest.max(open).max(signs);
    }
    if deepest <= max {
        return Ok(());
    }
    Err(BundleError::Limit { path: path.to_owned(), what: "levels of nesting", found: deepest, max })
}

fn skip_text(letters: &mut impl Iterator<Item = char>) {
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '"' | '\n' => return,
            _ => {}
        }
    }
}
