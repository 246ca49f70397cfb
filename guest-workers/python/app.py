"""A worker in Python, for componentize-py.

bump-year   sets the last year of copyright lines to `year`, in text files of the task's scope
"""

import difflib
import re
from typing import Iterator

import wit_world
from componentize_py_types import Err
from wit_world.imports import log, types, workspace

PAGE = 1000
CHUNK = 1 << 20
TEXT = (".md", ".txt", ".py", ".c", ".h", ".js", ".rs", "LICENSE", "NOTICE")
LINE = re.compile(r"(copyright\s+(?:\(c\)|©)?\s*(?:\d{4}\s*[-–]\s*)?)(\d{4})", re.IGNORECASE)


def failure(kind: types.FailureKind, message: str) -> Err:
    return Err(types.Failure(kind, message))


def paths(scope: list[str]) -> Iterator[str]:
    for prefix in scope or [""]:
        after = None
        while True:
            page = workspace.list(prefix, after, PAGE)
            yield from (one.path for one in page.entries if one.kind != workspace.EntryKind.SYMLINK)
            if not page.truncated:
                break
            after = page.entries[-1].path


def text(path: str) -> str | None:
    content = b""
    while True:
        chunk = workspace.read(path, len(content), CHUNK)
        content += chunk
        if len(chunk) < CHUNK:
            break
    try:
        return content.decode()
    except UnicodeDecodeError:
        log.write(log.Level.WARN, f"{path} is not UTF-8, and stays as it is")
        return None


def hunks(old: str, new: str) -> list[str]:
    """Hunks as `wit/types.wit` has them: three lines of context, each line with its line feed."""
    # Lines end with a line feed and with nothing else, as in git.
    before, after = (re.findall(r"[^\n]*\n|[^\n]+$", one) for one in (old, new))
    found: list[str] = []
    for line in list(difflib.unified_diff(before, after))[2:]:
        if not line.endswith("\n"):
            line += "\n\\ No newline at end of file\n"
        if line.startswith("@@"):
            found.append("")
        found[-1] += line
    return found


class WitWorld(wit_world.WitWorld):
    def propose(self, task: types.Task) -> types.Proposal:
        if task.recipe != "bump-year":
            raise failure(types.FailureKind.UNKNOWN_RECIPE, f"no recipe `{task.recipe}`")
        year = {one.key: one.value for one in task.parameters}.get("year", "")
        if not re.fullmatch(r"\d{4}", year):
            raise failure(types.FailureKind.BAD_PARAMETER, "`year` must be four digits")
        files, lines = [], 0
        for path in paths(task.scope):
            old = text(path) if path.endswith(TEXT) else None
            if old is None:
                continue
            new = LINE.sub(lambda found: found[1] + max(found[2], year), old)
            if new != old:
                files.append(types.FilePatch(path, types.FileStatus.MODIFY, None, None, hunks(old, new)))
                lines += sum(a != b for a, b in zip(old.split("\n"), new.split("\n")))
        if not files:
            raise failure(types.FailureKind.NOTHING_TO_DO, f"every copyright line says {year} already")
        return types.Proposal(
            patch=types.Patch(types.PatchFormat.UNIFIED, files),
            rationale=f"Copyright lines end in {year}; a later year is left alone.",
            sources=[types.Source(one.path, "has a copyright line") for one in files],
            tests=[],
            rollback=types.RollbackRecipe_RevertCommit(),
            expected=types.ExpectedOutcome(
                f"{lines} copyright lines end in {year}.", len(files), lines, lines
            ),
        )
