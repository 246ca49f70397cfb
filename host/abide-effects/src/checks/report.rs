//! What a check's report says: which tests ran, and how each ended. The report is written by the code that is being judged, so what it says is held against
//! what it cannot leave out: the tests of the target branch, and one test that has to fail.
//!
//! LIMIT: code that runs inside of the harness and knows all of this can still write a report by hand. It takes aim; a mistake or an early exit does not pass.

use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// LIMIT: tests of one report, and bytes of one name.
const TESTS_MAX: usize = 200_000;
const NAME_BYTES_MAX: usize = 1024;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Test {
    /// It was left out.
    Skipped,
    /// It passed.
    Passed,
    /// It failed, or could not be run.
    Failed,
}

/// Tests by their ids. Of several with one id the worst counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tests(BTreeMap<String, Test>);

impl Tests {
    fn add(&mut self, id: &str, test: Test) -> Result<(), String> {
        if id.len() > NAME_BYTES_MAX || self.0.len() >= TESTS_MAX {
            return Err("the report has too many tests, or too long names".to_owned());
        }
        let slot = self.0.entry(id.to_owned()).or_insert(test);
        *slot = (*slot).max(test);
        Ok(())
    }

    /// XML of `JUnit`, as pytest, nextest and many others write it. No entity is expanded, no document fetched.
    pub(super) fn junit(text: &str) -> Result<Self, String> {
        let mut reader = Reader::from_str(text);
        let mut tests = Self::default();
        let mut open: Option<(String, Test)> = None;
        let (mut is_report, mut depth) = (false, 0_usize);
        loop {
            let event = reader.read_event().map_err(|error| format!("the report is no XML: {error}"))?;
            depth = match &event {
                Event::Start(_) => depth.saturating_add(1),
                Event::End(_) => depth.saturating_sub(1),
                Event::Empty(_)
                | Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_)
                | Event::Eof => depth,
            };
            match event {
                Event::Eof if is_report && depth == 0 => return Ok(tests),
                Event::Eof => return Err("the report breaks off, or is no JUnit report".to_owned()),
                Event::DocType(_) => {
                    return Err("the report has a DOCTYPE, which no JUnit report needs".to_owned());
                }
                Event::Start(tag) => match tag.local_name().as_ref() {
                    "testsuites" | "testsuite" => is_report = true,
                    "testcase" => open = Some((id(&tag)?, Test::Passed)),
                    name => worsen(&mut open, name),
                },
                Event::Empty(tag) => match tag.local_name().as_ref() {
                    "testsuites" | "testsuite" => is_report = true,
                    "testcase" => tests.add(&id(&tag)?, Test::Passed)?,
                    name => worsen(&mut open, name),
                },
                Event::End(tag) if tag.local_name().as_ref() == "testcase" => {
                    if let Some((id, test)) = open.take() {
                        tests.add(&id, test)?;
                    }
                }
                Event::End(_)
                | Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::GeneralRef(_) => {}
            }
        }
    }

    /// What `cargo test` prints: `test NAME ... ok`.
    pub(super) fn libtest(text: &str) -> Result<Self, String> {
        let mut tests = Self::default();
        for line in text.lines() {
            let Some((name, ended)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
            else {
                continue;
            };
            let result = match ended.split(',').next().unwrap_or_default().trim() {
                "ok" => Test::Passed,
                "ignored" => Test::Skipped,
                "FAILED" => Test::Failed,
                _ => continue,
            };
            tests.add(name.trim_end_matches(" - should panic"), result)?;
        }
        Ok(tests)
    }
}

fn worsen(open: &mut Option<(String, Test)>, tag: &str) {
    let ended = match tag {
        "failure" | "error" => Test::Failed,
        "skipped" => Test::Skipped,
        _ => return,
    };
    if let Some((_, test)) = open {
        // Passed is only what stands in no other list.
        *test = if *test == Test::Passed { ended } else { ended.max(*test) };
    }
}

fn id(tag: &BytesStart<'_>) -> Result<String, String> {
    let mut parts = [String::new(), String::new()];
    for attribute in tag.attributes() {
        let attribute = attribute.map_err(|error| format!("the report is no XML: {error}"))?;
        let slot = match attribute.key.local_name().as_ref() {
            "classname" => 0,
            "name" => 1,
            _ => continue,
        };
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| format!("the report is no XML: {error}"))?;
        if let Some(part) = parts.get_mut(slot) {
            *part = value.into_owned();
        }
    }
    Ok(parts.join("::"))
}

/// Whether a report shows that the tests ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Every test of the target branch ran, the one that had to fail did, and nothing else failed.
    Passed,
    /// These tests failed.
    Failed(Vec<String>),
    /// It counts for nothing, for this reason.
    Unproven(String),
}

/// Holds a report against the tests of the target branch, and against the test called `canary` that has to fail.
pub(super) fn judge(now: &Tests, before: &Tests, canary: Option<&str>, exit_ok: bool) -> Verdict {
    if let Some(canary) = canary {
        match now.0.iter().find(|(id, _)| id.contains(canary)) {
            Some((_, Test::Failed)) => {}
            Some((_, Test::Passed | Test::Skipped)) => {
                return Verdict::Unproven("a test that has to fail did not fail".to_owned());
            }
            None => return Verdict::Unproven("a test that has to fail is not in the report".to_owned()),
        }
    }
    let ran = |id: &str| now.0.get(id).is_some_and(|test| *test != Test::Skipped);
    let lost: Vec<&str> = before
        .0
        .iter()
        .filter(|(id, test)| **test != Test::Skipped && !ran(id))
        .map(|(id, _)| id.as_str())
        .collect();
    if let Some(first) = lost.first() {
        let count = lost.len();
        return Verdict::Unproven(format!(
            "{count} tests of the target branch did not run, `{first}` among them"
        ));
    }
    let is_canary = |id: &str| canary.is_some_and(|canary| id.contains(canary));
    let failed: Vec<String> = now
        .0
        .iter()
        .filter(|(id, test)| **test == Test::Failed && !is_canary(id))
        .map(|(id, _)| id.clone())
        .collect();
    match (failed.is_empty(), exit_ok, canary) {
        (false, ..) => Verdict::Failed(failed),
        (true, true, Some(_)) => Verdict::Unproven("it ended with status 0, though a test failed".to_owned()),
        (true, false, None) => Verdict::Failed(vec!["the status".to_owned()]),
        (true, true, None) if now.0.is_empty() => Verdict::Unproven("the report has no tests".to_owned()),
        (true, ..) => Verdict::Passed,
    }
}

#[cfg(test)]
mod tests {
    use super::{Test, Tests, Verdict, judge};

    const REPORT: &str = r#"<?xml version="1.0"?><testsuites><testsuite name="pytest">
        <testcase classname="tests.test_a" name="test_one" time="0.1"/>
        <testcase classname="tests.test_a" name="test_&lt;two&gt;"><failure message="x">deep</failure></testcase>
        <testcase classname="tests.test_b" name="test_three"><skipped/></testcase></testsuite></testsuites>"#;

    #[test]
    fn a_report_is_read() {
        let tests = Tests::junit(REPORT).unwrap();
        let told: Vec<_> = tests.0.iter().map(|(id, test)| (id.as_str(), *test)).collect();
        let expected = [
            ("tests.test_a::test_<two>", Test::Failed),
            ("tests.test_a::test_one", Test::Passed),
            ("tests.test_b::test_three", Test::Skipped),
        ];
        assert_eq!(told, expected);
        let libtest = "running 3 tests\ntest a::b ... ok\ntest c - should panic ... FAILED\ntest d ... ignored, slow\nnot a test ... ok\n";
        let tests = Tests::libtest(libtest).unwrap();
        assert_eq!(
            tests.0.values().copied().collect::<Vec<_>>(),
            [Test::Passed, Test::Failed, Test::Skipped]
        );
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let bomb = format!(
            "<!DOCTYPE x [<!ENTITY a \"b\">]>{}",
            REPORT.trim_start_matches("<?xml version=\"1.0\"?>")
        );
        let cut = REPORT.trim_end_matches("</testsuite></testsuites>");
        for text in [
            "",
            "hello",
            "<html></html>",
            &bomb,
            "<testsuite><testcase name='a'>",
            "<testsuite><testcase></testsuite>",
            cut,
        ] {
            assert!(Tests::junit(text).is_err(), "{text}");
        }
        let long = format!("<testsuite><testcase name=\"{}\"/></testsuite>", "x".repeat(2000));
        assert!(Tests::junit(&long).is_err());
    }

    fn tests(list: &[(&str, Test)]) -> Tests {
        Tests(list.iter().map(|(id, test)| ((*id).to_owned(), *test)).collect())
    }

    #[test]
    fn every_test_of_before_must_run_and_the_canary_must_fail() {
        let before = tests(&[("a", Test::Passed), ("b", Test::Failed), ("s", Test::Skipped)]);
        let good = tests(&[
            ("a", Test::Passed),
            ("b", Test::Passed),
            ("canary", Test::Failed),
            ("new", Test::Passed),
        ]);
        assert_eq!(judge(&good, &before, Some("canary"), false), Verdict::Passed);
        let unproven = |now: &[(&str, Test)], canary, exit_ok| {
            let verdict = judge(&tests(now), &before, canary, exit_ok);
            assert!(matches!(verdict, Verdict::Unproven(_)), "{now:?}: {verdict:?}");
        };
        let all = [("a", Test::Passed), ("b", Test::Passed)];
        unproven(&all, Some("canary"), true);
        unproven(&[all[0], all[1], ("canary", Test::Passed)], Some("canary"), false);
        unproven(&[all[0], all[1], ("canary", Test::Failed)], Some("canary"), true);
        unproven(&[all[0], ("canary", Test::Failed)], Some("canary"), false);
        unproven(&[all[0], ("b", Test::Skipped), ("canary", Test::Failed)], Some("canary"), false);
        unproven(&[all[0]], None, true);
        let failed = tests(&[("a", Test::Failed), ("b", Test::Passed), ("canary", Test::Failed)]);
        assert_eq!(judge(&failed, &before, Some("canary"), false), Verdict::Failed(vec!["a".to_owned()]));
        assert!(matches!(judge(&tests(&[]), &tests(&[]), None, true), Verdict::Unproven(_)));
        assert!(matches!(judge(&tests(&all), &before, None, false), Verdict::Failed(_)));
    }
}
