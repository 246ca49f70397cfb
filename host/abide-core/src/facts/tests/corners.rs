//! Bad input: hostile sizes, shapes and data.

use super::*;

#[test]
fn a_delta_holds_each_path_once() {
    let twice = || vec![DeltaEntry::added("a", blob("x")), DeltaEntry::deleted("a", blob("y"))];
    let error = TreeDelta::new(oid('a'), oid('b'), twice(), TreePaths::Unread).unwrap_err();
    assert_eq!(error.code(), "AB0701");
    for path in [&b""[..], b"a\0b"] {
        let entries = vec![DeltaEntry::added(path, blob("x"))];
        assert_eq!(
            TreeDelta::new(oid('a'), oid('b'), entries, TreePaths::Unread).unwrap_err().code(),
            "AB0702"
        );
    }
    assert!(DeltaEntry::of("a", None, None).is_none());
}

#[test]
fn data_that_does_not_fit_is_refused_by_code() {
    let data = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut data = serde_json::to_value(config()).unwrap();
        change(&mut data);
        MeasureConfig::from_data(&data)
            .and_then(|config| Meter::compile(&config))
            .map(drop)
            .map_err(|e| e.code())
    };
    assert_eq!(data(&|_| {}), Ok(()));
    assert_eq!(data(&|d| d["zones"]["ci"]["glob"] = "x".into()), Err("AB0703"));
    assert_eq!(data(&|d| d["text"] = serde_json::Value::Null), Err("AB0703"));
    assert_eq!(data(&|d| d["zones"]["ci"]["globs"] = serde_json::json!(["a[b"])), Err("AB0704"));
    assert_eq!(data(&|d| d["zones"]["ci"]["globs"] = serde_json::json!(["/a"])), Err("AB0704"));
    assert_eq!(data(&|d| d["secrets"][0]["regex"] = "(".into()), Err("AB0705"));
    assert_eq!(data(&|d| d["secrets"][0]["regex"] = "(?:a{1000}){1000}".into()), Err("AB0705"));
    assert_eq!(data(&|d| d["forbidden_patterns"] = serde_json::json!(["  "])), Err("AB0705"));
    assert_eq!(data(&|d| d["secrets"][0]["id"] = "private-key".into()), Err("AB0706"));
    assert_eq!(data(&|d| d["zones"] = serde_json::json!({})), Err("AB0707"));
}

#[test]
fn large_and_long_things_are_said_to_be_so() {
    let meter = meter();
    let huge = "x".repeat(50 << 20);
    let facts = measure(vec![DeltaEntry::added("a.rs", blob(&huge))]);
    assert_eq!((facts.files[0].binary, facts.files[0].bytes), (true, 50 << 20));
    assert!(facts.unmeasured.contains(&"secrets".to_owned()));
    // Within the limit a long line is read like any other.
    let long = format!("{}{}\n", "é ".repeat(1 << 17), ["AKIA", "QYLPMN5HHHFPZAM2"].concat());
    let facts = added("a.rs", &long);
    assert_eq!((facts.secrets.len(), facts.unmeasured.len()), (1, 0));
    assert_eq!(facts.hazards[0].kind, "long-line");
    // So many lines that no diff is made: all of them count.
    let lines = usize::try_from(meter.limits().diff_lines_max).unwrap() + 1;
    let old = "a\n".repeat(lines);
    let facts = changed("a.txt", &old, &format!("{old}b\n"));
    assert_eq!(
        (facts.files[0].added, facts.unmeasured),
        (u64::try_from(lines).unwrap() + 1, vec!["lines".to_owned()])
    );
}

#[test]
fn a_diff_of_hostile_lines_ends() {
    let lines = |seed: u64| -> String {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 60
        };
        (0..20_000).map(|_| format!("{}\n", next())).collect()
    };
    let mut config = config();
    config.measure.diff_steps_max = 10_000_000;
    let meter = Meter::compile(&config).unwrap();
    let delta = delta(entries(&[("a.txt", Some(&lines(1)), Some(&lines(2)))]));
    let facts = meter.measure(&delta, WindowFacts::default());
    assert_eq!((facts.files[0].added, facts.unmeasured), (20_000, vec!["lines".to_owned()]));
}

#[test]
fn manifests_that_nest_without_end_are_unmeasured() {
    let deep = 20_000;
    for (path, text) in [
        ("package.json", format!("{{\"overrides\":{}", "{\"a\":".repeat(deep))),
        ("package-lock.json", "[".repeat(deep)),
        ("Cargo.toml", format!("a = {}", "[".repeat(deep))),
        ("Cargo.toml", format!("a = {}", "{b=".repeat(deep))),
        ("Cargo.lock", format!("a{} = 1", ".a".repeat(deep))),
        ("Cargo.lock", format!("[a{}]", ".a".repeat(deep))),
        ("poetry.lock", "[[package]\n".repeat(deep)),
    ] {
        assert_eq!(added(path, &text).unmeasured, ["dependencies"], "{path} {}", &text[..12]);
    }
}

#[test]
fn many_findings_are_bounded_and_never_clean() {
    let line = "\u{1b}\n";
    let facts = added("a.rs", &line.repeat(10_000));
    assert_eq!(facts.hazards.len(), 20);
    let mut config = config();
    config.measure.findings_max = 3;
    let meter = Meter::compile(&config).unwrap();
    let files: Vec<String> = (0..5).map(|n| format!("{n}.rs")).collect();
    let files: Vec<File<'_>> = files.iter().map(|path| (path.as_str(), None, Some(line))).collect();
    let facts = meter.measure(&delta(entries(&files)), WindowFacts::default());
    assert_eq!((facts.hazards.len(), facts.unmeasured), (3, vec!["hazards".to_owned()]));
}

#[test]
fn no_bytes_make_the_meter_panic() {
    let pieces: [&[u8]; 12] = [
        b"",
        b"\0",
        b"\xff\xfe",
        b"\xfe\xff\xd8",
        b"\n",
        b"\r\n",
        b"'''",
        b"r#\"",
        b"/*",
        b"\"\\",
        b"#[test]\nfn a() { '\\",
        b"\xf0\x9f",
    ];
    for path in [
        "a.rs",
        "t.py",
        "t.js",
        "a_test.go",
        "A.java",
        "Cargo.toml",
        "go.sum",
        "yarn.lock",
        "requirements.txt",
        "x",
    ] {
        for old in pieces {
            for new in pieces {
                let new = [new, b"x", old].concat();
                drop(measure(vec![DeltaEntry::changed(path, blob(old), blob(new))]));
            }
        }
    }
}
