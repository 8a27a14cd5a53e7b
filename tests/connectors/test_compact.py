"""What is kept of a record takes as much memory as it has bytes, whoever read it."""

import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from connectors.compact import compact_json
from connectors.jira.content import canonical
from connectors.sandbox.stream import row
from connectors.servicenow import translate as servicenow
from connectors.servicenow.contract import standard

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
COUNT = 500
OBJECT_BYTES = 96  # what one bytes object takes beside its content, with what malloc rounds up


def incident(number: int) -> bytes:
    (version,) = servicenow.translator(standard()).translate("incident", row(number, COUNT, 3), NOW)
    return version.payload


def issue(number: int) -> bytes:
    return canonical({"id": str(number), "fields": {f"customfield_{each}": "value " * 5 for each in range(30)}})


@pytest.mark.parametrize("payload", [incident, issue])
def test_a_payload_holds_no_more_memory_than_it_has_bytes(payload: Callable[[int], bytes]) -> None:
    for number in range(COUNT):  # what is remembered of a value on purpose is not counted
        payload(number)
    tracemalloc.start()
    try:
        kept = [payload(number) for number in range(COUNT)]
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert min(map(len, kept)) > 400
    assert held < sum(map(len, kept)) + COUNT * OBJECT_BYTES


@pytest.mark.parametrize("value", [{}, {"b": "é", "a": None}, [1, 2.5, True], "text"])
def test_it_writes_what_orjson_writes(value: Any) -> None:
    assert compact_json(value) == orjson.dumps(value)
    assert compact_json(value, orjson.OPT_SORT_KEYS) == orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def test_what_cannot_be_written_is_refused_as_there() -> None:
    with pytest.raises(TypeError):
        compact_json({"text": "\ud800"})
