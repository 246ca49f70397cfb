use super::*;

fn reads(text: &str) -> Option<Vec<String>> {
    let found = mentions(text)?;
    let all: BTreeSet<&Vec<String>> = found.reads.iter().collect();
    Some(outermost(&all).iter().map(|path| path.join(".")).collect())
}

#[test]
fn a_rule_reads_everything_below_what_it_names() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(reads(text).unwrap_or_else(|| panic!("{text}")), expected, "{text}");
    };
    check("x if input.run.halted", &["run.halted"]);
    check("x := f(input.facts)", &["facts"]);
    check("x := input.facts[name]", &["facts"]);
    check("x := input.facts[\"totals\"].files", &["facts"]);
    check("x := input.facts.files[_].path", &["facts.files"]);
    check(
        "x if { some f in input.facts.files; f.path == input.facts.base_tree }",
        &["facts.base_tree", "facts.files"],
    );
    check("x if { input.facts.totals.added > 1; count(input.facts) > 0 }", &["facts"]);
    check("x := object.get(input.run, \"profile\", \"\")", &["run"]);
    check("x := {\"n\": input.now, \"input\": 1}", &["now"]);
    check("# input, and all of it: input\nx := \"the input\" if a.input.b", &[]);
    check("x := `input` if input.now", &["now"]);
    // What stands in a text is not read; that is all that a text can hide.
    check("x := \"\\\" input.run \\\"\" if input.now", &["now"]);
}

#[test]
fn what_speaks_of_the_input_as_a_whole_is_not_taken_apart() {
    for text in [
        "x := input",
        "x := f(input)",
        "x := input[name]",
        "x := input[\"run\"].halted",
        "x := count(input)",
        "x if { some name, _ in input }",
        "x := data.abide",
        "x := y with z as 1",
        "x := input.answers__.y",
        "x := \"open",
    ] {
        assert!(mentions(text).is_none(), "{text}");
    }
}

#[test]
fn a_field_is_no_name() {
    let found = mentions("a_0b := c_0d.e_0f[g_0h] if k_0l.m_0n(o_0p)").unwrap();
    let names: Vec<&str> =
        found.names.iter().map(String::as_str).filter(|name| name.contains("_0")).collect();
    assert_eq!(names, ["a_0b", "c_0d", "g_0h", "k_0l", "o_0p"]);
}
