"""A score reaches the instance once, even when the answer is lost on the way."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from connectors.outbox import Delivered, Write, deliver_due, enqueue
from connectors.servicenow.deliver import TABLE, write_score
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Refused
from schema.store import DbRole, Store
from tests.connectors.servicenow.imitation import Imitation

SCORE = {"u_subject": "INC0010001", "u_score": "87.5", "u_note": None}


def write(unsure: bool = False, body: Any = SCORE, write_id: UUID | None = None) -> Write:
    return Write(write_id or uuid4(), "score", "r1", body, unsure)


def rows(instance: Imitation, write_id: UUID) -> list[dict[str, str]]:
    return [row for row in instance.tables[TABLE].rows.values() if row["u_outbox_id"] == str(write_id)]


def posts(instance: Imitation) -> int:
    return sum(entry["method"] == "POST" and entry["path"].startswith("/api/now") for entry in instance.asked())


def test_a_score_is_a_row_with_the_id_of_its_write(instance: Imitation) -> None:
    sent = write()
    write_score(instance.config, sent)
    (row,) = rows(instance, sent.id)
    assert {name: row[name] for name in SCORE} == {"u_subject": "INC0010001", "u_score": "87.5", "u_note": ""}


def test_a_lost_answer_is_settled_by_reading(instance: Imitation) -> None:
    sent = write()
    instance.break_down("reset_after_write", method="POST")
    write_score(instance.config, sent)
    assert len(rows(instance, sent.id)) == 1


def test_a_write_that_is_unsure_is_looked_for_first(instance: Imitation) -> None:
    before, sent = posts(instance), write()
    write_score(instance.config, sent)
    write_score(instance.config, write(unsure=True, write_id=sent.id))
    assert len(rows(instance, sent.id)) == 1
    assert posts(instance) == before + 1
    never_sent = write(unsure=True)
    write_score(instance.config, never_sent)
    assert len(rows(instance, never_sent.id)) == 1


def test_a_write_that_did_not_happen_is_left_for_later(instance: Imitation) -> None:
    before, sent = posts(instance), write()
    instance.break_down("http_error", method="POST", status=503)
    with pytest.raises(SourceUnavailable, match="not there yet"):
        write_score(instance.config, sent)
    assert rows(instance, sent.id) == []
    assert posts(instance) == before + 1


def test_a_forbidden_write_needs_a_person(instance: Imitation) -> None:
    instance.break_down("http_error", method="POST", status=403)
    with pytest.raises(SourceRefused, match="write rights"):
        write_score(instance.config, write())


@pytest.mark.parametrize("column", ["state", "sys_id", "u_outbox_id", "U_X", "u_", "u_a^b"])
def test_only_custom_columns_are_written(instance: Imitation, column: str) -> None:
    before = posts(instance)
    with pytest.raises(Refused):
        write_score(instance.config, write(body={column: "7"}))
    assert posts(instance) == before


async def test_through_the_outbox_every_score_arrives_exactly_once(instance: Imitation, store: Store) -> None:
    """Two answers are lost after the write, one request dies before it, the reading is refused once."""
    async with store.begin(DbRole.WORKER) as connection:
        ids = [await enqueue(connection, "servicenow", "score", f"r{n}", {"u_score": str(n)}) for n in range(6)]
    instance.break_down("reset_after_write", method="POST", times=2)
    instance.break_down("http_error", method="POST", skip=1, status=502)
    instance.break_down("http_error", method="GET", times=6, status=503)
    total = Delivered()
    for hour in range(6):
        now = datetime.now(UTC) + timedelta(hours=hour)
        total += await deliver_due(store, {"servicenow": partial(write_score, instance.config)}, now)
        instance.config.governor.sleep(61)  # after so many failures the instance is left alone for a minute
    assert total.done == 6
    assert total.failed == 0
    assert total.unknown > 0
    assert [len(rows(instance, write_id)) for write_id in ids] == [1] * 6
