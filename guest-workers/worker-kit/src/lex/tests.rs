use super::{Kind, Language, regions, words};

/// Marks every occurrence of `x` as `c`ode, `t`ext or comment (`#`).
fn check(language: Language, text: &str, marks: &str) {
    let found: String = words(language, text, "x")
        .into_iter()
        .map(|(_, kind)| match kind {
            Kind::Code => 'c',
            Kind::Text => 't',
            Kind::Comment => '#',
        })
        .collect();
    assert_eq!(found, marks, "{language:?}: {text}\n{:?}", regions(language, text));
    let mut end = 0;
    for (range, _) in regions(language, text) {
        assert_eq!(range.start, end, "a gap");
        end = range.end;
    }
    assert_eq!(end, text.len());
}

#[test]
fn rust() {
    use Language::Rust;
    check(Rust, "let x = \"x\"; // x\nx", "ct#c");
    check(Rust, "/* x /* x */ x */ x", "###c");
    check(Rust, "r#\" x \"# x br\"x\" b\"x\" b'x' x", "tctttc");
    check(Rust, "'x' x &'x str '\\'' x", "tccc");
    check(Rust, "\"a\\\"x\nx\" x", "ttc");
    check(Rust, "r#x xr\"", "c");
    check(Rust, "var\"x\" x", "tc");
}

#[test]
fn python() {
    use Language::Python;
    check(Python, "x = 'x' # x\nx", "ct#c");
    check(Python, "\"\"\"x\n'x\n\"\"\" x", "ttc");
    check(Python, "f'{x} x {{x}} {x!r:>{x}}' x", "cttccc");
    check(Python, "r'x\\' x' x", "ttc");
    check(Python, "'unterminated x\nx", "cc");
}

#[test]
fn javascript() {
    use Language::JavaScript;
    check(JavaScript, "x; 'x'; \"x\"; /* x */ x // x", "ctt#c#");
    check(JavaScript, "`x ${x + `x ${x}`} x` x", "tctctc");
    check(JavaScript, "a = /x\"/g; x; b = x / x / x", "tcccc");
    check(JavaScript, "<p>don't x</p>\nx", "cc");
    check(JavaScript, "$x x$ x", "c");
}

#[test]
fn the_c_family() {
    check(Language::C, "x \"x\" 'x' 1'000 x R\"d(x\")x)d\" x", "cttcttc");
    check(Language::Go, "x `x\n` \"x\" 'x' x", "ctttc");
    check(Language::Java, "x \"\"\"\nx\"x\n\"\"\" x", "cttc");
    check(Language::Kotlin, "x \"x ${x} x\" x", "ctctc");
    check(Language::Swift, "x \"x \\(x) x\" x", "ctctc");
    check(Language::CSharp, "x @\"x\\\" x $\"x {x}\" x", "ctctcc");
}
