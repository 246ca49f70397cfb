use super::super::delta::{MODE_FILE, Side};
use super::super::{DeltaEntry, Limits};
use super::*;
use crate::facts::linediff::Work;

/// `name change from>to source@host integrity` for each dependency that changes; `None` if it cannot be told.
fn change(path: &str, old: Option<&str>, new: Option<&str>) -> Option<Vec<String>> {
    let side = |text: &str| Side::blob("c".repeat(40).parse().unwrap(), MODE_FILE, text.as_bytes());
    let entry = DeltaEntry::of(path, old.map(side), new.map(side)).unwrap();
    let mut found = Vec::new();
    let told = find(&View::open(&entry, &Limits::default(), &mut Work(1_000_000)), true, &mut found);
    let text = |fact: DependencyFact| {
        let (from, to) = (fact.from.unwrap_or_default(), fact.to.unwrap_or_default());
        let host = fact.host.unwrap_or_default();
        format!("{} {} {from}>{to} {}@{host} {}", fact.name, fact.change, fact.source, fact.integrity)
    };
    told.then(|| found.into_iter().map(text).collect())
}

fn new(path: &str, text: &str) -> Option<Vec<String>> {
    change(path, None, Some(text))
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "cases read better without borrows")]
fn check(found: Option<Vec<String>>, expect: &[&str]) {
    assert_eq!(found.as_deref().unwrap_or(&["unmeasured".to_owned()]), expect);
}

#[test]
fn cargo_manifests() {
    check(
        new(
            "a/Cargo.toml",
            "[dependencies]\nserde = \"1\"\nlocal = { path = \"../x\" }\nre = { package = \"regex\", version = \"1\", features = [\"std\"] }\n\
             [target.'cfg(unix)'.build-dependencies]\ncc = { git = \"https://Example.org/cc\" }\n\
             [workspace.dependencies]\nshared = { version = \"2\", registry = \"own\" }\n[patch.crates-io]\nlog = { git = \"ssh://git@h.example/log\" }\n",
        ),
        &[
            "cc added >{\"git\":\"https://Example.org/cc\"} git@example.org not-applicable",
            "local added >{\"path\":\"../x\"} path@ not-applicable",
            "patch.crates-io:log added >{\"git\":\"ssh://git@h.example/log\"} git@h.example not-applicable",
            "regex added >{\"features\":[\"std\"],\"package\":\"regex\",\"version\":\"1\"} registry@crates.io not-applicable",
            "serde added >1 registry@crates.io not-applicable",
            "shared added >{\"registry\":\"own\",\"version\":\"2\"} registry@registry `own` not-applicable",
        ],
    );
    let text = |version: &str| format!("[dev-dependencies]\nx = \"{version}\"\n[lints]\na = 1\n");
    check(
        change("Cargo.toml", Some(&text("1")), Some(&text("2"))),
        &["x changed 1>2 registry@crates.io not-applicable"],
    );
    check(change("Cargo.toml", Some(&text("1")), Some(&text("1").replace("a = 1", "a = 2"))), &[]);
    check(change("Cargo.toml", Some(&text("1")), None), &["x removed 1> registry@crates.io not-applicable"]);
    for bad in ["[dependencies]\nx = 1\n", "dependencies = 1\n", "a = 1\na = 2\n", "\0"] {
        check(new("Cargo.toml", bad), &["unmeasured"]);
    }
}

#[test]
fn cargo_locks() {
    let lock = |checksum: &str, source: &str| {
        format!(
            "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"{source}\"\n{checksum}\n[[package]]\nname = \"me\"\nversion = \"0.1.0\"\n"
        )
    };
    let io = "registry+https://github.com/rust-lang/crates.io-index";
    let (one, two) = (lock("checksum = \"11\"", io), lock("checksum = \"22\"", io));
    check(
        new("Cargo.lock", &one),
        &["a added >1.0.0 registry@crates.io present", "me added >0.1.0 path@ not-applicable"],
    );
    check(
        change("Cargo.lock", Some(&one), Some(&two)),
        &["a changed 1.0.0>1.0.0 registry@crates.io changed"],
    );
    check(
        change("Cargo.lock", Some(&one), Some(&lock("", io))),
        &["a changed 1.0.0>1.0.0 registry@crates.io missing"],
    );
    let evil = lock("checksum = \"11\"", "sparse+https://evil.example/index/");
    check(
        change("Cargo.lock", Some(&one), Some(&evil)),
        &["a changed 1.0.0>1.0.0 registry@evil.example present"],
    );
    let git = lock("", &format!("git+https://h.example/r?branch=main#{}", "0".repeat(40)));
    check(change("Cargo.lock", Some(&one), Some(&git)), &["a changed 1.0.0>1.0.0 git@h.example changed"]);
    check(new("Cargo.lock", "package = 1"), &["unmeasured"]);
}

#[test]
fn npm_manifests() {
    check(
        new(
            "web/package.json",
            r#"{"dependencies":{"a":"^1","b":"github:o/r","c":"o/r#main","d":"file:../d","e":"https://x.example/e.tgz","f":"git+ssh://git@g.example/f.git","g":"npm:real@1"},
                "devDependencies":{"h":"*"},"overrides":{"i":{"j":"2"}},"scripts":{"test":"x"}}"#,
        ),
        &[
            "a added >^1 registry@registry.npmjs.org not-applicable",
            "b added >github:o/r git@github.com not-applicable",
            "c added >o/r#main git@github.com not-applicable",
            "d added >file:../d path@ not-applicable",
            "e added >https://x.example/e.tgz url@x.example not-applicable",
            "f added >git+ssh://git@g.example/f.git git@g.example not-applicable",
            "g added >npm:real@1 registry@registry.npmjs.org not-applicable",
            "h added >* registry@registry.npmjs.org not-applicable",
            "overrides:i:j added >2 registry@registry.npmjs.org not-applicable",
        ],
    );
    for bad in ["[]", "{\"dependencies\":[]}", "{\"dependencies\":{\"a\":1}}", "{"] {
        check(new("package.json", bad), &["unmeasured"]);
    }
}

#[test]
fn npm_locks() {
    let v3 = |version: &str, url: &str, integrity: &str| {
        format!(
            r#"{{"lockfileVersion":3,"packages":{{"":{{"name":"me","version":"1.0.0"}},"packages/own":{{"version":"1.0.0"}},
            "node_modules/@s/a":{{"version":"{version}","resolved":"{url}"{integrity}}},"node_modules/own":{{"resolved":"packages/own","link":true}}}}}}"#
        )
    };
    let url = "https://registry.npmjs.org/@s/a/-/a-1.0.0.tgz";
    let one = v3("1.0.0", url, r#","integrity":"sha512-one""#);
    check(
        new("package-lock.json", &one),
        &[
            "@s/a added >1.0.0 registry@registry.npmjs.org present",
            "own added >packages/own path@ not-applicable",
        ],
    );
    let two = v3("1.0.0", url, r#","integrity":"sha512-two""#);
    check(
        change("package-lock.json", Some(&one), Some(&two)),
        &["@s/a changed 1.0.0>1.0.0 registry@registry.npmjs.org changed"],
    );
    let moved = v3("1.0.0", "https://evil.example/a.tgz", r#","integrity":"sha512-one""#);
    check(
        change("package-lock.json", Some(&one), Some(&moved)),
        &["@s/a changed 1.0.0>1.0.0 url@evil.example present"],
    );
    check(
        change("package-lock.json", Some(&one), Some(&v3("1.0.1", url, ""))),
        &["@s/a changed 1.0.0>1.0.1 registry@registry.npmjs.org missing"],
    );
    // A package that is installed without place and digest is not a member of the workspace.
    check(
        new("package-lock.json", r#"{"packages":{"node_modules/x":{"version":"1.0.0"}}}"#),
        &["x added >1.0.0 unknown@ missing"],
    );
    check(
        new(
            "npm-shrinkwrap.json",
            r#"{"lockfileVersion":1,"dependencies":{"a":{"version":"1.0.0","resolved":"http://r.example/a/-/a.tgz","dependencies":{"b":{"version":"git+https://g.example/b.git#0123456789012345678901234567890123456789"}}}}}"#,
        ),
        &[
            "a added >1.0.0 registry@r.example missing",
            "b added >git+https://g.example/b.git#0123456789012345678901234567890123456789 git@g.example present",
        ],
    );
    check(new("package-lock.json", r#"{"packages":{"node_modules/x":{"version":1}}}"#), &["unmeasured"]);
}

#[test]
fn yarn_and_pnpm_locks() {
    check(
        new(
            "yarn.lock",
            "# yarn lockfile v1\n\n\n\"@s/a@^1.0.0\", \"@s/a@^1.1.0\":\n  version \"1.1.0\"\n  resolved \"https://registry.yarnpkg.com/@s/a/-/a-1.1.0.tgz#abc\"\n  integrity sha512-x\n  dependencies:\n    b \"^2\"\n\nb@^2:\n  version \"2.0.0\"\n  resolved \"https://evil.example/b.tgz\"\n",
        ),
        &[
            "@s/a added >1.1.0 registry@registry.yarnpkg.com present",
            "b added >2.0.0 url@evil.example missing",
        ],
    );
    check(
        new(
            "yarn.lock",
            "__metadata:\n  version: 8\n\n\"a@npm:^1.0.0\":\n  version: 1.2.0\n  resolution: \"a@npm:1.2.0\"\n  checksum: 10/abc\n  languageName: node\n\n\"own@workspace:.\":\n  version: 0.0.0-use.local\n  resolution: \"own@workspace:.\"\n",
        ),
        &[
            "a added >1.2.0 registry@registry.npmjs.org present",
            "own added >0.0.0-use.local path@ not-applicable",
        ],
    );
    check(
        new(
            "pnpm-lock.yaml",
            "lockfileVersion: '9.0'\n\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: ^1\n        version: 1.0.0\n\npackages:\n\n  '@s/a@1.0.0':\n    resolution: {integrity: sha512-x}\n    engines: {node: '>=6'}\n\n  b@2.0.0(c@1):\n    resolution: {tarball: https://evil.example/b.tgz}\n\n  /c/3.0.0:\n    resolution:\n      integrity: sha512-y\n    dev: true\n\nsnapshots:\n\n  d@1: {}\n",
        ),
        &[
            "@s/a added >1.0.0 registry@registry.npmjs.org present",
            "b added >2.0.0 url@evil.example missing",
            "c added >3.0.0 registry@registry.npmjs.org present",
        ],
    );
    for (path, bad) in [
        ("yarn.lock", "  version 1\n"),
        ("yarn.lock", "what is this\n"),
        ("pnpm-lock.yaml", "{packages: {a: 1}}\n"),
    ] {
        check(new(path, bad), &["unmeasured"]);
    }
}

#[test]
fn python_requirements() {
    check(
        new(
            "requirements-dev.txt",
            "# comment\nA_b[x]==1.0 ; python_version < '3.9' \\\n  --hash=sha256:aa\nplain\n-e git+https://g.example/r.git#egg=Ed\nc @ https://u.example/c.whl\n./local\n--index-url https://mirror.example/simple\n-r base.txt\n",
        ),
        &[
            "(index-url) added >https://mirror.example/simple url@mirror.example not-applicable",
            "(r base.txt) added > unknown@ not-applicable",
            "-/local added >./local path@ not-applicable",
            "a-b added >[x]==1.0 ; python_version < '3.9' registry@pypi.org present",
            "c added >https://u.example/c.whl url@u.example missing",
            "ed added >git+https://g.example/r.git#egg=Ed git@g.example not-applicable",
            "plain added > registry@pypi.org missing",
        ],
    );
    check(new("requirements/base.txt", "a==1\n"), &["a added >==1 registry@pypi.org missing"]);
    for bad in ["what is this?\n", "--unknown-flag x\n", "<html>\n"] {
        check(new("requirements.txt", bad), &["unmeasured"]);
    }
}

#[test]
fn python_projects() {
    check(
        new(
            "pyproject.toml",
            "[project]\ndependencies = [\"a>=1\"]\n[project.optional-dependencies]\nx = [\"b\"]\n[build-system]\nrequires = [\"setuptools>=61\"]\n[dependency-groups]\ndev = [\"c\", {include-group = \"x\"}]\n\
             [tool.poetry.group.test.dependencies]\nd = {git = \"https://g.example/d\"}\n[tool.uv.sources]\na = {path = \"../a\"}\n[[tool.uv.index]]\nname = \"own\"\nurl = \"https://i.example/simple\"\n",
        ),
        &[
            "(index own) added >https://i.example/simple url@i.example not-applicable",
            "a added >>=1 registry@pypi.org not-applicable",
            "b added > registry@pypi.org not-applicable",
            "build:setuptools added >>=61 registry@pypi.org not-applicable",
            "c added > registry@pypi.org not-applicable",
            "d added >{\"git\":\"https://g.example/d\"} git@g.example not-applicable",
            "source:a added >{\"path\":\"../a\"} path@ not-applicable",
        ],
    );
    check(
        new(
            "Pipfile",
            "[[source]]\nurl = \"https://i.example/simple\"\nname = \"own\"\n[packages]\na = \"*\"\n[scripts]\nx = \"y\"\n",
        ),
        &[
            "(index own) added >https://i.example/simple url@i.example not-applicable",
            "a added >* registry@pypi.org not-applicable",
        ],
    );
    check(new("pyproject.toml", "[project]\ndependencies = [1]\n"), &["unmeasured"]);
}

#[test]
fn python_locks() {
    let poetry = |hash: &str| {
        format!(
            "[[package]]\nname = \"A\"\nversion = \"1\"\nfiles = [{{file = \"a.whl\", hash = \"{hash}\"}}]\n[[package]]\nname = \"g\"\nversion = \"2\"\nfiles = []\n[package.source]\ntype = \"git\"\nurl = \"https://g.example/g\"\nresolved_reference = \"{}\"\n",
            "0".repeat(40)
        )
    };
    check(
        new("poetry.lock", &poetry("sha256:1")),
        &["a added >1 registry@pypi.org present", "g added >2 git@g.example present"],
    );
    check(
        change("poetry.lock", Some(&poetry("sha256:1")), Some(&poetry("sha256:2"))),
        &["a changed 1>1 registry@pypi.org changed"],
    );
    check(
        new(
            "uv.lock",
            "version = 1\n[[package]]\nname = \"a\"\nversion = \"1\"\nsource = { registry = \"https://pypi.org/simple\" }\nsdist = { url = \"https://files.pythonhosted.org/a.tar.gz\", hash = \"sha256:1\" }\nwheels = [{ url = \"https://evil.example/a.whl\", hash = \"sha256:2\" }]\n[[package]]\nname = \"me\"\nversion = \"0\"\nsource = { editable = \".\" }\n[[package]]\nname = \"u\"\nversion = \"3\"\nsource = { registry = \"https://pypi.org/simple\" }\nwheels = [{ url = \"https://files.pythonhosted.org/u.whl\" }]\n",
        ),
        &[
            "a added >1 registry@evil.example files.pythonhosted.org present",
            "me added >0 path@ not-applicable",
            "u added >3 registry@files.pythonhosted.org missing",
        ],
    );
    check(
        new(
            "Pipfile.lock",
            r#"{"_meta":{"sources":[{"name":"pypi","url":"https://pypi.org/simple"}]},"default":{"a":{"version":"==1","hashes":["sha256:1"],"index":"pypi"},"b":{"version":"==2"}},"develop":{}}"#,
        ),
        &[
            "(index pypi) added >https://pypi.org/simple url@pypi.org not-applicable",
            "a added >==1 registry@index `pypi` present",
            "b added >==2 registry@pypi.org missing",
        ],
    );
    check(new("poetry.lock", "package = 1\n"), &["unmeasured"]);
    check(new("Pipfile.lock", "{\"default\":1}"), &["unmeasured"]);
}

#[test]
fn go_modules() {
    let module = "module m\n\ngo 1.22\n\nrequire github.com/a/b v1.2.3 // indirect\nrequire (\n\tGolang.org/x/c v0.1.0\n)\nreplace github.com/a/b => ../b\nexclude x.y/z v1.0.0\n";
    check(
        new("go.mod", module),
        &[
            "(go) added >1.22 registry@go.dev not-applicable",
            "Golang.org/x/c added >v0.1.0 registry@golang.org not-applicable",
            "github.com/a/b added >v1.2.3 registry@github.com not-applicable",
            "replace:github.com/a/b added >../b path@ not-applicable",
        ],
    );
    let sum = |hash: &str| format!("a.example/m v1.0.0 h1:{hash}=\na.example/m v1.0.0/go.mod h1:x=\n");
    check(
        change("go.sum", Some(&sum("1")), Some(&sum("2"))),
        &["a.example/m changed v1.0.0>v1.0.0 registry@a.example changed"],
    );
    check(
        new("go.sum", "a.example/m v1.0.0 md5:x\n"),
        &["a.example/m added >v1.0.0 registry@a.example missing"],
    );
    for (path, bad) in [("go.mod", "require (\n a v1\n"), ("go.mod", "<<<<<<< ours\n"), ("go.sum", "a b\n")] {
        check(new(path, bad), &["unmeasured"]);
    }
}

#[test]
fn a_manifest_of_a_system_that_is_not_read_is_unmeasured() {
    check(new("Gemfile", "gem 'x'\n"), &["unmeasured"]);
    check(
        new("CARGO.TOML", "[dependencies]\na = \"1\"\n"),
        &["a added >1 registry@crates.io not-applicable"],
    );
}

#[test]
fn hosts_are_read_as_package_managers_read_them() {
    for (url, host) in [
        ("https://Example.org:8443/x", Some("example.org")),
        ("https://good.example@evil.example/x", Some("evil.example")),
        ("https://evil.example\\@good.example/x", Some("evil.example")),
        ("git@github.com:o/r.git", Some("github.com")),
        ("ssh://git@[::1]:22/x", Some("::1")),
        ("file:///x", None),
        ("../x", None),
    ] {
        assert_eq!(host_of(url).as_deref(), host, "{url}");
    }
}
