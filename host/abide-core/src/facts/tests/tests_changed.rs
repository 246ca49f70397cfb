//! Tests added, removed and weakened, by language.

use super::*;

fn kinds(facts: &Facts) -> Vec<&str> {
    facts.tests.weakened.iter().map(|test| test.kind.as_str()).collect()
}

const RUST: &str = "#[test]\nfn one() {\n    assert_eq!(f(), 1);\n}\n\n#[tokio::test]\nasync fn two() {\n    assert!(g());\n}\n";
const PYTHON: &str = "def test_one():\n    assert f() == 1\n\nclass T:\n    def test_two(self):\n        self.assertEqual(f(), 1)\n";
const SCRIPT: &str = "describe('x', () => {\n  it('one', () => {\n    expect(f()).toBe(1);\n  });\n  test(\"two\", () => {\n    assert.equal(f(), 1);\n  });\n});\n";
const GO: &str = "func TestOne(t *testing.T) {\n\tif f() != 1 {\n\t\tt.Fatal(\"x\")\n\t}\n}\nfunc TestTwo(t *testing.T) {\n\trequire.Equal(t, 1, f())\n}\n";
const JAVA: &str = "  @Test\n  void one() {\n    assertEquals(1, f());\n  }\n  @ParameterizedTest\n  public void two() {\n    assertTrue(g());\n  }\n";
const ALL: [(&str, &str); 5] = [
    ("src/lib.rs", RUST),
    ("tests/t.py", PYTHON),
    ("src/a.test.ts", SCRIPT),
    ("a_test.go", GO),
    ("tests/ATest.java", JAVA),
];

#[test]
fn tests_are_counted_in_each_language() {
    for (path, text) in ALL {
        let new = added(path, text);
        assert_eq!((new.tests.added, new.tests.removed, kinds(&new).len()), (2, 0, 0), "{path}");
        let gone = facts(&[(path, Some(text), None)]);
        assert_eq!((gone.tests.added, gone.tests.removed), (0, 2), "{path}");
        assert_eq!(gone.tests.files_removed, [path]);
        let same = changed(path, text, &format!("{text}\n"));
        assert_eq!(same.tests, TestFacts::default(), "{path}");
    }
}

#[test]
fn commenting_a_test_out_removes_it() {
    for (path, text, new) in [
        ("a.rs", RUST, RUST.replace("#[test]", "/*\n#[test]").replace("}\n\n", "}\n*/\n\n")),
        ("a.rs", RUST, RUST.replace("#[test]", "// #[test]")),
        ("a.rs", RUST, format!("const X: &str = r#\"\n{}\"#;\n{}", &RUST[..45], &RUST[45..])),
        ("a.py", PYTHON, PYTHON.replace("def test_one", "# def test_one")),
        ("a.py", PYTHON, format!("\"\"\"\n{}\n\"\"\"\n{}", &PYTHON[..36], &PYTHON[36..])),
        ("a.js", SCRIPT, SCRIPT.replace("  it(", "  // it(")),
        ("a_test.go", GO, GO.replace("func TestOne", "// func TestOne")),
        ("A.java", JAVA, JAVA.replacen("@Test", "//", 1)),
    ] {
        assert_eq!(changed(path, text, &new).tests.removed, 1, "{path} {new}");
    }
    // What only looks like the begin of a comment is none.
    let globs = "#[test]\nfn a() { glob(\"src/**/*.rs\"); let c = '\"'; let l: &'static str = \"//\"; }\n";
    assert_eq!(changed("a.rs", &format!("{globs}{RUST}"), globs).tests.removed, 2);
    let script = "const g = 'a/*'; const r = /\"/;\n";
    assert_eq!(changed("a.js", &format!("{script}{SCRIPT}"), script).tests.removed, 2);
}

#[test]
fn a_renamed_test_is_one_less_and_one_more() {
    let facts = changed("a.rs", RUST, &RUST.replace("fn one", "fn uno"));
    assert_eq!((facts.tests.added, facts.tests.removed), (1, 1));
}

#[test]
fn skipping_weakens() {
    for (path, text, from, to) in [
        ("a.rs", RUST, "#[test]", "#[test]\n#[ignore]"),
        ("a.rs", RUST, "#[test]", "#[test]\n#[ignore = \"flaky\"]"),
        ("a.rs", RUST, "#[test]", "#[cfg_attr(ci, ignore)]\n#[test]"),
        ("a.py", PYTHON, "def test_one", "@pytest.mark.skip\ndef test_one"),
        ("a.py", PYTHON, "def test_one", "@pytest.mark.xfail(reason='x')\ndef test_one"),
        ("a.py", PYTHON, "    assert", "    pytest.skip('x')\n    assert"),
        ("a.js", SCRIPT, "it('one'", "it.skip('one'"),
        ("a.ts", SCRIPT, "describe(", "xdescribe("),
        ("a.ts", SCRIPT, "test(\"two\"", "test.only(\"two\""),
        ("a_test.go", GO, "\tif f", "\tt.Skip(\"x\")\n\tif f"),
        ("A.java", JAVA, "  @Test", "  @Disabled\n  @Test"),
    ] {
        let facts = changed(path, text, &text.replacen(from, to, 1));
        assert!(kinds(&facts).contains(&"skipped"), "{path} {to}");
    }
}

#[test]
fn assertions_that_go_or_always_hold_weaken() {
    for (path, text, from, to, kind) in [
        ("a.rs", RUST, "    assert_eq!(f(), 1);\n", "    f();\n", "assertion-removed"),
        ("a.rs", RUST, "    assert!(g());\n", "    // assert!(g());\n", "assertion-removed"),
        ("a.rs", RUST, "assert!(g())", "assert!(true)", "always-true"),
        ("a.rs", RUST, "assert!(g())", "assert!(g() || true)", "always-true"),
        ("a.rs", RUST, "assert_eq!(f(), 1)", "assert_eq!(1, 1)", "always-true"),
        ("a.py", PYTHON, "assert f() == 1", "assert True", "always-true"),
        ("a.py", PYTHON, "    assert f() == 1\n", "    f()\n", "assertion-removed"),
        ("a.py", PYTHON, "self.assertEqual(f(), 1)", "self.assertTrue(True)", "always-true"),
        ("a.js", SCRIPT, "expect(f()).toBe(1)", "expect(true).toBe(true)", "always-true"),
        ("a.js", SCRIPT, "    assert.equal(f(), 1);\n", "", "assertion-removed"),
        ("a_test.go", GO, "\t\tt.Fatal(\"x\")\n", "\t\tprintln()\n", "assertion-removed"),
        ("a_test.go", GO, "require.Equal(t, 1, f())", "require.True(t, true)", "always-true"),
        ("A.java", JAVA, "assertTrue(g())", "assertTrue(true)", "always-true"),
        ("A.java", JAVA, "    assertEquals(1, f());\n", "", "assertion-removed"),
    ] {
        let facts = changed(path, text, &text.replacen(from, to, 1));
        assert!(kinds(&facts).contains(&kind), "{path} {to}: {:?}", kinds(&facts));
    }
    // An assertion that is replaced by another is not gone.
    let facts = changed("a.rs", RUST, &RUST.replace("assert_eq!(f(), 1)", "assert_eq!(f(), 2)"));
    assert_eq!(kinds(&facts), [] as [&str; 0]);
    // Nor is one in code that is no test.
    assert_eq!(
        kinds(&changed("src/x.rs", "fn f() {\n    assert!(a);\n}\n", "fn f() {\n}\n")),
        [] as [&str; 0]
    );
}

#[test]
fn lower_thresholds_weaken() {
    let found = |old: &str, new: &str| changed("cfg.toml", old, new).tests.weakened.len();
    assert_eq!(found("fail_under = 90\n", "fail_under = 80\n"), 1);
    assert_eq!(found("fail_under = 90.5\n", "fail_under = 90\n"), 1);
    assert_eq!(found("  branches: 85,\n", "  branches: 8,\n"), 1);
    assert_eq!(found("addopts = --cov-fail-under=90\n", "addopts = -q\n"), 1);
    assert_eq!(found("fail_under = 80\n", "fail_under = 90\n"), 0);
    assert_eq!(found("lines = 80\n", "rows = 9\n"), 0);
}

#[test]
fn tests_in_other_languages_are_unmeasured_when_they_shrink() {
    assert_eq!(changed("tests/a.rb", "a\nb\n", "a\n").unmeasured, ["tests"]);
    assert!(changed("tests/a.rb", "a\n", "a\nb\n").unmeasured.is_empty());
    assert!(changed("tests/data.txt", "a\nb\n", "a\n").unmeasured.is_empty());
    assert_eq!(facts(&[("tests/a.rb", Some("x"), None)]).tests.files_removed, ["tests/a.rb"]);
}
