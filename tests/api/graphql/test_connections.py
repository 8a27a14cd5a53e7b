"""Pages: put together they are the list, in both directions, without gap or repeat; and few statements read them."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from sqlalchemy import event

from api.house import House
from api.ids import global_id
from schema.store import DbRole
from tests.api.conftest import Asking
from tests.api.small_house import person

ORDERS = [
    ("scores", "{field: SUBJECT}"),
    ("scores", "{field: SUBJECT, direction: DESC}"),
    ("scores", "{field: DATA_AS_OF}"),  # all equal: the id alone decides
    ("kpiValues", "{field: METRIC, direction: DESC}"),
    ("people", "{field: NAME}"),
    ("awards", "{field: SUBMITTED_AT, direction: DESC}"),
    ("auditRecords", "{field: RECORDED_AT}"),
    ("attributionSplits", "{field: SERVICE}"),
]


async def page(ask: Asking, root: str, order: str, arguments: str) -> dict[str, Any]:
    found = await ask(
        "ava",
        f"""{{ {root}({arguments}, orderBy: {order}) {{ totalCount edges {{ cursor node {{ id }} }}
              pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }} }}""",
    )
    return dict(found[root])


def ids(found: dict[str, Any]) -> list[str]:
    return [edge["node"]["id"] for edge in found["edges"]]


@pytest.mark.parametrize(("root", "order"), ORDERS)
@pytest.mark.parametrize("size", [1, 2, 5])
async def test_pages_join_to_the_whole(ask: Asking, root: str, order: str, size: int) -> None:
    whole = await page(ask, root, order, "first: 200")
    assert len(set(ids(whole))) == whole["totalCount"] >= 4
    for count, cursor, more in (("first", "after", "hasNextPage"), ("last", "before", "hasPreviousPage")):
        joined: list[str] = []
        beyond = ""
        for _ in range(whole["totalCount"] + 1):  # a page that repeats its start must not go on for ever
            found = await page(ask, root, order, f"{count}: {size}{beyond}")
            assert found["totalCount"] == whole["totalCount"]
            joined = joined + ids(found) if count == "first" else ids(found) + joined
            info = found["pageInfo"]
            assert info["startCursor"] == found["edges"][0]["cursor"]
            assert info["endCursor"] == found["edges"][-1]["cursor"]
            assert info["hasPreviousPage" if count == "first" else "hasNextPage"] == bool(beyond)
            if not info[more]:
                break
            beyond = f', {cursor}: "{info["endCursor" if count == "first" else "startCursor"]}"'
        assert joined == ids(whole), count


async def test_the_other_direction_turns_the_list_round(ask: Asking) -> None:
    up, down = [
        ids(await page(ask, "people", f"{{field: NAME, direction: {way}}}", "first: 99")) for way in ("ASC", "DESC")
    ]
    assert up == down[::-1]


async def test_nested_pages_join_as_well(ask: Asking) -> None:
    query = """query ($id: ID!, $after: String) { person(by: {id: $id}) { reports(first: 2, after: $after) {
                 totalCount nodes { name } pageInfo { hasNextPage endCursor } } } }"""
    names: list[str] = []
    after = None
    for _ in range(8):
        found = (await ask("ava", query, id=global_id("Person", person("carla")), after=after))["person"]["reports"]
        names += [node["name"] for node in found["nodes"]]
        assert found["totalCount"] == 7
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    assert names == sorted(["mia", "max", "hanna", "finn", "paul", "ava", "ivo"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("", "PAGE_SIZE_REQUIRED"),
        ("(first: 0)", "PAGE_SIZE_REQUIRED"),
        ("(first: 201)", "PAGE_SIZE_REQUIRED"),
        ("(first: -1)", "PAGE_SIZE_REQUIRED"),
        ("(first: 1, last: 1)", "PAGE_SIZE_REQUIRED"),
        ('(last: 1, after: "x")', "PAGE_SIZE_REQUIRED"),
        ('(first: 1, after: "x")', "INVALID_CURSOR"),
        ('(first: 1, after: "")', "INVALID_CURSOR"),
        ('(first: 1, after: "W10")', "INVALID_CURSOR"),
        ('(first: 1, filter: {cycle: {eq: "x"}})', "BAD_INPUT"),
        ('(first: 1, filter: {subject: {in: ["UGVyc29uOng="]}})', "BAD_INPUT"),
    ],
)
async def test_impossible_pages_are_refused_with_a_code(ask: Asking, arguments: str, code: str) -> None:
    answer = (await ask.post("ava", f"{{ scores{arguments} {{ nodes {{ id }} }} }}")).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == [code]
    assert answer["errors"][0]["extensions"]["fix"]
    assert await ask("ava", "{ scores(first: 1) { nodes { id } } }")


def forged(*values: str) -> str:
    return urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize(
    ("field", "cursor"),
    [
        ("people", forged("NAME", "ASC", "a\0b", str(person("ana")))),
        ("people", forged("NAME", "ASC", "\ud800", str(person("ana")))),
        ("people", forged("NAME", "ASC", "ana", "'; drop table mirror.person; --")),
        ("payoutBatches", forged("SEQUENCE", "ASC", "payroll-de-01", "9" * 30, str(person("ana")))),
        ("payoutBatches", forged("SEQUENCE", "ASC", "payroll-de-01", "9" * 5000, str(person("ana")))),
    ],
)
async def test_a_cursor_that_no_row_can_have_is_refused(ask: Asking, field: str, cursor: str) -> None:
    answer = (await ask.post("ava", f'{{ {field}(first: 1, after: "{cursor}") {{ nodes {{ id }} }} }}')).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INVALID_CURSOR"]


@pytest.mark.parametrize("by", ['email: "a\\u0000b"', 'sourceKey: "servicenow:\\u0000"'])
async def test_a_text_that_no_record_can_hold_is_refused(ask: Asking, by: str) -> None:
    answer = (await ask.post("ava", f"{{ person(by: {{{by}}}) {{ name }} }}")).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_INPUT"]
    assert (await ask("ava", '{ person(by: {email: "ana@example.com"}) { name } }'))["person"] == {"name": "ana"}


async def test_a_cursor_of_another_order_is_refused(ask: Asking) -> None:
    cursor = (await page(ask, "scores", "{field: SUBJECT}", "first: 1"))["pageInfo"]["endCursor"]
    for order, good in (
        ("{field: SUBJECT}", True),
        ("{field: DATA_AS_OF}", False),
        ("{field: SUBJECT, direction: DESC}", False),
    ):
        query = f'{{ scores(first: 1, after: "{cursor}", orderBy: {order}) {{ nodes {{ id }} }} }}'
        answer = (await ask.post("ava", query)).json()
        assert ("errors" not in answer) == good


async def test_lists_in_filters_are_bounded(ask: Asking) -> None:
    query = "query ($metrics: [String!]) { kpiValues(first: 1, filter: {metric: $metrics}) { nodes { id } } }"
    for metrics, good in ((["mttr"] * 200, True), (["mttr"] * 201, False), (["x" * 201], False), (["a\0"], False)):
        answer = (await ask.post("ava", query, {"metrics": metrics})).json()
        assert ("errors" not in answer) == good


async def statements(house: House, ask: Asking, query: str) -> list[str]:
    """The statements that the application role ran for this query."""
    seen: list[str] = []
    engine = house.store.engine(DbRole.APP).sync_engine

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        await ask("ava", query)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return seen


async def test_one_statement_a_level_however_many_rows(house: House, ask: Asking) -> None:
    """Five levels below all people cost as many statements as below one."""
    counts = []
    for size in (1, 12):
        query = f"""{{ people(first: {size}) {{ nodes {{ name manager {{ name }} reports(first: 3) {{ totalCount
                   nodes {{ name scores(first: 1) {{ nodes {{ cycle {{ label }} kpiValues(limit: 3) {{ metric
                     evidence(first: 2) {{ nodes {{ number revision {{ sourceKey }} }} }} }} }} }} }} }} }} }} }}"""
        counts.append(len(await statements(house, ask, query)))
    # identity, time limit, known?, people, manager, reports and their count, scores, cycle, values, evidence, revision
    assert counts[1] <= 12
    assert counts[0] <= counts[1]
