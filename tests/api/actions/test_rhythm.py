"""The worker asks the contracts: a tool is polled and swept when it is due, and left alone in its blackout."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from api import feeds, rhythm
from api.house import House
from engine.words import Source
from schema.store import DbRole
from tests.api.actions.firm import NOW, Firm
from tests.api.actions.small_tool import document, furnished, requests, small_instance

HINT = text("""insert into ops.hint (tenant_id, source, entity, source_key, why, asked_at, attempts)
               select app.tenant(), 'servicenow', 'problem', source_key, 'test', now(), 0
                 from mirror.problem limit 1""")
EVERY = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
CLOSED = {"days": EVERY, "from": "08:00", "to": "10:00", "why": "clone"}  # NOW is 9:00


@pytest.fixture(scope="module")
def instance() -> Iterator[str]:
    with small_instance() as url:
        yield url


async def open_house(empty: Firm, instance: str, home: Path, **schedule: object) -> House:
    return await furnished(empty, instance, home, document(schedule=schedule))


@pytest.mark.capability("T3.6")
async def test_a_tool_is_read_when_its_contract_says_so(empty: Firm, instance: str, tmp_path: Path) -> None:
    house = await open_house(empty, instance, tmp_path, poll_minutes=10, sweep_hours=6)
    known = rhythm.Rhythm()
    await rhythm.begin(house)
    await rhythm.turn(house, known)
    assert known.polled == {Source.SERVICENOW: NOW}
    assert await empty.value("select count(*) from mirror.problem") == 10
    assert await empty.value("select count(*) from ops.sweep where kind = 'KEYS'") == 5, "every table was compared"
    asked = requests(instance)
    await empty.rows("update ops.sweep set finished_at = $1", NOW)
    await rhythm.turn(replace(house, clock=lambda: NOW + timedelta(minutes=9)), known)
    assert requests(instance) == asked, "not due yet"
    await rhythm.turn(replace(house, clock=lambda: NOW + timedelta(minutes=10)), known)
    assert requests(instance) > asked
    assert await empty.value("select count(*) from ops.sweep where kind = 'KEYS'") == 5
    await rhythm.turn(replace(house, clock=lambda: NOW + timedelta(hours=6)), known)
    assert await empty.value("select count(*) from ops.sweep where kind = 'KEYS'") == 10


@pytest.mark.capability("T3.6")
async def test_nothing_is_asked_of_a_tool_in_its_blackout(empty: Firm, instance: str, tmp_path: Path) -> None:
    house = await open_house(empty, instance, tmp_path, blackouts=[CLOSED])
    late = replace(house, clock=lambda: NOW + timedelta(hours=1))
    await rhythm.begin(house)
    asked = requests(instance)
    await rhythm.turn(house, rhythm.Rhythm())
    assert requests(instance) == asked
    await rhythm.turn(late, rhythm.Rhythm())
    asked = requests(instance)
    async with house.store.begin(DbRole.WORKER) as connection:
        await connection.execute(HINT)
    await feeds.drain_all(house)
    assert requests(instance) == asked, "what is to be read again waits too"
    await feeds.drain_all(late)
    assert requests(instance) > asked


async def test_a_contract_that_comes_with_the_installation_is_noted_once_and_another_one_is_applied(
    empty: Firm, instance: str, tmp_path: Path
) -> None:
    house = await open_house(empty, instance, tmp_path)
    await rhythm.begin(house)
    await feeds.poll_all(house)
    await rhythm.begin(house)
    assert await empty.value("select count(*) from ops.document") == 1
    assert await empty.value("select count(*) from ops.reading") == 0
    (tmp_path / "next").mkdir()
    body = document().replace("unsuccessful: UNSUCCESSFUL", "unsuccessful: SUCCESSFUL")
    newer = replace(house, settings=replace(house.settings, servicenow=replace(
        house.settings.servicenow, contract=_written(tmp_path / "next" / "contract.yaml", body))))  # fmt: skip
    await rhythm.begin(newer)
    states = [(row["version_no"], row["state"]) for row in await empty.rows("select * from ops.document")]
    assert sorted(states) == [(1, "RETIRED"), (2, "ACTIVE")]
    failed = "select count(*) from mirror.change where outcome = 'UNSUCCESSFUL'"
    assert await empty.value(failed) > 0
    await rhythm.tend(newer)
    assert await empty.value(failed) == 0
    assert await empty.value("select count(*) from ops.reading") == 0


def _written(file: Path, body: str) -> Path:
    file.write_text(body)
    return file
