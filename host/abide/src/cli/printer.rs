//! The one place that writes to the terminal: data on stdout, talk on stderr, colour only where it carries meaning.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It went through.
    Good,
    /// It waits.
    Wait,
    /// It was refused.
    Bad,
    /// It is in the background.
    Faint,
}

/// Writes for a person or for a program.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    json: bool,
    colour: bool,
    terminal: bool,
    width: usize,
}

impl Printer {
    /// A printer for this process's stdout and stderr.
    pub(crate) fn new(json: bool, no_colour: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        let width = rustix::termios::tcgetwinsize(std::io::stdout())
            .map_or(80, |size| usize::from(size.ws_col))
            .clamp(60, 120);
        Self { json, colour: terminal && !no_colour, terminal, width }
    }

    /// Columns of the terminal.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Whether colour may be used.
    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    /// `text` in the colour of `tone`.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Wait => "33",
            Tone::Bad => "31",
            Tone::Faint => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// One line of data for a person, broken between words on a terminal; nothing when a program reads.
    pub(crate) fn line(&self, text: &str) {
        if self.terminal {
            self.exact(&wrapped(text, self.width));
        } else {
            self.exact(text);
        }
    }

    /// The same as it is, however long: what is drawn, or a line of a file.
    pub(crate) fn exact(&self, text: &str) {
        if !self.json {
            write_out(&format!("{text}\n"));
        }
    }

    /// Empties the screen; nothing where there is none.
    pub(crate) fn clear(&self) {
        if self.terminal && !self.json {
            write_out("\u{1b}[2J\u{1b}[H");
        }
    }

    /// A remark that only someone at a terminal needs.
    pub(crate) fn aside(&self, text: &str) {
        if self.terminal && !self.json {
            write_out(&format!("{}\n", self.paint(Tone::Faint, text)));
        }
    }

    /// The data for a program; nothing when a person reads.
    pub(crate) fn data(&self, value: &serde_json::Value) {
        if self.json {
            write_out(&format!("{value}\n"));
        }
    }

    /// Bytes to stdout as they are, for both.
    #[expect(clippy::unused_self, reason = "whoever writes has been given the printer")]
    pub(crate) fn raw(&self, bytes: &str) {
        write_out(bytes);
    }

    /// Talk, on stderr.
    #[expect(clippy::unused_self, reason = "whoever writes has been given the printer")]
    pub(crate) fn talk(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        // Nobody is left to tell when stderr is closed.
        drop(writeln!(stderr, "{text}"));
    }

    /// A bar that fills as work is done; silent when piped.
    pub(crate) fn bar(&self, what: &str, total: usize) -> Busy {
        let busy = self.busy(what);
        if let Some(bar) = &busy.0 {
            bar.set_length(u64::try_from(total).unwrap_or(u64::MAX));
            if let Ok(style) =
                ProgressStyle::with_template("{spinner} {msg} {bar:30} {human_pos}/{human_len} {eta}")
            {
                bar.set_style(style);
            }
        }
        busy
    }

    /// A spinner that says what is being done; silent when piped.
    pub(crate) fn busy(&self, what: &str) -> Busy {
        let bar = (self.terminal && !self.json && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new_spinner().with_message(what.to_owned());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Busy(bar)
    }
}

/// A spinner or bar that goes away when dropped.
#[derive(Debug)]
pub(crate) struct Busy(Option<ProgressBar>);

impl Busy {
    /// So much more was done.
    pub(crate) fn add(&self, done: usize) {
        if let Some(bar) = &self.0 {
            bar.inc(u64::try_from(done).unwrap_or(u64::MAX));
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Columns of a heading at most, below whose text the next line begins.
const HEADING_MAX: usize = 28;

/// Each line of `text` in lines of at most `width` columns. What is carried over stands below the text that it belongs to.
fn wrapped(text: &str, width: usize) -> String {
    let lines = text.lines().map(|line| {
        if textwrap::core::display_width(line) <= width {
            return line.to_owned();
        }
        let hanging = hanging(line);
        // A heading with one long word (a key, a digest) stays on one line: broken, it could not be told from two.
        if !line.chars().skip(hanging).collect::<String>().trim().contains(' ') {
            return line.to_owned();
        }
        let indent = " ".repeat(hanging);
        // What a person copies (a path, an address) is not broken inside.
        let options = textwrap::Options::new(width)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation);
        textwrap::fill(line, options)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Where the text of a line begins: behind its heading, or two columns further in than the line.
fn hanging(line: &str) -> usize {
    let lead = line.len().saturating_sub(line.trim_start_matches(' ').len());
    let behind = line.get(lead..).and_then(|rest| {
        let gap = rest.find("  ")?;
        let spaces = rest.get(gap..)?;
        let text = spaces.trim_start_matches(' ');
        let column = textwrap::core::display_width(rest.get(..rest.len().checked_sub(text.len())?)?);
        Some(lead.saturating_add(column)).filter(|column| *column <= HEADING_MAX)
    });
    behind.unwrap_or_else(|| lead.saturating_add(2))
}

fn write_out(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // A closed pipe (`ab queue | head`) is the reader's choice, not a fault.
    drop(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_below_their_text() {
        let card =
            "why it stopped   needs-human: WRITE at A1 waits for a person who has the time to look at it";
        assert_eq!(
            wrapped(card, 60),
            "why it stopped   needs-human: WRITE at A1 waits for a person\n                 who has the time to look at it"
        );
        assert_eq!(wrapped("         a b c d e f", 16), "         a b c d\n           e f");
        assert_eq!(wrapped("short\n\nlines", 60), "short\n\nlines");
        let key = format!("log key          {}", "x".repeat(80));
        assert_eq!(wrapped(&key, 60), key);
        // Colour has no width.
        let painted = format!("\u{1b}[32m{}\u{1b}[0m", "a".repeat(58));
        assert_eq!(wrapped(&painted, 60), painted);
    }
}
