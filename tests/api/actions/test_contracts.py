"""From a word that nobody knows to its repair: listed, proposed, tried, put in force by another person, replayed.

Over the imitated instance, with the real client. Small tables only, so that a whole reading takes a second.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from api import feeds
from api.actions import contracts, documents
from api.actions.contracts import replay
from api.contracts import DIALECTS
from api.house import House
from api.settings import ServiceNowSettings, Settings
from connectors import replay as replaying
from connectors.history import snapshot
from engine.refusal import Code
from engine.words import Role, Source
from schema.store import DbRole
from tests.api.actions.firm import NOW, Firm, grant, person, refused
from tests.connectors.servicenow.imitation import CREDENTIALS, Imitation, served

TABLES = ("sys_user", "core_company", "cmdb_ci_service", "problem", "change_request")
LACKING = "successful_issues"
OUTCOMES = """select outcome, count(*) from mirror.change group by 1 order by 1"""
ISSUES = """select code, field, value, state, count(*) from mirror.data_issue
             where entity = 'change_request' group by 1, 2, 3, 4"""


@pytest.fixture(scope="module")
def instance() -> Iterator[Imitation]:
    with served() as imitation:
        yield imitation


def document(**more: Any) -> str:
    """The contract that we ship, of the small tables only, with an owner."""
    shipped = yaml.safe_load(DIALECTS[Source.SERVICENOW].shipped())
    shipped["entities"] = {name: shipped["entities"][name] for name in TABLES}
    return yaml.safe_dump({**shipped, "owner": "service desk", **more}, sort_keys=False)


def without(body: str, word: str) -> str:
    """The same without what this stored outcome means."""
    tree = yaml.safe_load(body)
    del tree["entities"]["change_request"]["fields"]["outcome"]["values"][word]
    return yaml.safe_dump(tree, sort_keys=False)


@pytest.fixture
async def house(empty: Firm, instance: Imitation, tmp_path: Path) -> House:
    """An installation whose contract file does not know one of the tool's words; two administrators."""
    file = tmp_path / "contract.yaml"
    file.write_text(without(document(), LACKING))
    login = CREDENTIALS.servicenow
    tool = ServiceNowSettings(instance.url, login.user, login.password, contract=file)
    settings = Settings(home=tmp_path, servicenow=tool)
    for name in ("itsm-admin", "second-admin"):
        await grant(empty.store, person(name), Role.ITSM_ADMIN)
    return House(empty.store, empty.url, empty.log, empty.signer, settings, lambda: NOW)


async def table(firm: Firm, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await firm.rows(statement)]


async def state(firm: Firm) -> str:
    async with firm.store.begin(DbRole.WORKER) as connection:
        return await snapshot(connection)


@pytest.mark.capability("I7.1")
async def test_the_whole_circle_of_a_word_that_nobody_knew(empty: Firm, house: House, instance: Imitation) -> None:
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
    asked = len(instance.asked())
    said: list[str] = []
    done = await replay(store, settings, said.append)
    assert len(instance.asked()) == asked, "nothing was asked of the tool"
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
