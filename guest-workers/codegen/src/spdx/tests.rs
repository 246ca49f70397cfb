use worker_kit::FailureKind;

use crate::testing::{after, run};

fn check(path: &str, old: &str, new: &str) {
    let proposal =
        run("add-spdx", &[("license", "Apache-2.0"), ("include-data", "true")], &[(path, old)]).unwrap();
    let id = concat!("SPDX-License", "-Identifier: Apache-2.0");
    assert_eq!(after(&proposal, path, old), new.replace("ID", id), "{path}");
}

#[test]
fn each_language_has_its_comment() {
    check("src/a.rs", "fn main() {}\n", "// ID\n\nfn main() {}\n");
    check("a.css", "body {}\n", "/* ID */\n\nbody {}\n");
    check("a.sql", "select 1;\n", "-- ID\n\nselect 1;\n");
    check("a.html", "<p>x</p>\n", "<!-- ID -->\n\n<p>x</p>\n");
    check("Makefile", "all:\n\ttrue\n", "# ID\n\nall:\n\ttrue\n");
    check("a.el", "(x)\n", ";; ID\n\n(x)\n");
}

#[test]
fn what_must_be_first_stays_first() {
    check("a.sh", "#!/bin/sh\nset -e\n", "#!/bin/sh\n# ID\n\nset -e\n");
    check(
        "a.py",
        "#!/usr/bin/python\n# -*- coding: utf-8 -*-\nx = 1\n",
        "#!/usr/bin/python\n# -*- coding: utf-8 -*-\n# ID\n\nx = 1\n",
    );
    check("a.rs", "#![no_std]\n", "// ID\n\n#![no_std]\n");
    check("a.xml", "<?xml version=\"1.0\"?>\n<a/>\n", "<?xml version=\"1.0\"?>\n<!-- ID -->\n\n<a/>\n");
    check("a.html", "<!DOCTYPE html>\n<html>\n", "<!DOCTYPE html>\n<!-- ID -->\n\n<html>\n");
    check("a.php", "<?php\necho 1;\n", "<?php\n// ID\n\necho 1;\n");
    check(
        "a.rb",
        "# frozen_string_literal: true\n\nx = 1\n",
        "# frozen_string_literal: true\n# ID\n\nx = 1\n",
    );
    check(
        "Dockerfile",
        "# syntax=docker/dockerfile:1\nFROM a\n",
        "# syntax=docker/dockerfile:1\n# ID\n\nFROM a\n",
    );
    check("a.css", "@charset \"utf-8\";\nb {}\n", "@charset \"utf-8\";\n/* ID */\n\nb {}\n");
    check("a.go", "//go:build linux\n\npackage a\n", "// ID\n\n//go:build linux\n\npackage a\n");
    check("a.js", "\u{feff}x();\n", "\u{feff}// ID\n\nx();\n");
}

#[test]
fn line_ends_are_kept() {
    check("a.c", "int x;\r\nint y;\r\n", "// ID\r\n\r\nint x;\r\nint y;\r\n");
    check("b.sh", "#!/bin/sh", "#!/bin/sh\n# ID\n");
}

#[test]
fn some_files_are_not_ours_to_mark() {
    let has = format!("// {}\nx\n", concat!("SPDX-License", "-Identifier: MIT"));
    let made = format!("// {} by protoc\n", concat!("@", "generated"));
    let files = [
        ("vendor/a.rs", "x\n"),
        ("node_modules/a/b.js", "x\n"),
        ("a.min.js", "x\n"),
        ("made.go", made.as_str()),
        ("has.rs", has.as_str()),
        ("empty.py", "\n"),
        ("binary.c", "a\0b"),
        ("README.md", "x\n"),
        ("data.json", "{}\n"),
        ("a.yaml", "x: 1\n"),
    ];
    let nothing = run("add-spdx", &[("license", "MIT")], &files).unwrap_err();
    assert_eq!(nothing.kind, FailureKind::NothingToDo);
}

#[test]
fn copyright_comes_first_and_nonsense_is_refused() {
    let proposal =
        run("add-spdx", &[("license", "MIT"), ("copyright", "2026 The authors")], &[("a.rs", "x\n")])
            .unwrap();
    assert!(
        after(&proposal, "a.rs", "x\n")
            .starts_with("// SPDX-FileCopyrightText: 2026 The authors\n// SPDX-License")
    );
    for license in ["", "MIT\n*/ evil()", "MIT*/"] {
        assert_eq!(
            run("add-spdx", &[("license", license)], &[("a.rs", "x\n")]).unwrap_err().kind,
            FailureKind::BadParameter
        );
    }
}
