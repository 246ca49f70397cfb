//! Words: the names that fields and labels go by, and what they have in common.

/// The words of a name, lower case: `unitPrice`, `unit-price` and `Unit price` are the same two.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(Vec<String>);

/// How well a label names a field.
pub(crate) type Score = u32;

/// The label is exactly the field's name.
pub(crate) const EXACT: Score = 100;

impl Name {
    pub(crate) fn of(text: &str) -> Self {
        let mut words = Vec::new();
        let mut word = String::new();
        let mut small = false;
        for c in text.chars().take(200) {
            if !c.is_alphanumeric() || (c.is_uppercase() && small) {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
            if c.is_alphanumeric() {
                word.extend(c.to_lowercase());
            }
            small = c.is_lowercase();
        }
        words.extend((!word.is_empty()).then_some(word));
        Self(words)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How well `label` names what this is the name of: the same words, or all of them and a few more; else nothing.
    pub(crate) fn score(&self, label: &Self) -> Option<Score> {
        if self.is_empty() || label.is_empty() {
            return None;
        }
        if self.0.iter().map(|word| singular(word)).eq(label.0.iter().map(|word| singular(word)))
            || self.0.concat() == label.0.concat()
        {
            return Some(EXACT);
        }
        let held = self.0.iter().all(|word| label.0.iter().any(|other| singular(other) == singular(word)));
        let more = label.0.len().saturating_sub(self.0.len());
        (held && more <= 4).then(|| 60 - u32::try_from(more).unwrap_or(60) * 5)
    }

    /// The name without the words of `title`, as `product_name` of a `Product`.
    pub(crate) fn without(&self, title: &Self) -> Option<Self> {
        let rest: Vec<String> = self.0.iter().filter(|word| !title.0.contains(word)).cloned().collect();
        (!rest.is_empty() && rest.len() < self.0.len()).then_some(Self(rest))
    }
}

fn singular(word: &str) -> &str {
    if word.len() > 3 { word.strip_suffix('s').unwrap_or(word) } else { word }
}

/// White space as one space, nothing at the ends.
pub(crate) fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Whether a character shows nothing and changes what is shown or compared: marks of direction, controls, soft hyphens. Joiners, which
/// some scripts are spelled with, are kept.
pub(crate) fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || (c.is_control() && !c.is_whitespace())
}

/// At most `most` characters of `text`, on one line, for a message.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let line: String = collapse(text).chars().filter(|c| !is_invisible(*c)).collect();
    if line.chars().count() <= most {
        return line;
    }
    line.chars().take(most).chain(['…']).collect()
}
