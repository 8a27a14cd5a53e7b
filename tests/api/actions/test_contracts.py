"""From a word that nobody knows to its repair: listed, proposed, tried, put in force by another person, replayed.

Over the imitated instance, with the real client. Small tables only, so that a whole reading takes a second.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from api import feeds
from api.actions import contracts, documents
from api.actions.contracts import replay
from api.contracts import DIALECTS, read_contract
from api.house import House
from connectors import replay as replaying
from connectors.history import snapshot
from engine.refusal import Code, Refused
from engine.words import Role, Source
from schema.store import DbRole
from tests.api.actions.firm import NOW, Firm, grant, person, refused
from tests.api.actions.small_tool import document, furnished, requests, small_instance

LACKING = "successful_issues"
REVISIONS = "select count(*) from mirror.revision"
DESCRIBED = """select count(*) from mirror.record r join mirror.payload p on p.revision_id = r.revision_id
                where r.entity = 'problem' and convert_from(p.body, 'UTF8') like '%"short_description"%'"""
OUTCOMES = """select outcome, count(*) from mirror.change group by 1 order by 1"""
ISSUES = """select code, field, value, state, count(*) from mirror.data_issue
             where entity = 'change_request' group by 1, 2, 3, 4"""


@pytest.fixture(scope="module")
def instance() -> Iterator[str]:
    with small_instance() as url:
        yield url


def without(body: str, word: str) -> str:
    """The same without what this stored outcome means."""
    tree = yaml.safe_load(body)
    del tree["entities"]["change_request"]["fields"]["outcome"]["values"][word]
    return yaml.safe_dump(tree, sort_keys=False)


@pytest.fixture
async def house(empty: Firm, instance: str, tmp_path: Path) -> House:
    """Its contract file does not know one of the tool's words."""
    return await furnished(empty, instance, tmp_path, without(document(), LACKING))


async def table(firm: Firm, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await firm.rows(statement)]


async def state(firm: Firm) -> str:
    async with firm.store.begin(DbRole.WORKER) as connection:
        return await snapshot(connection)


@pytest.mark.capability("I7.1")
async def test_the_whole_circle_of_a_word_that_nobody_knew(empty: Firm, house: House, instance: str) -> None:
    store, log, settings = house.store, house.log, house.settings
    author, other = empty.viewer("itsm-admin"), empty.viewer("second-admin")
    await contracts.note_brought(store, settings, [Source.SERVICENOW], NOW)
    await feeds.poll_all(house)
    ((code, field, value, listed, count),) = await table(empty, ISSUES)
    assert (code, field, value, listed) == ("UNMAPPED_SOURCE_VALUE", "close_code", LACKING, "OPEN")
    before = dict(await table(empty, OUTCOMES))
    assert "SUCCESSFUL_ISSUES" not in before
    told = await state(empty)

    proposed = await contracts.propose(store, log, author, "servicenow", document(), NOW)
    assert await contracts.propose(store, log, author, "servicenow", document(), NOW) == proposed, "the same text"
    say = "is DRAFT, not TESTED"
    await refused(
        empty,
        Code.STATE_CONFLICT,
        lambda: contracts.activate(store, log, other, settings, "servicenow", None, NOW),
        say,
    )
    report = await contracts.try_on(store, log, author, settings, "servicenow", None, NOW, 5_000)
    changes = report["stored"]["change_request"]
    assert (changes["rows"], changes["REJECT"], changes["unmapped"]) == (changes["PASS"], 0, [])
    assert report["tool"]["change_request"]["rows"] > 0, "a sample of the tool itself"
    assert report["tool_failed"] == {}
    say = "You proposed"
    await refused(
        empty,
        Code.SOD_VIOLATION,
        lambda: contracts.activate(store, log, author, settings, "servicenow", None, NOW),
        say,
    )

    applied = await contracts.activate(store, log, other, settings, "servicenow", None, NOW)
    assert (applied.replays, applied.anew) == (["change_request"], [])
    halfway = await state(empty)
    asked = requests(instance)
    said: list[str] = []
    done = await replay(store, settings, said.append)
    assert requests(instance) == asked, "nothing was asked of the tool"
    assert (done.records, done.rows, done.unplaced) == (changes["rows"], changes["rows"], 0)
    assert said[-1].endswith(f"{done.records} of {done.records} records")
    assert await table(empty, ISSUES) == [(code, field, value, "RESOLVED", count)]
    after = dict(await table(empty, OUTCOMES))
    assert after["SUCCESSFUL_ISSUES"] == count
    assert sum(after.values()) == sum(before.values())
    assert len({told, halfway, await state(empty)}) == 3, "a run on any of them is a run of its own"
    assert await replay(store, settings, said.append) == replaying.Replayed(), "nothing waits any more"
    told_now = (await documents.listed(store))[-1]
    assert (told_now["state"], told_now["version_no"], told_now["activated_by"]) == ("ACTIVE", 2, other.person_id)
    assert (await empty.entries())["document.activated/v1"] == 1


def with_column(body: str) -> str:
    """The same with a column that nobody asked for so far, and a change's type that means something else."""
    tree = yaml.safe_load(body)
    problem, change = tree["entities"]["problem"], tree["entities"]["change_request"]
    problem["also"] = [*problem.get("also", []), "short_description"]
    change["fields"]["change_type"]["values"]["standard"] = "NORMAL"
    return yaml.safe_dump(tree, sort_keys=False)


async def put_in_force(empty: Firm, house: House, body: str) -> contracts.Applied:
    author, other = empty.viewer("itsm-admin"), empty.viewer("second-admin")
    await contracts.propose(house.store, house.log, author, "servicenow", body, house.clock())
    await contracts.try_on(house.store, house.log, author, house.settings, "servicenow", None, house.clock(), 5)
    return await contracts.activate(house.store, house.log, other, house.settings, "servicenow", None, house.clock())


def quiet(_: str) -> None:
    pass


async def typed(firm: Firm) -> dict[str, str]:
    held = await firm.fingerprint()
    return {name: held[f"mirror.{name}"] for name in ("change", "problem", "person", "vendor", "service", "record")}


@pytest.mark.capability("I7.1")
async def test_replaying_what_has_not_changed_changes_nothing_and_goes_on_where_it_stopped(
    empty: Firm, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await feeds.poll_all(house)
    before, issues, log = await typed(empty), await table(empty, ISSUES), await empty.value(REVISIONS)
    monkeypatch.setattr(replaying, "BATCH_RECORDS", 3)
    batches = 0

    def stop(_: str) -> None:
        nonlocal batches
        batches += 1
        if batches == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await replay(house.store, house.settings, stop, "servicenow", "problem", NOW)
    (left,) = await replaying.waiting(house.store)
    assert left.entity == "problem"
    total = await empty.value("select count(*) from mirror.problem")
    done = await replay(house.store, house.settings, quiet, "servicenow", "problem", NOW)
    assert done.records == total - 2 * replaying.BATCH_RECORDS
    await replay(house.store, house.settings, quiet, "servicenow", "", NOW)
    assert await replaying.waiting(house.store) == []
    assert (await typed(empty), await table(empty, ISSUES), await empty.value(REVISIONS)) == (before, issues, log)


@pytest.mark.capability("I7.1")
async def test_a_column_that_nothing_stored_has_is_read_from_the_tool(empty: Firm, house: House, instance: str) -> None:
    house = replace(house, clock=lambda: datetime.now(UTC))
    await contracts.note_brought(house.store, house.settings, [Source.SERVICENOW], house.clock())
    await feeds.poll_all(house)
    applied = await put_in_force(empty, house, with_column(document()))
    assert (applied.replays, applied.anew) == (["change_request", "problem"], ["problem"])
    await replay(house.store, house.settings, quiet)
    assert await empty.value("select count(*) from mirror.change where change_type = 'STANDARD'") == 0
    assert await empty.value(DESCRIBED) == 0
    httpx.post(f"{instance}/_sandbox/clock", json={"advance_seconds": 60}).raise_for_status()
    await feeds.poll_all(house)
    problems = await empty.value("select count(*) from mirror.problem")
    assert await empty.value(DESCRIBED) == problems
    conflicts = "select count(*) from mirror.data_issue where code = 'VERSION_CONFLICT' and state = 'OPEN'"
    assert await empty.value(conflicts) == problems, "two contents of one version, until somebody looks closer"
    await contracts.check_rules(house.store, house.settings, house.clock())
    assert await empty.value(conflicts) == 0, "nobody changed anything: we asked for more"

    back = await contracts.retire(
        house.store, house.log, empty.viewer("itsm-admin"), house.settings, "servicenow", house.clock()
    )
    assert (back.replays, back.anew) == (["change_request", "problem"], [])
    await replay(house.store, house.settings, quiet)
    assert await empty.value("select count(*) from mirror.change where change_type = 'STANDARD'") > 0
    states = [(row["version_no"], row["state"]) for row in await documents.listed(house.store)]
    assert states == [(1, "RETIRED"), (2, "RETIRED"), (3, "ACTIVE")]


@pytest.mark.capability("I7.1")
async def test_rules_of_a_contract_hold_for_what_is_already_there(empty: Firm, house: House) -> None:
    await feeds.poll_all(house)
    rule = {"check": "RANGE", "field": "opened_at", "least": "2090-01-01", "severity": "REJECT"}
    applied = await put_in_force(empty, house, document(rules={"CHANGE": [rule]}))
    assert applied.replays == ["change_request"]
    await replay(house.store, house.settings, quiet)
    assert await empty.value("select count(opened_at) from mirror.change") == 0
    out = "select count(*) from mirror.data_issue where code = 'OUT_OF_RANGE' and state = 'OPEN'"
    assert await empty.value(out) == await empty.value("select count(*) from mirror.change")


async def test_a_record_that_a_contract_cannot_place_keeps_its_row_and_is_listed(empty: Firm, house: House) -> None:
    await feeds.poll_all(house)
    tree = yaml.safe_load(document())
    del tree["entities"]["core_company"]
    await put_in_force(empty, house, yaml.safe_dump(tree, sort_keys=False))
    done = await replay(house.store, house.settings, quiet, "servicenow", "core_company", NOW)
    vendors = await empty.value("select count(*) from mirror.vendor")
    assert (done.records, done.rows, done.unplaced) == (vendors, 0, vendors)
    listed = await table(empty, "select what, fix from mirror.data_issue where entity = 'core_company'")
    assert len(listed) == vendors > 0
    assert "cannot be read again" in listed[0][0]


@pytest.mark.parametrize(
    ("source", "body", "place", "says"),
    [
        ("scim", "owner: x", (), "has no data contract"),
        ("servicenow", "entities: {}\nrule: {}", ("rule",), "not known here"),
        ("servicenow", "owner: x\nentities: {incident: {kind: TICKET, fields: {}}}", ("contract",), "TICKET"),
        ("servicenow", "entities: {}", ("owner",), "owner"),
        ("servicenow", "owner: x\nentities: {}\nfreshness: {minutes: soon}", ("freshness", "minutes"), "soon"),
        ("jira", "owner: x\nkinds: [", (), "line 2"),
    ],
)
async def test_what_is_no_contract_is_refused_with_its_place(
    empty: Firm, source: str, body: str, place: tuple[str, ...], says: str
) -> None:
    await grant(empty.store, person("itsm-admin"), Role.ITSM_ADMIN)
    with pytest.raises(Refused) as refusal:
        await contracts.propose(empty.store, empty.log, empty.viewer("itsm-admin"), source, body, NOW)
    assert says in str(refusal.value)
    assert refusal.value.field == place
    assert await empty.entries() == {}


async def test_only_an_administrator_of_the_tools_may_propose(empty: Firm) -> None:
    propose = contracts.propose(empty.store, empty.log, empty.viewer("hr"), "servicenow", document(), NOW)
    with pytest.raises(Refused) as refusal:
        await propose
    assert refusal.value.code is Code.ACCESS_DENIED


def test_every_contract_that_we_ship_can_be_read_whole() -> None:
    for source, dialect in DIALECTS.items():
        assert read_contract(source, dialect.shipped()).asked
