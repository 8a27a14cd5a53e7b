"""Time is an argument: only api/, and what stands in the table below, may look at a clock."""

import ast
from typing import Any

CLOCKS = {
    "date.today", "datetime.now", "datetime.today", "datetime.utcnow",
    "datetime.date.today", "datetime.datetime.now", "datetime.datetime.today", "datetime.datetime.utcnow",
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "uuid.uuid1",
}  # fmt: skip
# Elapsed time (time.monotonic, time.perf_counter) is not a date and may be measured anywhere outside the rules.
EXCEPTIONS = {
    "connectors/sandbox/deliveries.py": "stands in for a tool's clock: a webhook is signed with the time of sending",
}


def looks_at_a_clock(tree: ast.Module) -> list[str]:
    found = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    named = [
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in {"time", "uuid"}
        for alias in node.names
    ]
    return [name for name in found + named if name in CLOCKS]


def test_below_api_nobody_asks_what_time_it_is(sources: list[Any]) -> None:
    wrong = {
        str(source): looks
        for source in sources
        if source.package != "api" and str(source) not in EXCEPTIONS and (looks := looks_at_a_clock(source.tree))
    }
    assert wrong == {}


def test_every_exception_is_still_needed(sources: list[Any]) -> None:
    asking = {str(source) for source in sources if looks_at_a_clock(source.tree)}
    assert set(EXCEPTIONS) - asking == set()


def test_the_rules_do_not_even_measure_elapsed_time(sources: list[Any]) -> None:
    for source in sources:
        if source.package == "engine":
            assert "monotonic" not in source.text, source
            assert "perf_counter" not in source.text, source
