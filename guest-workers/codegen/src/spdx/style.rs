//! How each language writes a comment, and what it wants to see first.

/// A way to write comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    name: &'static str,
    open: &'static str,
    close: &'static str,
    data: bool,
}

const fn code(name: &'static str, open: &'static str, close: &'static str) -> Style {
    Style { name, open, close, data: false }
}

const fn data(name: &'static str, open: &'static str, close: &'static str) -> Style {
    Style { name, open, close, data: true }
}

impl Style {
    /// The style of a file, by its name; `None` for what is not a source file or has no comments.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        match name {
            "Makefile" | "makefile" | "GNUmakefile" => return Some(code("Make", "#", "")),
            "Dockerfile" | "Containerfile" => return Some(code("Dockerfile", "#", "")),
            "CMakeLists.txt" => return Some(code("CMake", "#", "")),
            "Rakefile" | "Gemfile" => return Some(code("Ruby", "#", "")),
            "BUILD" | "WORKSPACE" | "BUILD.bazel" | "WORKSPACE.bazel" => {
                return Some(code("Starlark", "#", ""));
            }
            _ => {}
        }
        let (stem, extension) = name.rsplit_once('.')?;
        if stem.is_empty() {
            return None;
        }
        Some(match extension {
            "rs" => code("Rust", "//", ""),
            "go" => code("Go", "//", ""),
            "js" | "mjs" | "cjs" | "jsx" => code("JavaScript", "//", ""),
            "ts" | "mts" | "cts" | "tsx" => code("TypeScript", "//", ""),
            "c" | "h" => code("C", "//", ""),
            "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" => code("C++", "//", ""),
            "java" => code("Java", "//", ""),
            "kt" | "kts" => code("Kotlin", "//", ""),
            "swift" => code("Swift", "//", ""),
            "scala" => code("Scala", "//", ""),
            "cs" => code("C#", "//", ""),
            "dart" => code("Dart", "//", ""),
            "php" => code("PHP", "//", ""),
            "proto" => code("Protocol Buffers", "//", ""),
            "zig" => code("Zig", "//", ""),
            "wit" => code("WIT", "//", ""),
            "groovy" | "gradle" => code("Groovy", "//", ""),
            "scss" | "less" => code("style sheet", "//", ""),
            "css" => code("style sheet", "/*", " */"),
            "py" | "pyi" => code("Python", "#", ""),
            "sh" | "bash" | "zsh" => code("shell", "#", ""),
            "rb" => code("Ruby", "#", ""),
            "pl" | "pm" => code("Perl", "#", ""),
            "r" | "R" => code("R", "#", ""),
            "jl" => code("Julia", "#", ""),
            "ex" | "exs" => code("Elixir", "#", ""),
            "nix" => code("Nix", "#", ""),
            "rego" => code("Rego", "#", ""),
            "tf" => code("Terraform", "#", ""),
            "cmake" => code("CMake", "#", ""),
            "mk" => code("Make", "#", ""),
            "bzl" => code("Starlark", "#", ""),
            "ps1" | "psm1" => code("PowerShell", "#", ""),
            "sql" => code("SQL", "--", ""),
            "lua" => code("Lua", "--", ""),
            "hs" => code("Haskell", "--", ""),
            "elm" => code("Elm", "--", ""),
            "erl" => code("Erlang", "%", ""),
            "tex" => code("TeX", "%", ""),
            "el" | "clj" | "cljs" | "scm" | "lisp" => code("Lisp", ";;", ""),
            "bat" | "cmd" => code("batch", "REM", ""),
            "vue" | "svelte" => code("component", "<!--", " -->"),
            "html" | "htm" => data("HTML", "<!--", " -->"),
            "xml" | "xsl" | "xsd" | "svg" => data("XML", "<!--", " -->"),
            "yaml" | "yml" => data("YAML", "#", ""),
            "toml" => data("TOML", "#", ""),
            _ => return None,
        })
    }

    /// For people.
    pub(super) fn name(self) -> &'static str {
        self.name
    }

    /// Whether it is data or markup rather than a program.
    pub(super) fn is_data(self) -> bool {
        self.data
    }

    /// `line` as a comment.
    pub(super) fn comment(self, line: &str) -> String {
        format!("{} {line}{}", self.open, self.close)
    }

    /// Where the first line begins that a comment may push down.
    pub(super) fn first_line_free(self, text: &str) -> usize {
        let mut at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        for (number, line) in text[at..].split_inclusive('\n').enumerate() {
            if !self.must_stay(number, line.trim()) {
                break;
            }
            at += line.len();
            // `<?xml … ?>` may span lines; so may `<!DOCTYPE …>`.
            if self.open == "<!--" && !line.contains('>') {
                at += text[at..].find('>').map_or(0, |end| end + 1);
                at += text[at..].find('\n').map_or(text.len() - at, |end| end + 1);
                break;
            }
        }
        at
    }

    /// Whether a line is only understood at the very beginning.
    fn must_stay(self, number: usize, line: &str) -> bool {
        if number == 0 && (line.starts_with("#!") && !line.starts_with("#![")) {
            return true;
        }
        // Emacs and Vim read the mode from the first lines; Python and Ruby the encoding from the first two (PEP 263).
        let is_comment = line.starts_with(self.open);
        if number < 2
            && is_comment
            && (line.contains("-*-") || line.contains("coding:") || line.contains("coding="))
        {
            return true;
        }
        let lower = line.to_ascii_lowercase();
        match self.name {
            "PHP" => number < 2 && lower.starts_with("<?php") && !lower.contains("?>"),
            "XML" => number < 3 && (lower.starts_with("<?xml") || lower.starts_with("<!doctype")),
            "HTML" => number < 3 && (lower.starts_with("<!doctype") || lower.starts_with("<?xml")),
            "Ruby" => {
                is_comment
                    && ["frozen_string_literal:", "warn_indent:", "typed:"]
                        .iter()
                        .any(|magic| lower.contains(magic))
            }
            "Dockerfile" => ["syntax", "escape", "check"].iter().any(|key| {
                let rest = lower.trim_start_matches('#').trim_start();
                is_comment && rest.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('='))
            }),
            "style sheet" => number == 0 && lower.starts_with("@charset"),
            "batch" => number == 0 && lower.starts_with("@echo"),
            "YAML" => {
                number == 0 && (lower.starts_with("%yaml") || lower.starts_with("# yaml-language-server"))
            }
            _ => false,
        }
    }
}
