use std::process::Command;

use worker_kit::MemoryFiles;

use super::draft;
use crate::testing::Folder;

const MODULE: &str = r#"'''Shapes.

def not_a_function(x): pass
'''
import functools
from typing import Optional, overload
from pathlib import Path

DEFAULT = "def neither(x):"


def area(w: int, h: float, name: str = "x, y)", *args, unit: str, deep: bool = False, **kwargs) -> float:
    return float(w * h)


async def later(path: Path, items: list[int]) -> None:
    def inner(x): pass
    return None


@overload
def twice(x: int) -> int: ...
@overload
def twice(x: str) -> str: ...
def twice(x):
    return x + x if x is not None else 0


@functools.lru_cache(
    maxsize=None,
)
def cached(
    a: Optional[dict[str, int]],  # not ) the end
    b: "Forward",
    c: int | None,
    /,
) -> dict:
    return {}


def _private(x): pass
def tested(x): return 1
class Shape:
    def method(self): pass
if True:
    def nested(x): pass
"#;

fn drafted(files: &[(&str, &str)], path: &str) -> (Vec<String>, String, String) {
    let text = files.iter().find(|(name, _)| *name == path).unwrap().1;
    let drafts = draft(&MemoryFiles::new(files.iter().copied()), path, text, 100).unwrap();
    let (file, _, new) = drafts.file.unwrap_or_default();
    (drafts.drafted, file, new)
}

#[test]
fn signatures_become_calls() {
    let files = [
        ("src/geo/shapes.py", MODULE),
        ("tests/test_other.py", "import geo.shapes\nassert geo.shapes.tested(1)\n"),
    ];
    let (names, file, new) = drafted(&files, "src/geo/shapes.py");
    assert_eq!(names, ["area", "later", "twice", "cached"]);
    assert_eq!(file, "tests/test_shapes.py");
    for line in [
        "import geo.shapes as subject\n",
        "import pathlib\n",
        "answer = subject.area(0, 0.0, unit=\"\")\n    assert isinstance(answer, float)\n",
        "    asyncio.run(subject.later(pathlib.Path(), []))\n",
        "subject.twice(None)\n",
        "subject.cached(None, None, None)\n    assert isinstance(answer, dict)\n",
    ] {
        assert!(new.contains(line), "{line}\n{new}");
    }
}

/// Runs the drafts for real, without their skip marks; pytest is replaced by the four lines that they use of it.
#[test]
#[expect(clippy::disallowed_methods, reason = "the real interpreter says whether drafts run")]
fn drafts_run_under_python() {
    let Ok(version) = Command::new("python3").arg("--version").output() else {
        println!("skipped: no python3");
        return;
    };
    assert!(version.status.success());
    let (_, _, new) = drafted(&[("shapes.py", MODULE)], "shapes.py");
    let folder = Folder::new("python");
    let write = |name: &str, text: &str| std::fs::write(folder.0.join(name), text).unwrap();
    write("shapes.py", MODULE);
    write("test_shapes.py", &new);
    write(
        "pytest.py",
        "class mark:\n    @staticmethod\n    def skip(reason):\n        return lambda function: function\n",
    );
    write(
        "run.py",
        "import test_shapes as t\nnames = [n for n in dir(t) if n.startswith('test_')]\nfor n in names:\n    getattr(t, n)()\nprint(len(names))\n",
    );
    let output = Command::new("python3").arg("run.py").current_dir(&folder.0).output().unwrap();
    assert!(output.status.success(), "{}\n{new}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "5");
}

#[test]
fn drafts_join_the_file_that_is_there() {
    let files = [
        ("pkg/mod.py", "def a(x): return x\ndef b(): return 1\n"),
        ("pkg/test_mod.py", "import pytest\ndef test_a(): pass\n"),
    ];
    let (names, file, new) = drafted(&files, "pkg/mod.py");
    assert_eq!((names, file.as_str()), (vec!["b".to_owned()], "pkg/test_mod.py"));
    assert!(
        new.starts_with(
            "import pytest\ndef test_a(): pass\n\n\nimport pytest\n\nimport pkg.mod as subject\n"
        ),
        "{new}"
    );
}

#[test]
fn a_path_that_cannot_be_imported_is_left_out() {
    assert_eq!(
        drafted(&[("my-scripts/x.py", "def a(x): return x\n")], "my-scripts/x.py").0,
        Vec::<String>::new()
    );
}
