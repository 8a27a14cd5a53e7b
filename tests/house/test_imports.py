"""Imports point down, the rules know nothing of the outside, and nobody else owns our five names."""

import ast
import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import pytest
from importlinter import api as importlinter
from importlinter.application.use_cases import SUCCESS, lint_imports

PACKAGES = {"api", "connectors", "engine", "schema", "webhooks"}
NUMERIC = {"numpy", "scipy", "statsmodels"}
# Parts of the standard library that ask the world: a rule that used them could answer differently tomorrow.
WORLDLY = {
    "asyncio", "concurrent", "ctypes", "glob", "http", "importlib", "io", "logging", "multiprocessing", "os", "pathlib",
    "pickle", "platform", "random", "secrets", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "sys",
    "tempfile", "threading", "time", "urllib", "zoneinfo",
}  # fmt: skip
EXCEPTIONS = {
    ("engine/calendar.py", "zoneinfo"): "local time is a rule of the calendar; the zone's name is in its document",
    ("engine/documents.py", "yaml"): "a parser of text that it is handed: plan documents are YAML",
}


def imported(tree: ast.Module) -> set[str]:
    """Top-level names of everything that a module imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_every_import_contract_holds(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    assert importlinter.read_configuration(str(root / "pyproject.toml"))["contracts_options"]
    status = lint_imports(config_filename=str(root / "pyproject.toml"), cache_dir=None, no_logo=True)
    assert status is SUCCESS, capsys.readouterr().out


def test_the_rules_import_numbers_and_nothing_of_the_world(sources: list[Any]) -> None:
    wrong = []
    for source in sources:
        if source.package == "engine":
            strangers = imported(source.tree) - {"engine"} - NUMERIC
            strangers -= set(sys.stdlib_module_names) - WORLDLY
            wrong += [(str(source), name) for name in sorted(strangers)]
    assert set(wrong) - set(EXCEPTIONS) == set()


def test_no_foreign_distribution_owns_one_of_our_names() -> None:
    """`schema` is also a name on PyPI: installed beside us it would be imported instead of us, or we instead of it."""
    owners = importlib.metadata.packages_distributions()
    assert {name: set(owners.get(name, [])) - {"evenhand"} for name in PACKAGES} == {name: set() for name in PACKAGES}


def test_our_names_mean_our_folders(root: Path) -> None:
    for name in sorted(PACKAGES):
        assert Path(str(__import__(name).__file__)).parent == root / name


def test_the_tests_mirror_the_packages(root: Path) -> None:
    folders = {path.name for path in (root / "tests").iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert folders - {"__pycache__"} <= PACKAGES | {"house", "journeys", "faults", "scenarios", "bench"}
