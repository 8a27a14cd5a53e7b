"""What the files may not say: open ends, silenced checks without a reason, and places of one machine."""

import re
import tomllib
from pathlib import Path
from typing import Any

OPEN_ENDS = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b|(#|//|--).*\bXX" r"X\b")
BARE_IGNORE = re.compile(r"#\s*type:\s*ignore(?!\[)")
BARE_NOQA = re.compile(r"#\s*(ruff:\s*)?noqa(?!:)", re.IGNORECASE)
MACHINE = re.compile(r"(?<![\w.])/(work|root|home/[a-z]+)/")
GENERATED = {"uv.lock", "LICENSE", "graphiql.js"}


def lines(root: Path, files: list[Path]) -> list[tuple[str, str]]:
    found = []
    for path in files:
        content = (root / path).read_bytes()
        if path.name not in GENERATED and b"\0" not in content:
            numbered = enumerate(content.decode().splitlines(), 1)
            found += [(f"{path}:{number}", line) for number, line in numbered]
    return found


def test_nothing_is_left_to_be_done_later(root: Path, files: list[Path]) -> None:
    assert [place for place, line in lines(root, files) if OPEN_ENDS.search(line)] == []


def test_no_file_names_a_place_of_one_machine(root: Path, files: list[Path]) -> None:
    assert [(place, line) for place, line in lines(root, files) if MACHINE.search(line)] == []


def test_a_silenced_check_says_which(all_sources: list[Any]) -> None:
    wrong = [
        f"{source}: {line.strip()}"
        for source in all_sources
        for line in source.text.splitlines()
        if BARE_IGNORE.search(line) or BARE_NOQA.search(line)
    ]
    assert wrong == []


def test_ci_runs_what_the_readme_tells_people_to_run(root: Path) -> None:
    assert "make test" in (root / "README.md").read_text()
    assert (root / ".ci/run").read_text().rstrip().endswith("exec make test")
    assert (root / ".ci/run").stat().st_mode & 0o111


def test_every_dependency_is_locked_with_its_hash(root: Path) -> None:
    lock = tomllib.loads((root / "uv.lock").read_text())
    bare = [
        package["name"]
        for package in lock["package"]
        if "registry" in package["source"]
        and not all(
            file.get("hash", "").startswith("sha256:")
            for file in [*package.get("wheels", []), package.get("sdist")]
            if file
        )
    ]
    assert bare == []
