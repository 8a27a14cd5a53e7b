"""Skipped boards over the mirror: a year of a made-up company against its truth, and the evidence of single changes."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from api.board_report import as_lines, board_report
from connectors.mirror import Sighting, write_versions
from connectors.sandbox.company import generate
from connectors.servicenow.contract import standard
from connectors.servicenow.translate import translator
from connectors.source import Version
from engine.boards import PLAIN, read_policy
from engine.words import Feed, MirrorKind, Source
from schema.identity import mirror_id
from schema.store import DbRole, Store

POLICY = read_policy(PLAIN)
BEGAN = datetime(2026, 3, 6, 15, tzinfo=UTC)
TABLES = ("sys_user", "sys_user_group", "sys_user_grmember", "change_request", "sysapproval_approver")


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    found = Store(database_url)
    yield found
    await found.close()


async def write(store: Store, versions: list[Version]) -> None:
    async with store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, [Sighting(each, Feed.POLL, 1, BEGAN) for each in versions])


@pytest.mark.capability("I5.6")
async def test_a_year_of_changes_against_what_really_was(store: Store) -> None:
    company, reads = generate(7), translator(standard())
    rows = [(table, dict(row, sys_id=key)) for table in TABLES for key, row in company.tables[table].items()]
    await write(store, [version for table, row in rows for version in reads.translate(table, row, BEGAN)])
    found = await board_report(store, POLICY)
    began = {key for key, row in company.tables["change_request"].items() if row["work_start"]}
    truth = Counter(company.truth.cab_skipped[key] for key in began)
    assert found["unknown"] == []
    assert found["implemented"] == len(began)
    assert found["counts"]["NO_APPROVAL"] == truth["absent"]
    assert found["counts"]["REJECTED"] == truth["rejected"]
    assert found["counts"]["UNAUTHORIZED"] == truth["unauthorized"]
    told = {row["key"]: row["verdict"] for row in found["skipped"]}
    really = {key for key in began if company.truth.cab_skipped[key]}
    assert really <= set(told), "none that was skipped is missed"
    spoken = set(told) - really
    assert all(told[key] == "APPROVED_LATE" for key in spoken), "spoken approvals that were written down later"
    assert len(spoken) <= 24
    assert sum(told[key] == "APPROVED_LATE" for key in really) == truth["before_approval"]
    assert all(row["implementer"] and row["justify_by"] > row["started_at"] for row in found["skipped"])


def version(kind: MirrorKind, key: str, **values: Any) -> Version:
    payload = orjson.dumps({"key": key} | values.pop("raw", {}))
    return Version(Source.SERVICENOW, kind.value.lower(), key, kind, 1, BEGAN, payload, values)


def at(kind: MirrorKind, key: str) -> Any:
    return mirror_id(Source.SERVICENOW, kind.value.lower(), key)


def changed(key: str, **more: Any) -> Version:
    plain = {"number": key, "change_type": "NORMAL", "state": "CLOSED", "cab_required": True, "unauthorized": False,
             "assignee_id": at(MirrorKind.PERSON, "eve"), "closed_at": BEGAN + timedelta(days=1)}  # fmt: skip
    return version(MirrorKind.CHANGE, key, **(plain | more))


def moved(task: Any, to: str, when: datetime, field: str = "state") -> Version:
    return version(MirrorKind.STATE_CHANGE, f"{task}{to}{when}", task_id=task, field=field, new_value=to,
                   changed_at=when, changed_by="eve.e")  # fmt: skip


@pytest.mark.capability("I5.6")
async def test_moves_groups_agendas_and_risks_are_read_from_the_mirror(store: Store) -> None:
    policy = read_policy(
        PLAIN.replace("boards: {}", "boards: {CAB: [Board]}").replace("approval: CAB", "approval: CAB, risks: ['2']")
    )
    early, late = BEGAN - timedelta(hours=1), BEGAN + timedelta(hours=1)
    kinds = MirrorKind
    people = [version(kinds.PERSON, name, name=name, human=True) for name in ("eve", "ann")]
    teams = [version(kinds.TEAM, name, name=name) for name in ("Board", "Desk")]
    member = version(kinds.TEAM_MEMBERSHIP, "m", team_id=at(kinds.TEAM, "Board"), person_id=at(kinds.PERSON, "ann"))
    risky = {"raw": {"risk": "2"}, "approval_decided_at": early}
    changes = [changed(key, **risky) for key in ("C1", "C2", "C3", "C4")]
    changes += [changed("C5", raw={"risk": "4"}), changed("C6"), changed("C7", raw={"risk": "2"}, state="NEW")]
    begun = [moved(at(kinds.CHANGE, f"C{n}"), "-1", BEGAN) for n in (1, 2, 3, 5, 6)]
    row = {"state": "APPROVED", "source_state": "approved"}
    approvals = [
        version(kinds.CHANGE_APPROVAL, "a1", change_id=at(kinds.CHANGE, "C1"), approver_id=at(kinds.PERSON, "ann"),
                **row),
        version(kinds.GROUP_APPROVAL, "g2", change_id=at(kinds.CHANGE, "C2"), team_id=at(kinds.TEAM, "Board"),
                decided_at=late, **row),
        version(kinds.GROUP_APPROVAL, "g3", change_id=at(kinds.CHANGE, "C3"), team_id=at(kinds.TEAM, "Desk"),
                decided_at=early, **row),
    ]  # fmt: skip
    agenda = [
        version(kinds.CAB_MEETING, "meet", name="Tuesday", starts_at=early),
        version(kinds.CAB_AGENDA_ITEM, "item", change_id=at(kinds.CHANGE, "C3"), source_decision="approved",
                meeting_id=at(kinds.CAB_MEETING, "meet")),
    ]  # fmt: skip
    told = at(kinds.CHANGE_APPROVAL, "a1")  # asked, approved, and after the work approved once more
    decided = [moved(told, "requested", early - timedelta(hours=1)), moved(told, "approved", early)]
    decided += [moved(told, "requested", late), moved(told, "approved", late + timedelta(hours=1))]
    asked = moved(at(kinds.CHANGE_APPROVAL, "a8"), "requested", early)
    begun.append(moved(at(kinds.CHANGE, "C8"), "-1", BEGAN))
    changes.append(changed("C8", **risky | {"approval_decided_at": None}))
    approvals.append(version(kinds.CHANGE_APPROVAL, "a8", change_id=at(kinds.CHANGE, "C8"),
                             approver_id=at(kinds.PERSON, "ann"), **row))  # fmt: skip
    await write(store, [*people, *teams, member, *changes, *begun, *approvals, *agenda, *decided, asked])
    found = await board_report(store, policy)
    told = {row["number"]: row for row in (*found["skipped"], *found["unknown"])}
    assert {number: row["verdict"] for number, row in told.items()} == {
        "C2": "APPROVED_LATE", "C3": "NO_APPROVAL", "C4": "NO_APPROVAL", "C6": "UNKNOWN",
        "C8": "UNKNOWN",
    }  # fmt: skip
    (proof,) = told["C3"]["approvals"]
    assert (proof["by"], proof["counted"], proof["key"]) == ("Desk", False, "servicenow:g3")
    assert told["C3"]["agenda"][0]["meeting"] == "Tuesday", "looked at by the board is not approved by it"
    assert (told["C4"]["started_at"], told["C4"]["implementer"]) == (None, "eve")
    assert told["C6"]["because"] == "Its risk is not known."
    assert told["C8"]["because"] == "It was approved, but when is not known.", "being asked is no approval"
    said = "\n".join(as_lines(found))
    assert "7 implemented changes: 3 without their approval, 2 not known" in said
    assert "on the agenda of Tuesday" in said
    assert "C1" not in said
    assert (await board_report(store, policy, BEGAN + timedelta(minutes=1)))["implemented"] == 1, "C4, by its close"
    assert (await board_report(store, policy, before=BEGAN))["implemented"] == 0
