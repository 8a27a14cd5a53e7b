"""Moves of state come record by record from the audit table, a few a turn, and every one of them in the end."""

from pathlib import Path

import pytest

from api import feeds
from api.histories import TABLES, read_histories
from engine.words import Source
from tests.faults.campaign import place

MOVES = """select r.source_key, s.field, s.new_value from mirror.state_change s
             join mirror.record r on r.id = s.id where r.entity = 'sys_audit'"""
KEPT = ("state", "assigned_to", "assignment_group", "approval", "priority", "hold_reason", "on_hold", "type",
        "cab_required")  # fmt: skip


@pytest.mark.capability("I7.1")
async def test_all_moves_of_records_arrive_in_turns_and_nothing_is_asked_twice(
    database_url: str, tmp_path: Path
) -> None:
    async with place(database_url, tmp_path / "home") as here:
        here.order("seed", {"seed": 5, "size": "small"})
        await feeds.poll_all(here.house, scope=feeds.Scope(sources=(Source.SERVICENOW,), entities=TABLES))
        before = here.control.get("/_sandbox/state").json()["requests"]
        turns = 0
        while await read_histories(here.house, most=20):
            turns += 1
        asked = here.control.get("/_sandbox/log", params={"after": before}).json()
        audits = [entry["query"] for entry in asked if "sys_audit" in entry["path"]]
        assert turns > 5
        assert len(set(audits)) == len(audits)
        await feeds.drain_all(here.house)
        truth = here.control.get("/_sandbox/truth", params={"tables": "sys_audit"}).json()["servicenow"]["sys_audit"]
        expected = {
            (key, row["fieldname"], row["newvalue"] or None) for key, row in truth.items()
            if row["tablename"] in TABLES and row["fieldname"] in KEPT
        }  # fmt: skip
        found = {tuple(row) for row in await here.admin.fetch(MOVES)}
        assert found
        assert {(key, field) for key, field, _ in found} <= {(key, field) for key, field, _ in expected}
        standing = {row[0] for row in await here.admin.fetch("select source_key from mirror.record")}
        of_standing = {one for one in expected if truth[one[0]]["documentkey"] in standing}
        assert found == of_standing
        assert await read_histories(here.house) == 0
