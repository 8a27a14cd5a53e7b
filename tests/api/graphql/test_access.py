"""Everybody asks for everything, on every way there is, and gets what a plain model says: no row more, no row less."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from api.ids import global_id
from tests.api.conftest import Asking
from tests.api.small_house import (
    EARNERS,
    LINE,
    SERVICES,
    SUBJECTS,
    TEAMS,
    Model,
    key,
    person,
    subject_id,
)

EVERYBODY = ("ana", "cara", "mia", "carla", "hanna", "finn", "paul", "ava", "ivo")
Name = Any  # how the model calls a row


@dataclass(frozen=True)
class Shelf:
    """A root list: its type, the ids of all rows that exist, and which of them a person may see."""

    kind: str
    ids: Mapping[Name, str]
    seen: Callable[[Model], set[Name]]


def ids(kind: str, rows: Mapping[Name, Any]) -> dict[Name, str]:
    return {name: global_id(kind, row) for name, row in rows.items()}


PAIRS = [(service, who) for service, team in zip(SERVICES, TEAMS, strict=True) for who in TEAMS[team][1]]
SHELVES = {
    "services": Shelf("Service", ids("Service", {n: key("service", n) for n in SERVICES}), lambda m: set(SERVICES)),
    "teams": Shelf("Team", ids("Team", {n: key("team", n) for n in TEAMS}), lambda m: set(TEAMS)),
    "people": Shelf("Person", ids("Person", {n: person(n) for n in LINE}), Model.people),
    "kpiValues": Shelf("KpiValue", ids("KpiValue", {s: key("kpi", f"new-{s[1]}") for s in SUBJECTS}), Model.subjects),
    "scores": Shelf("Score", ids("Score", {s: key("score", f"new-{s[1]}") for s in SUBJECTS}), Model.subjects),
    "attributionSplits": Shelf(
        "AttributionSplit",
        ids("AttributionSplit", {p: key("split", f"new-{p[0]}-{p[1]}") for p in PAIRS}),
        Model.splits,
    ),
    "awards": Shelf("Award", ids("Award", {n: key("award", n) for n in EARNERS}), Model.awards),
    "payoutBatches": Shelf("PayoutBatch", ids("PayoutBatch", {1: key("file", "1")}), Model.batches),
}
CELLS = [(who, root) for who in EVERYBODY for root in SHELVES]


@pytest.mark.capability("I7.3")
@pytest.mark.parametrize(("who", "root"), CELLS)
async def test_lists_filters_and_counts(ask: Asking, who: str, root: str) -> None:
    shelf = SHELVES[root]
    expected = {shelf.ids[name] for name in shelf.seen(Model(who))}
    everything = list(shelf.ids.values())
    found = await ask(
        who,
        f"""query ($ids: [ID!]!) {{
          all: {root}(first: 200) {{ totalCount nodes {{ id }} edges {{ node {{ id }} }} pageInfo {{ hasNextPage }} }}
          back: {root}(last: 200) {{ nodes {{ id }} }}
          some: {root}(first: 200, filter: {{id: {{in: $ids}}}}) {{ totalCount nodes {{ id }} }} }}""",
        ids=everything,
    )
    for part in ("all", "back", "some"):
        assert {node["id"] for node in found[part]["nodes"]} == expected, part
    assert found["all"]["totalCount"] == found["some"]["totalCount"] == len(expected)
    assert found["all"]["pageInfo"] == {"hasNextPage": False}, "what is hidden does not make a next page"


@pytest.mark.capability("I7.3")
@pytest.mark.parametrize(("who", "root"), CELLS)
async def test_single_reads(ask: Asking, who: str, root: str) -> None:
    shelf = SHELVES[root]
    seen = shelf.seen(Model(who))
    names = list(shelf.ids)
    found = await ask(who, "query ($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }", ids=[*shelf.ids.values()])
    for name, node in zip(names, found["nodes"], strict=True):
        assert node == ({"id": shelf.ids[name], "__typename": shelf.kind} if name in seen else None), name
    for name in names[:3]:
        one = await ask(
            who,
            f"""query ($id: ID!) {{ node(id: $id) {{ id }}
                {root}(first: 1, filter: {{id: {{eq: $id}}}}) {{ totalCount nodes {{ id }} }} }}""",
            id=shelf.ids[name],
        )
        assert (one["node"] is not None) == (name in seen)
        assert one[root]["totalCount"] == len(one[root]["nodes"]) == (name in seen)


@pytest.mark.capability("I7.3")
@pytest.mark.parametrize("root", ["kpiValues", "scores", "awards"])
@pytest.mark.parametrize("who", EVERYBODY)
async def test_explanations_are_shown_exactly_where_the_number_is(ask: Asking, who: str, root: str) -> None:
    shelf = SHELVES[root]
    model = Model(who)
    seen = model.amounts() if root == "awards" else shelf.seen(model)
    for name, id_ in shelf.ids.items():
        found = await ask(
            who,
            """query ($id: ID!) { explain(id: $id) { root { value } evidence(first: 50) {
                 totalCount nodes { number revision { sourceKey } } } } }""",
            id=id_,
        )
        assert (found["explain"] is not None) == (name in seen), name
        if found["explain"]:
            # A trace shows no record of a subject that the viewer may not see; revisions are for those who prove them.
            of = name if root != "awards" else ("PERSON", name)
            records = found["explain"]["evidence"]
            assert records["totalCount"] == len(records["nodes"]) == (3 if of in model.subjects() else 0)
            assert all((each["revision"] is not None) == model.revisions() for each in records["nodes"])


@pytest.mark.capability("I7.3")
@pytest.mark.parametrize("who", EVERYBODY)
async def test_nested_paths(ask: Asking, who: str) -> None:
    """Through a visible thing one reaches only what one may see on the direct way."""
    model = Model(who)
    found = await ask(
        who,
        """{ people(first: 12) { nodes { name
               manager { name } reports(first: 7) { totalCount nodes { name } }
               scores(first: 9) { totalCount nodes { id } } awards(first: 9) { totalCount nodes { id } }
               attributionSplits(first: 9) { totalCount } } }
             teams(first: 5) { nodes { name manager { name } members(first: 9) { nodes { name } }
               scores(first: 9) { nodes { id } } kpiValues(first: 9) { totalCount } } }
             services(first: 5) { nodes { name owner { name } attributionSplits(first: 9) { totalCount } } } }""",
    )
    subjects = model.subjects()
    for one in found["people"]["nodes"]:
        name = one["name"]
        above = LINE[name]
        assert one["manager"] == ({"name": above} if above in model.people() else None)
        below = {each for each, boss in LINE.items() if boss == name} & model.people()
        assert {each["name"] for each in one["reports"]["nodes"]} == below
        assert one["reports"]["totalCount"] == len(below)
        assert one["scores"]["totalCount"] == len(one["scores"]["nodes"]) == (("PERSON", name) in subjects)
        assert one["awards"]["totalCount"] == len(one["awards"]["nodes"]) == (name in model.awards())
        assert one["attributionSplits"]["totalCount"] == len([p for p in model.splits() if p[1] == name])
    for one in found["teams"]["nodes"]:
        lead, members = TEAMS[one["name"]]
        assert one["manager"] == ({"name": lead} if lead in model.people() else None)
        membership = model.line if not model.holds("HR", "AUDITOR") else set(LINE)
        assert {each["name"] for each in one["members"]["nodes"]} == set(members) & membership & model.people()
        assert len(one["scores"]["nodes"]) == one["kpiValues"]["totalCount"] == (("TEAM", one["name"]) in subjects)
    for one in found["services"]["nodes"]:
        owner = SERVICES[one["name"]]
        assert one["owner"] == ({"name": owner} if owner in model.people() else None)
        assert one["attributionSplits"]["totalCount"] == len([p for p in model.splits() if p[0] == one["name"]])


@pytest.mark.capability("I7.3")
@pytest.mark.parametrize("who", EVERYBODY)
async def test_a_manager_sees_the_award_but_not_its_money(ask: Asking, who: str) -> None:
    model = Model(who)
    found = await ask(
        who,
        """{ awards(first: 50) { nodes { awardRef factor person { name } amounts { earned { amount } }
               score { kpiValues { id } } submittedBy { name } } } }""",
    )
    paid = {int(each["awardRef"][-6:]): each for each in found["awards"]["nodes"]}
    assert set(paid) == {number for number, name in enumerate(EARNERS, 1) if name in model.awards()}
    for number, name in enumerate(EARNERS, 1):
        if number in paid:
            award = paid[number]
            assert award["factor"] == "0.666667"
            assert (award["amounts"] is not None) == (name in model.amounts())
            assert (award["person"] is not None) == (name in model.people())
            assert (award["score"] is not None) == (("PERSON", name) in model.subjects())
            assert (award["submittedBy"] is not None) == ("hanna" in model.people())


@pytest.mark.capability("I7.3")
@pytest.mark.parametrize("who", EVERYBODY)
async def test_issues_audit_and_the_viewer_himself(ask: Asking, who: str) -> None:
    model = Model(who)
    found = await ask(
        who,
        """{ dataIssues(first: 50) { totalCount nodes { sourceKey } } auditRecords(first: 50) { totalCount nodes {
               subjectId actor { name } } }
             viewer { person { name } roles scores(first: 9) { totalCount }
               awards(first: 9) { nodes { person { name } } } } }""",
    )
    assert {each["sourceKey"] for each in found["dataIssues"]["nodes"]} == model.issues()
    assert found["dataIssues"]["totalCount"] == len(model.issues())
    about = {each["subjectId"] for each in found["auditRecords"]["nodes"]}
    assert about == {global_id("Person", person(name)) for name in model.audited()}
    assert found["auditRecords"]["totalCount"] == len(model.audited())
    for each in found["auditRecords"]["nodes"]:
        assert each["actor"] == ({"name": "finn"} if "finn" in model.people() else None)
    viewer = found["viewer"]
    assert viewer["person"] == {"name": who}
    assert viewer["scores"]["totalCount"] == (who in EARNERS)
    assert viewer["awards"]["nodes"] == ([{"person": {"name": who}}] if who in EARNERS else [])


async def test_roles_come_from_the_database(ask: Asking) -> None:
    roles = {who: (await ask(who, "{ viewer { roles } }"))["viewer"]["roles"] for who in EVERYBODY}
    assert roles["ana"] == ["EMPLOYEE"]
    assert roles["mia"] == ["EMPLOYEE", "MANAGER"]
    assert roles["hanna"] == ["EMPLOYEE", "HR"]
    assert roles["ivo"] == ["EMPLOYEE", "ITSM_ADMIN"]


def test_each_denied_cell_has_an_allowed_twin() -> None:
    """A matrix in which nobody sees a row, or everybody does, would prove nothing."""
    for root, shelf in SHELVES.items():
        for name in shelf.ids:
            seeing = [who for who in EVERYBODY if name in shelf.seen(Model(who))]
            assert seeing, (root, name)
            if root not in ("services", "teams") and name != "carla" and "SERVICE" not in str(name):
                assert len(seeing) < len(EVERYBODY), (root, name)


async def test_hidden_and_missing_look_the_same(ask: Asking) -> None:
    query = """query ($id: ID!, $score: ID!) { node(id: $id) { id } person(by: {id: $id}) { name }
                 explain(id: $score) { root { value } }
                 scores(first: 5, filter: {subject: {eq: $id}}) { totalCount nodes { id }
                   pageInfo { hasNextPage } } }"""
    hidden, missing = [
        await ask("ana", query, id=global_id("Person", who), score=global_id("Score", score))
        for who, score in ((person("cara"), key("score", "new-cara")), (uuid4(), uuid4()))
    ]
    assert hidden == missing
    mine = await ask(
        "ana", query, id=global_id("Person", person("ana")), score=global_id("Score", key("score", "new-ana"))
    )
    assert mine["node"]
    assert mine["explain"]


async def test_lists_show_the_newest_run_and_filters_reach_older_ones(ask: Asking) -> None:
    found = await ask(
        "ana",
        """query ($run: ID!, $subject: ID!) {
             newest: scores(first: 9, filter: {subject: {eq: $subject}}) { nodes { run { runNo } } }
             old: scores(first: 9, filter: {subject: {eq: $subject}, run: {eq: $run}}) { nodes { run { runNo } } } }""",
        run=global_id("Run", key("run", "old")),
        subject=global_id("Person", subject_id("PERSON", "ana")),
    )
    assert [node["run"]["runNo"] for node in found["newest"]["nodes"]] == ["2"]
    assert [node["run"]["runNo"] for node in found["old"]["nodes"]] == ["1"]


async def test_the_other_tenant_is_not_there(ask: Asking) -> None:
    found = await ask("ava", "{ people(first: 200) { nodes { name } } }")
    assert "other ana" not in {node["name"] for node in found["people"]["nodes"]}


async def test_nobody_sees_nothing(ask: Asking) -> None:
    answer = await ask.post("stranger", "{ __typename }")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert (await ask.post("ana", "{ __typename }")).status_code == 200
