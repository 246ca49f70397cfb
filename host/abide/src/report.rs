//! The one place where errors become what a person reads: a code, what happened, why, and what to do next.

use std::error::Error;
use std::fmt;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde_json::json;

use crate::codes;
use crate::config::ConfigError;

/// How `ab` ends. The numbers are part of the contract (`ab --help`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// A fault.
    Fault,
    /// Wrong usage.
    Usage,
    /// Policy said no.
    Denied,
    /// Waits for a person.
    Waiting,
    /// Out of budget.
    Budget,
    /// The gate could not answer, so nothing happened.
    Gate,
    /// The kill switch is pulled.
    Halted,
    /// Evidence was refused.
    Evidence,
}

impl Exit {
    /// The number.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Fault => 1,
            Self::Usage => 2,
            Self::Denied => 3,
            Self::Waiting => 4,
            Self::Budget => 5,
            Self::Gate => 6,
            Self::Halted => 7,
            Self::Evidence => 8,
        }
    }
}

/// Something that ends a command. One pointer wide, because nearly every function may return it.
#[derive(Debug)]
pub(crate) struct Failure(Box<Told>);

/// What is told of a failure.
#[derive(Debug)]
pub(crate) struct Told {
    /// The code for `ab explain`.
    pub(crate) code: &'static str,
    /// What happened.
    pub(crate) what: String,
    /// What to do next.
    pub(crate) help: Option<String>,
    /// How the command ends.
    pub(crate) exit: Exit,
    cause: Option<Box<dyn Error + Send + Sync>>,
    source: Option<(NamedSource<String>, usize, String)>,
}

impl Failure {
    /// A failure with `code`.
    pub(crate) fn new(code: &'static str, what: impl Into<String>) -> Self {
        Self(Box::new(Told {
            code,
            what: what.into(),
            help: None,
            exit: Exit::Fault,
            cause: None,
            source: None,
        }))
    }

    /// A failure with the code and the words of `error`.
    pub(crate) fn of(code: &'static str, error: impl Error + Send + Sync + 'static) -> Self {
        let mut failure = Self::new(code, error.to_string());
        failure.0.cause = Some(Box::new(error));
        failure
    }

    /// Says what to do next.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Ends with `exit`.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.0.exit = exit;
        self
    }

    /// The failure on one JSON object.
    pub(crate) fn json(&self) -> serde_json::Value {
        json!({ "error": { "code": self.code, "message": self.what, "why": self.causes(), "help": self.advice(), "exit": self.exit.number() } })
    }

    /// The failure as rustc would show it.
    pub(crate) fn render(&self, colour: bool, width: usize) -> String {
        draw(self, colour, width).unwrap_or_else(|| format!("error[{}]: {}\n", self.code, self.what))
    }

    /// What to do next: what was said where it failed, or else what the code's page says.
    fn advice(&self) -> Option<String> {
        self.help.clone().or_else(|| codes::next(self.code))
    }

    /// The chain of causes that say something new.
    fn causes(&self) -> Vec<String> {
        let mut causes = Vec::new();
        let mut next: Option<&(dyn Error + 'static)> = self.cause.as_deref().and_then(|cause| cause.source());
        while let Some(cause) = next {
            let text = cause.to_string();
            if !text.is_empty() && causes.last() != Some(&text) && text != self.what {
                causes.push(text);
            }
            next = cause.source();
        }
        causes
    }
}

/// Anything with a place in a text, drawn for a person.
pub(crate) fn draw(shown: &dyn Diagnostic, colour: bool, width: usize) -> Option<String> {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_width(width).with_links(false).with_urls(false);
    let mut text = String::new();
    handler.render_report(&mut text, shown).ok().map(|()| text)
}

impl std::ops::Deref for Failure {
    type Target = Told;
    fn deref(&self) -> &Told {
        &self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().and_then(|cause| cause.source())
    }
}

impl Diagnostic for Failure {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let more = format!("ab explain {}", self.code);
        Some(Box::new(self.advice().map_or_else(|| more.clone(), |help| format!("{help}\n{more}"))))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|(source, _, _)| -> &dyn SourceCode { source })
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, offset, label) = self.source.as_ref()?;
        Some(Box::new(std::iter::once(LabeledSpan::at_offset(*offset, label))))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let what = error.to_string();
        match error {
            ConfigError::Shape { why, text, offset } => Self(Box::new(Told {
                code: "AB0010",
                what,
                help: Some(
                    "`ab.yml` is read from the target branch; `ab explain config` lists its keys".to_owned(),
                ),
                exit: Exit::Usage,
                cause: None,
                source: Some((NamedSource::new("ab.yml", text), offset.unwrap_or(0), why)),
            })),
            ConfigError::Value { .. } => Self::new("AB0011", what).exit(Exit::Usage),
        }
    }
}
