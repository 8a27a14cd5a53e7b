"""A score reaches the instance once, even when the answer is lost on the way."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from connectors.outbox import Delivered, PremiseGone, Write, deliver_due, enqueue
from connectors.servicenow.deliver import TABLE, deliver, write_score
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


def incident(instance: Imitation, sys_id: str = "") -> dict[str, str]:
    """As it stands now; one that somebody else has just opened, without an id."""
    sys_id = sys_id or instance.write("incident", short_description="The portal is slow")
    return dict(instance.tables["incident"].rows[sys_id])


def column(row: dict[str, str], score: str | None = "87.5", **changes: Any) -> Write:
    given = {"unsure": False, "premise": int(row["sys_mod_count"])} | changes
    return Write(uuid4(), "column", row["sys_id"], {"u_evenhand_score": score}, **given)


def patches(instance: Imitation) -> int:
    return sum(entry["method"] == "PATCH" for entry in instance.asked())


def test_a_column_of_an_incident_holds_the_score_and_nothing_else_changes(instance: Imitation) -> None:
    before = incident(instance)
    deliver(instance.config, column(before))
    row = incident(instance, before["sys_id"])
    changed = {name for name in row if row[name] != before.get(name)}
    assert row["u_evenhand_score"] == "87.5"
    assert changed - {"sys_updated_on", "sys_updated_by"} == {"u_evenhand_score", "sys_mod_count"}
    sent = patches(instance)
    deliver(instance.config, column(row, premise=0, unsure=True))  # it stands already, whatever it rested on
    assert patches(instance) == sent


def test_an_incident_that_has_moved_on_is_left_alone(instance: Imitation) -> None:
    row = incident(instance)
    stale = column(row)
    instance.edit("incident", row["sys_id"], short_description="It is fast again")
    sent = patches(instance)
    with pytest.raises(PremiseGone, match=f"version {stale.premise} was scored"):
        deliver(instance.config, stale)
    row = incident(instance, row["sys_id"])
    assert (row.get("u_evenhand_score", ""), patches(instance)) == ("", sent)
    deliver(instance.config, column(row))
    assert incident(instance, row["sys_id"])["u_evenhand_score"] == "87.5"


def test_the_lost_answer_of_a_column_is_settled_by_reading(instance: Imitation) -> None:
    row = incident(instance)
    version = int(row["sys_mod_count"])
    instance.break_down("reset_after_write", method="PATCH")
    deliver(instance.config, column(row))
    row = incident(instance, row["sys_id"])
    assert (row["u_evenhand_score"], int(row["sys_mod_count"])) == ("87.5", version + 1)


@pytest.mark.parametrize("record", ["1", "../sys_user", "a" * 33])
def test_only_a_record_of_the_tool_is_written_to(instance: Imitation, record: str) -> None:
    with pytest.raises(Refused):
        deliver(instance.config, Write(uuid4(), "column", record, {"u_evenhand_score": "1"}, False))
    with pytest.raises(SourceRefused, match="no incident"):
        deliver(instance.config, Write(uuid4(), "column", "0" * 32, {"u_evenhand_score": "1"}, False))


def test_a_column_that_is_not_there_is_named(instance: Imitation) -> None:
    write = Write(uuid4(), "column", incident(instance)["sys_id"], {"u_nowhere": "1"}, False)
    with pytest.raises(SourceRefused, match="u_nowhere"):
        deliver(instance.config, write)


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
