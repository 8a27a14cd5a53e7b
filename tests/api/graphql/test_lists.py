"""Every list of records, feeds, rights and bookings, asked by everybody: who sees which rows stands in one table.

What stands here is written by hand from the rules on docs/security.md, not from the policies.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from api.graphql.binding import TYPES, Node
from api.graphql.lists import HouseLists, RecordLists
from api.ids import global_id
from schema.tables import mirror
from tests.api.conftest import Asking
from tests.api.small_house import LINE, below, key

EVERYBODY = ("ana", "cara", "mia", "carla", "hanna", "finn", "paul", "ava", "ivo", "wanda", "petra")
ALL, NOBODY = frozenset(EVERYBODY), frozenset[str]()
AVA, IVO, FINN, PETRA = frozenset({"ava"}), frozenset({"ivo"}), frozenset({"finn"}), frozenset({"petra"})
PROVING = AVA | IVO  # the auditor and the tools' administrator
HR = frozenset({"hanna", "ava"})
SUPPLIERS = PROVING | FINN | PETRA
BOOKS = AVA | FINN
LINES = AVA | {"paul", "ana"}


@dataclass(frozen=True)
class Shelf:
    """The field that names a row, and who sees which row. `ids` are of those that have one: name -> kind and name."""

    name: str
    seen: Mapping[str, frozenset[str]]
    kind: str = ""


def same(viewers: frozenset[str], *names: str) -> dict[str, frozenset[str]]:
    return dict.fromkeys(names, viewers)


SHELVES: Mapping[str, Shelf] = {
    "incidents": Shelf("number", same(PROVING, "INC0000001"), "incident"),
    "changes": Shelf("number", same(PROVING, "CHG1"), "change"),
    "problems": Shelf("number", same(PROVING, "PRB1"), "problem"),
    "changeApprovals": Shelf("sourceKey", same(PROVING, "APP1"), "approval"),
    "groupApprovals": Shelf("sourceKey", same(PROVING, "GAP1"), "group approval"),
    "cabMeetings": Shelf("sourceKey", same(PROVING, "MTG1"), "meeting"),
    "taskSlas": Shelf("sourceKey", same(PROVING, "SLA1"), "clock"),
    "csatResponses": Shelf("sourceKey", same(PROVING, "SAT1"), "csat"),
    "slaDefinitions": Shelf("sourceKey", same(ALL, "P1"), "definition"),
    "vendors": Shelf("sourceKey", same(ALL, "acme"), "vendor"),
    "contracts": Shelf("sourceKey", same(SUPPLIERS, "CNT1"), "contract"),
    "serviceOfferings": Shelf("sourceKey", same(SUPPLIERS, "OFF1"), "offering"),
    "surveys": Shelf("name questions { highest }", same(PROVING, "After a ticket"), "survey"),
    "vendorSlaResults": Shelf("sourceKey", same(SUPPLIERS, "R1"), "result"),
    "mirrorRecords": Shelf("sourceKey", {"INC0000001": PROVING, "E1": AVA}),
    "snapshots": Shelf("name", same(PROVING, "close of October")),
    "sourceSystems": Shelf("source", same(PROVING, "SERVICENOW")),
    "feedPositions": Shelf("entity", same(PROVING, "incident")),
    "sweeps": Shelf("note", same(PROVING, "held")),
    "suspicions": Shelf("sourceKey", {"servicenow-1": PROVING, "hris-1": AVA}),
    "webhookRegistrations": Shelf("externalId", same(PROVING, "7")),
    "toolCalls": Shelf("purpose", same(PROVING, "POLL")),
    "fileDrops": Shelf("name", {"employment.csv": HR, "acme.csv": PROVING | {"hanna"}}),
    "writeBacks": Shelf("record", same(PROVING, "service-mail")),
    "runs": Shelf("snapshotHash", same(ALL, "old", "new"), "run"),
    "planVersions": Shelf("planKey", same(ALL, "example")),
    "documentVersions": Shelf("name", same(PROVING | PETRA | {"wanda"}, "servicenow")),
    "roleGrants": Shelf(
        "role",
        {"HR": HR, "FINANCE": HR | FINN, "PAYROLL": HR | {"paul"}, "AUDITOR": HR, "ITSM_ADMIN": HR | IVO,
         "WORKS_COUNCIL": HR | {"wanda"}, "PLAN_ADMIN": HR | PETRA},
    ),
    "roleRequests": Shelf("askedBy", same(HR | {"ana"}, "evenhand-hr")),
    "accounts": Shelf("userName", same(PROVING, "ana@example.com")),
    "employments": Shelf("job", same(HR | {"ana"}, "Engineer")),
    "budgets": Shelf("name", same(BOOKS, "Bonus 2026")),
    "payrollResults": Shelf("lineRef", same(LINES, "L000001")),
    "awardProposals": Shelf("run { snapshotHash } earned { amount }", same(HR | FINN, "new")),
    "poolAllocations": Shelf("service { name }", same(HR | FINN, "mail", "shop")),
    "payoutLines": Shelf("lineId", same(LINES, "L000001")),
    "ledgerAccounts": Shelf("code", same(BOOKS, "expense:incentives", "liability:awards")),
    "ledgerEntries": Shelf("sourceKey", same(BOOKS, "AW-2026-000001")),
    "ledgerPostings": Shelf("amountMinor", same(BOOKS, "200000", "-200000")),
}  # fmt: skip


def leaf(found: Any) -> str:
    """The value that names a row, however deep it lies."""
    while isinstance(found, dict):
        found = next(iter(found.values()))
    return str(found)


def test_every_list_stands_in_the_table() -> None:
    """Whoever adds a list says here who sees it."""
    fields = [*RecordLists.__strawberry_definition__.fields, *HouseLists.__strawberry_definition__.fields]
    words = [field.python_name.split("_") for field in fields]
    names = {first + "".join(word.title() for word in rest) for first, *rest in words}
    assert names == {*SHELVES, "reportingLines"}
    for root, shelf in SHELVES.items():
        assert all(shelf.seen.values()), f"{root}: a row that nobody sees proves nothing"


@pytest.mark.parametrize("who", EVERYBODY)
async def test_who_sees_which_rows(ask: Asking, who: str) -> None:
    roots = list(SHELVES)
    for start in range(0, len(roots), 9):  # within the number of root fields and aliases
        some = roots[start : start + 9]
        asked = " ".join(f"{root}(first: 50) {{ totalCount nodes {{ {SHELVES[root].name} }} }}" for root in some)
        found = await ask(who, f"{{ {asked} }}")
        for root in some:
            expected = {name for name, viewers in SHELVES[root].seen.items() if who in viewers}
            assert {leaf(node) for node in found[root]["nodes"]} == expected, root
            assert found[root]["totalCount"] == len(found[root]["nodes"]), root


@pytest.mark.parametrize("who", EVERYBODY)
async def test_single_reads_follow_the_lists(ask: Asking, who: str) -> None:
    """By id one reaches exactly what the lists show."""
    ids = {}
    for kind, table in {"Incident": "incident", "Change": "change", "Problem": "problem", "TaskSla": "clock",
                        "VendorSlaResult": "result", "Contract": "contract"}.items():  # fmt: skip
        shelf = next(each for each in SHELVES.values() if each.kind == table)
        ids |= {global_id(kind, key(table, name)): viewers for name, viewers in shelf.seen.items()}
    ids[global_id("MirrorRecord", key("employment", "E1"))] = AVA
    ids[global_id("Employment", key("employment", "E1"))] = HR | {"ana"}
    ids[global_id("PayrollResult", key("payroll", "P1"))] = LINES
    ids[global_id("LedgerEntry", key("journal", "1"))] = BOOKS
    ids[global_id("DocumentVersion", key("document", "1"))] = PROVING | PETRA | {"wanda"}
    ids[global_id("FileDrop", key("drop", "employment"))] = HR
    ids[global_id("RoleRequest", key("request", "1"))] = HR | {"ana"}
    found = await ask(who, "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=[*ids])
    assert found["nodes"] == [{"id": id_} if who in viewers else None for id_, viewers in ids.items()]


@pytest.mark.parametrize("who", EVERYBODY)
async def test_lines_of_reporting(ask: Asking, who: str) -> None:
    found = await ask(who, "{ reportingLines(first: 200) { nodes { manager { name } person { name } } } }")
    pairs = {(boss, below_) for boss in LINE for below_ in below(boss)}
    shown = {pair for pair in pairs if who in pair or who in HR}
    people = set(LINE) if who in HR else {who, *below(who), *(boss for boss in LINE if who in below(boss))}
    expected = sorted(tuple(name if name in people else "" for name in pair) for pair in shown)
    assert sorted(
        ((node["manager"] or {}).get("name", ""), (node["person"] or {}).get("name", ""))
        for node in found["reportingLines"]["nodes"]
    ) == expected  # fmt: skip


async def test_an_administrator_sees_the_record_and_not_the_people(ask: Asking) -> None:
    """Along the chain from a ticket everything is one step away; names follow the reporting line."""
    query = """{ incidents(first: 1) { nodes { number state priority resolveBusinessSeconds
        service { name } team { name } assignee { name } problem { rootCause vendor { name } assignee { name } }
        causedBy { number approvals { state approver { name } } groupApprovals { team { name } }
                   agendaItems { elapsedSeconds meeting { board { name } } } }
        slas { hasBreached definition { name durationSeconds } }
        csatResponses { rating } stateChanges { field newValue }
        record { kind standings { gone revision { sourceKey } }
                 revision { versionNo } issues { field fix } revisions(first: 5) { totalCount } } } } }"""
    seen = {who: (await ask(who, query))["incidents"]["nodes"][0] for who in PROVING}
    assert seen["ivo"]["assignee"] is None
    assert seen["ivo"]["causedBy"]["approvals"] == [{"state": "APPROVED", "approver": None}]
    assert seen["ava"]["assignee"] == {"name": "ana"}
    assert seen["ava"]["causedBy"]["approvals"] == [{"state": "APPROVED", "approver": {"name": "mia"}}]
    for each in seen.values():
        assert each["slas"] == [
            {"hasBreached": False, "definition": {"name": "P1 in 4 hours", "durationSeconds": "14400"}}
        ]
        assert each["causedBy"]["agendaItems"] == [{"elapsedSeconds": "120", "meeting": {"board": {"name": "Board"}}}]
        assert each["record"]["standings"] == [{"gone": False, "revision": {"sourceKey": "r1"}}]
        assert each["record"]["issues"] == [{"field": "state", "fix": "map it"}]
        assert each["stateChanges"] == [{"field": "state", "newValue": "6"}]


async def test_what_hangs_on_an_award_and_a_file(ask: Asking) -> None:
    """Finance sees bookings and totals, the person his line, payroll lines and answers; nobody more."""
    query = """{ awards(first: 1) { nodes { awardRef payoutLines { lineId } postings { amountMinor } } }
                 payoutBatches(first: 1) { nodes { acknowledgements { stage } lines(first: 5) { totalCount } } } }"""
    found = {who: await ask(who, query) for who in ("ana", "hanna", "finn", "paul", "ava")}
    of_award = {
        who: [(len(node["payoutLines"]), len(node["postings"])) for node in each["awards"]["nodes"]]
        for who, each in found.items()
    }
    assert of_award == {"ana": [(1, 0)], "hanna": [(0, 0)], "finn": [(0, 2)], "paul": [], "ava": [(1, 2)]}
    of_file = {
        who: [(len(node["acknowledgements"]), node["lines"]["totalCount"]) for node in each["payoutBatches"]["nodes"]]
        for who, each in found.items()
    }
    assert of_file == {"ana": [], "hanna": [(0, 0)], "finn": [(1, 0)], "paul": [(1, 1)], "ava": [(1, 1)]}


@pytest.mark.parametrize("who", EVERYBODY)
async def test_a_person_shows_his_employment_and_roles_only_to_whom_they_concern(ask: Asking, who: str) -> None:
    found = await ask(
        who,
        """{ people(first: 12) { nodes { name employments { job } roleGrants { role }
               teams(first: 5) { nodes { name } } } } }""",
    )
    for one in found["people"]["nodes"]:
        name = one["name"]
        assert (one["employments"] != []) == (name == "ana" and who in HR | {"ana"})
        granted = name in ("hanna", "finn", "paul", "ava", "ivo")
        assert (one["roleGrants"] != []) == (granted and (who in HR or who == name))
        in_team = name in ("ana", "ben", "cara", "dan")
        related = who in HR or who == name or name in (below(who) if who in LINE else ())
        assert (one["teams"]["nodes"] != []) == (in_team and related)


async def test_ranges_and_lists_narrow(ask: Asking) -> None:
    query = """query ($from: DateTime!) {
        hit: incidents(first: 5, filter: {openedAt: {gte: $from}, priority: [1, 2], state: [RESOLVED]}) { totalCount }
        early: incidents(first: 5, filter: {openedAt: {lt: $from}}) { totalCount }
        other: incidents(first: 5, filter: {priority: [3]}) { totalCount }
        booked: ledgerEntries(first: 5, filter: {bookedOn: {gte: "2026-11-21", lt: "2026-11-22"}}) { totalCount }
        before: ledgerEntries(first: 5, filter: {bookedOn: {lt: "2026-11-21"}}) { totalCount } }"""
    found = await ask("ava", query, **{"from": "2026-11-21T06:00:00Z"})
    counts = {name: each["totalCount"] for name, each in found.items()}
    assert counts == {"hit": 1, "early": 0, "other": 0, "booked": 1, "before": 0}


def test_what_is_personal_has_no_field() -> None:
    """Bytes of records, texts of notes, employee numbers, addresses of webhooks and bodies of writes are not there."""
    never = {"body", "employee_number", "url", "written_by", "changed_by", "acted_by", "csv", "manifest", "answer"}
    shown = {name: never & set(bound.names) for name, bound in TYPES.items() if name != "DocumentVersion"}
    assert {name: columns for name, columns in shown.items() if columns} == {}
    assert not any(bound.table is mirror.TYPED[kind].__table__ for bound in TYPES.values()  # type: ignore[attr-defined]
                   for kind in (mirror.MirrorKind.JOURNAL_ENTRY, mirror.MirrorKind.SURVEY_ANSWER))  # fmt: skip
    assert all(issubclass(TYPES[name].cls, Node) for name in ("Incident", "LedgerEntry", "MirrorRecord"))
