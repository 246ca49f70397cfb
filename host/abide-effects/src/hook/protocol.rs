//! What git tells its hooks, parsed strictly: githooks(5), "update" and "reference-transaction".

use abide_core::id::Oid;

/// How far a reference transaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Before the locks are taken (git 2.52 and later). Values are not settled yet.
    Preparing,
    /// All references are locked. Refusing here stops the transaction.
    Prepared,
    /// It is done; nothing can be stopped.
    Committed,
    /// It was given up.
    Aborted,
}

/// What a reference holds or is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An object; zero for none, and for "whatever it is" on the old side.
    Object(Oid),
    /// Another reference (git 2.46 and later).
    Symbolic(String),
}

/// One reference of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefUpdate {
    /// Full name, `HEAD` or another pseudo-reference.
    pub name: String,
    /// What the caller expects.
    pub old: Value,
    /// What it is to hold.
    pub new: Value,
}

/// Something that git does not say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// Another word for the phase.
    #[error("`{}` is not a phase of a reference transaction", .0.escape_default())]
    Phase(String),
    /// A line that is not `<old> <new> <name>`.
    #[error("line {0} of the transaction is not `<old> <new> <name>`")]
    Line(usize),
    /// An object id of another kind.
    #[error("`{}` is not a SHA-1 object id", .0.escape_default())]
    Object(String),
}

impl Phase {
    /// The hook's first argument.
    pub fn parse(word: &str) -> Result<Self, ProtocolError> {
        match word {
            "preparing" => Ok(Self::Preparing),
            "prepared" => Ok(Self::Prepared),
            "committed" => Ok(Self::Committed),
            "aborted" => Ok(Self::Aborted),
            _ => Err(ProtocolError::Phase(word.chars().take(40).collect())),
        }
    }
}

impl Value {
    pub(super) fn parse(word: &str) -> Result<Self, ProtocolError> {
        if let Some(target) = word.strip_prefix("ref:") {
            return Ok(Self::Symbolic(target.to_owned()));
        }
        word.parse().map(Self::Object).map_err(|_| ProtocolError::Object(word.chars().take(80).collect()))
    }

    /// For people: the first digits, or the name.
    pub fn short(&self) -> &str {
        match self {
            Self::Object(oid) => oid.short(),
            Self::Symbolic(name) => name,
        }
    }
}

/// The hook's standard input. Names that are not UTF-8 are refused: none of ours is, and a guess could be another reference.
pub(super) fn parse(input: &[u8]) -> Result<Vec<RefUpdate>, ProtocolError> {
    if input.is_empty() {
        return Ok(Vec::new());
    }
    let lines = input.strip_suffix(b"\n").ok_or(ProtocolError::Line(1))?;
    lines
        .split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| parse_line(index.saturating_add(1), line))
        .collect()
}

fn parse_line(number: usize, line: &[u8]) -> Result<RefUpdate, ProtocolError> {
    let bad = || ProtocolError::Line(number);
    let line = std::str::from_utf8(line).map_err(|_| bad())?;
    let mut words = line.split(' ');
    let (Some(old), Some(new), Some(name), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(bad());
    };
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(bad());
    }
    Ok(RefUpdate { name: name.to_owned(), old: Value::parse(old)?, new: Value::parse(new)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "1111111111111111111111111111111111111111";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    #[test]
    fn lines_are_read_as_git_writes_them() {
        let input = format!("{ZERO} {X} refs/heads/main\n{ZERO} ref:refs/heads/main HEAD\n");
        let updates = parse(input.as_bytes()).unwrap();
        assert_eq!(updates[0].new, Value::Object(X.parse().unwrap()));
        assert_eq!(updates[1].new, Value::Symbolic("refs/heads/main".to_owned()));
        assert_eq!(parse(b"").unwrap(), []);
    }

    #[test]
    fn anything_else_is_refused() {
        let sha256 = "1".repeat(64);
        for input in [
            format!("{ZERO} {X} refs/heads/main"),
            format!("{ZERO} {X}\n"),
            format!("{ZERO} {X} refs/heads/main extra\n"),
            format!("{ZERO}  {X} refs/heads/main\n"),
            format!("{sha256} {sha256} refs/heads/main\n"),
            format!("{ZERO} {X} refs/heads/\u{7}main\n"),
            format!("{ZERO} {X} \n"),
            "\n".to_owned(),
        ] {
            assert!(parse(input.as_bytes()).is_err(), "{input:?}");
        }
        assert!(parse(&[&b"x y "[..], b"\xff\n"].concat()).is_err());
        assert!(Phase::parse("preparedx").is_err());
    }
}
