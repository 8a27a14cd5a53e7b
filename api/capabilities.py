"""The rows of the capability book and the tests that touch them, read from docs/capabilities.md and tests/.

Decides: which tests name a row, by their `@pytest.mark.capability("I2.4")`. A row that a test names is touched by it,
not necessarily done. `python -m api.capabilities` writes the last column of the tables anew; a house test compares.
Refuses: an installation without sources (rows and tests stand in a checkout only), and markers that name no row.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.refusal import Code, Refused

ROOT = Path(__file__).parents[1]
BOOK = Path("docs/capabilities.md")
TESTS = Path("tests")
ROW = re.compile(r"^\| (?P<id>[ITP]\d\.\d|G\d{1,2}|X\d) \| (?P<what>[^|]+?) \| (?P<tests>[^|]*?) \|$")
UNTOUCHED = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the book. `tests` is its last column as it stands."""

    id: str
    what: str
    tests: str


def listing(root: Path = ROOT) -> Iterator[str]:
    """Every row in the order of the book, each followed by the tests that name it."""
    rows, named = book(root), proofs(root)
    for row in rows:
        yield f"{row.id:5} {row.what}"
        yield from (f"      {test}" for test in named.get(row.id, [UNTOUCHED]))
    touched = sum(row.id in named for row in rows)
    yield f"{touched} of {len(rows)} rows are named by tests. A named row is touched, not necessarily done."


def book(root: Path = ROOT) -> list[Row]:
    """The rows of docs/capabilities.md."""
    found = [ROW.match(line) for line in text_of(root).splitlines()]
    return [Row(row["id"], row["what"], row["tests"]) for row in found if row]


def proofs(root: Path = ROOT) -> Mapping[str, list[str]]:
    """Row id -> tests that name it, as pytest writes them. Refuses an id that is no row."""
    known = {row.id for row in book(root)}
    named: dict[str, list[str]] = {}
    for path in sorted((root / TESTS).rglob("test_*.py")):
        for test, row_id in markers(path.read_text(encoding="utf-8"), path.relative_to(root).as_posix()):
            if row_id not in known:
                raise Refused(
                    Code.NOT_FOUND, f"{test} names the row {row_id}, which does not exist.", f"Name a row of {BOOK}."
                )
            if test not in named.setdefault(row_id, []):
                named[row_id].append(test)
    return named


def markers(source: str, path: str) -> Iterator[tuple[str, str]]:
    """Each (test, row id) that a test file names; a marker outside a test or class stands for the whole file."""
    tree = ast.parse(source, path)
    seen: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for decorator in node.decorator_list:
                seen.add(decorator)
                yield from ((f"{path}::{node.name}", row_id) for row_id in named_in(decorator))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node not in seen:
            yield from ((path, row_id) for row_id in named_in(node))


def named_in(node: ast.AST) -> list[str]:
    """The row ids of a `pytest.mark.capability(...)` call; none for anything else."""
    if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("mark.capability"):
        return []
    return [str(argument.value) for argument in node.args if isinstance(argument, ast.Constant)]


def rewritten(root: Path = ROOT) -> str:
    """The book with its last column as the markers say: the files whose tests name the row."""
    named = proofs(root)

    def line(found: re.Match[str]) -> str:
        files = sorted({test.partition("::")[0] for test in named.get(found["id"], [])})
        tests = ", ".join(f"`{file.removeprefix('tests/')}`" for file in files) or UNTOUCHED
        return f"| {found['id']} | {found['what']} | {tests} |"

    lines = text_of(root).splitlines()
    return "\n".join(ROW.sub(line, each) for each in lines) + "\n"


def text_of(root: Path) -> str:
    if not (root / BOOK).is_file() or not (root / TESTS).is_dir():
        raise Refused(
            Code.NOT_FOUND,
            "The capability book is not here: it stands in the source tree, beside the tests.",
            "Run the command in a checkout.",
        )
    return (root / BOOK).read_text(encoding="utf-8")


def main() -> None:
    (ROOT / BOOK).write_text(rewritten(), encoding="utf-8")
    print(f"{BOOK} says what the tests say.", file=sys.stderr)


if __name__ == "__main__":
    main()
