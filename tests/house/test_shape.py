"""Modules and functions stay small, names say what things are, and every word list is spelled one way."""

import ast
import re
from collections.abc import Iterator
from typing import Any

MODULE_MAX_LINES = 400
FUNCTION_MAX_LINES = 70
ROOMS_WITHOUT_A_NOUN = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc", "base"}
HOLLOW_CLASS = re.compile(r".+(Service|Manager|Helper|Utils?)$")  # `Service` alone is the word of ITSM
WORD = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
# Lists whose values are the words of somebody else, and whose words they are.
FOREIGN_WORDS = {
    "engine/words.py: Source": "names of tools, part of ids and URLs",
    "engine/words.py: PayLineState": "the payroll file format writes them in lower case",
    "engine/words.py: PayLineKind": "the payroll file format writes them in lower case",
    "engine/ledger.py: Event": "tags of the ledger export, written as bookkeeping tools allow them",
    "api/settings.py: Environment": "values that operators write into EVENHAND_ENVIRONMENT",
    "api/signing/keys.py: Algorithm": "names registered for JOSE, COSE and signed notes",
    "api/signing/keys.py: Purpose": "names of key files and part of key ids",
    "webhooks/intake.py: Outcome": "the JSON answer to a webhook; Standard Webhooks and both tools write lower case",
    "schema/viewer.py: DbRole": "names of PostgreSQL roles",
}


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))


def test_a_module_stops_at_400_lines(all_sources: list[Any]) -> None:
    lengths = {str(source): source.text.count("\n") for source in all_sources}
    assert {path: lines for path, lines in lengths.items() if lines > MODULE_MAX_LINES} == {}


def test_a_function_stops_at_70_lines(all_sources: list[Any]) -> None:
    long = {
        f"{source}: {function.name}": lines
        for source in all_sources
        for function in functions(source.tree)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_MAX_LINES
    }
    assert long == {}


def test_every_module_says_what_it_is_for(sources: list[Any]) -> None:
    silent = [str(source) for source in sources if source.text.strip() and not ast.get_docstring(source.tree)]
    assert silent == []


def test_a_module_is_a_noun_of_the_domain(all_sources: list[Any]) -> None:
    assert [
        str(source) for source in all_sources if set(source.path.with_suffix("").parts) & ROOMS_WITHOUT_A_NOUN
    ] == []


def test_no_class_is_a_service_a_manager_or_a_helper(all_sources: list[Any]) -> None:
    hollow = [f"{s}: {c.name}" for s in all_sources for c in classes(s.tree) if HOLLOW_CLASS.fullmatch(c.name)]
    assert hollow == []


def test_words_are_upper_case_or_somebody_elses(sources: list[Any]) -> None:
    wrong, seen = [], set()
    for source in sources:
        for list_of_words in classes(source.tree):
            if not any(ast.unparse(base).endswith("StrEnum") for base in list_of_words.bases):
                continue
            name = f"{source}: {list_of_words.name}"
            seen.add(name)
            values = [
                str(s.value.value)
                for s in list_of_words.body
                if isinstance(s, ast.Assign) and isinstance(s.value, ast.Constant)
            ]
            if name not in FOREIGN_WORDS:
                wrong += [f"{name}: {value}" for value in values if not WORD.fullmatch(value)]
    assert wrong == []
    assert set(FOREIGN_WORDS) - seen == set()  # an exception that nobody needs any more goes
