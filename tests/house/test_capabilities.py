"""The capability book is whole, and its last column says what the tests say."""

from collections import Counter
from pathlib import Path

import pytest

from api.capabilities import BOOK, UNTOUCHED, book, listing, markers, proofs, rewritten
from engine.refusal import Refused

ROWS = "| I1.1 | One thing | - |\n| X1 | Another | - |\n"


def house(folder: Path, test: str, rows: str = ROWS) -> Path:
    (folder / "docs").mkdir()
    (folder / "tests").mkdir()
    (folder / BOOK).write_text(rows)
    (folder / "tests/test_it.py").write_text(test)
    return folder


def test_the_book_has_every_row_once(root: Path) -> None:
    ids = [row.id for row in book(root)]
    assert [id_ for id_, times in Counter(ids).items() if times > 1] == []
    assert Counter(id_[0] for id_ in ids) == {"I": 48, "T": 42, "P": 42, "G": 14, "X": 2}


def test_every_marker_names_a_row(root: Path) -> None:
    assert set(proofs(root)) <= {row.id for row in book(root)}


def test_the_last_column_says_what_the_tests_say(root: Path) -> None:
    assert (root / BOOK).read_text() == rewritten(root), "run `.venv/bin/python -m api.capabilities`"


def test_a_touched_row_is_listed_with_its_tests(tmp_path: Path) -> None:
    folder = house(tmp_path, '@pytest.mark.capability("X1")\nasync def test_seal() -> None: ...\n')
    lines = list(listing(folder))
    assert lines[:4] == ["I1.1  One thing", "      -", "X1    Another", "      tests/test_it.py::test_seal"]
    assert lines[4].startswith("1 of 2 rows")
    assert "| X1 | Another | `test_it.py` |" in rewritten(folder)
    assert f"| I1.1 | One thing | {UNTOUCHED} |" in rewritten(folder)


def test_markers_of_functions_classes_and_files_count() -> None:
    source = """
pytestmark = [pytest.mark.capability("G2")]
@pytest.mark.capability("I1.1", "X1")
@pytest.mark.parametrize("a", [1])
def test_one(a): ...
@pytest.mark.capability("X2")
class TestMany:
    def test_two(self): ...
"""
    assert sorted(markers(source, "f")) == [
        ("f", "G2"),
        ("f::TestMany", "X2"),
        ("f::test_one", "I1.1"),
        ("f::test_one", "X1"),
    ]


def test_a_marker_without_a_row_is_refused(tmp_path: Path) -> None:
    folder = house(tmp_path, '@pytest.mark.capability("I9.9")\ndef test_it() -> None: ...\n')
    with pytest.raises(Refused, match=r"test_it names the row I9\.9"):
        list(listing(folder))


def test_without_the_source_tree_the_command_says_so(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="source tree"):
        list(listing(tmp_path))
