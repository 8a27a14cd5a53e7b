"""Batches, counts by group, columns against columns, and what the instance ignores without a word."""

import base64
import json
from typing import Any

import pytest

from tests.connectors.sandbox.conftest import World

TABLE = "/api/now/v2/table/incident"


def item(number: str, method: str, url: str, body: object = None, **more: Any) -> dict[str, Any]:
    coded = base64.b64encode(json.dumps(body).encode()).decode() if body is not None else ""
    headers = [{"name": "Content-Type", "value": "application/json"}]
    return {"id": number, "method": method, "url": url, "headers": headers, "body": coded, **more}


def batch(world: World, *items: dict[str, Any]) -> dict[str, Any]:
    order = {"batch_request_id": "b1", "rest_requests": list(items)}
    answer = world.ask("/api/now/v1/batch", "POST", order)
    assert answer.status_code == 200
    return answer.json()


def result(served: dict[str, Any]) -> Any:
    return json.loads(base64.b64decode(served["body"]))["result"]


def test_a_batch_runs_every_item(world: World) -> None:
    key = world.one("incident", state="2")["sys_id"]
    answer = batch(
        world,
        item("1", "PATCH", f"/api/now/table/incident/{key}", {"correlation_id": "b"}, exclude_response_headers=True),
        item("2", "GET", "/api/now/v2/table/problem?sysparm_limit=2&sysparm_fields=number"),
        item("3", "GET", f"/api/now/table/incident/{'0' * 32}"),
        item("4", "POST", "/api/now/table/u_evenhand_score", {"u_score": "1"}),
        item("5", "POST", "/api/now/v1/batch", {}),
    )
    assert answer["batch_request_id"] == "b1"
    assert answer["unserviced_requests"] == []
    served = answer["serviced_requests"]
    assert [(one["id"], one["status_code"]) for one in served] == [
        ("1", 200), ("2", 200), ("3", 404), ("4", 201), ("5", 400)]  # fmt: skip
    assert served[0]["headers"] == []
    assert "x-total-count" in {header["name"] for header in served[1]["headers"]}
    assert len(result(served[1])) == 2
    assert world.rows("incident", "correlation_id=b")[0]["sys_id"] == key
    assert len(world.rows("u_evenhand_score")) == 1


def test_items_of_a_batch_may_be_left(world: World) -> None:
    world.order(
        "faults", [{"name": "batch_unserviced", "params": {"items": 2}, "match": {"path": "/api/now/v1/batch"}}]
    )
    items = [item(str(n), "POST", "/api/now/table/u_evenhand_score", {"u_score": str(n)}) for n in range(4)]
    answer = batch(world, *items)
    assert answer["unserviced_requests"] == ["2", "3"]
    assert [one["id"] for one in answer["serviced_requests"]] == ["0", "1"]
    assert {row["u_score"] for row in world.rows("u_evenhand_score")} == {"0", "1"}
    assert batch(world, *items[2:])["unserviced_requests"] == []


@pytest.mark.parametrize("order", [{}, {"rest_requests": "all"}, []])
def test_what_is_no_batch_is_refused(world: World, order: object) -> None:
    assert world.ask("/api/now/v1/batch", "POST", order).status_code == 400


def test_a_batch_needs_credentials(world: World) -> None:
    assert world.client.post("/api/now/v1/batch", json={"rest_requests": []}, auth=None).status_code == 401


def test_counts_come_by_group(world: World) -> None:
    params = {"sysparm_count": "true", "sysparm_group_by": "state"}
    groups = world.ask("/api/now/stats/incident", **params).json()["result"]
    counts = {group["groupby_fields"][0]["value"]: int(group["stats"]["count"]) for group in groups}
    assert sum(counts.values()) == 60
    assert counts["7"] == len(world.rows("incident", "state=7"))


def test_an_invalid_part_is_ignored_unless_the_customer_says_otherwise(world: World) -> None:
    probe = "eh_no_such_column=1"
    assert len(world.rows("incident", probe)) == 60
    key = world.rows("sys_properties", "name=glide.invalid_query.returns_no_rows")[0]["sys_id"]
    world.act("sys_properties", "update", key, fields={"value": "true"})
    answer = world.ask(TABLE, sysparm_query=probe)
    assert (answer.json()["result"], answer.headers["X-Total-Count"]) == ([], "0")
    stats = world.ask("/api/now/stats/incident", sysparm_query=probe, sysparm_count="true").json()
    assert stats["result"]["stats"]["count"] == "0"
    assert len(world.rows("incident", "state=7")) > 0


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("assigned_toSAMEASresolved_by", lambda row: row["assigned_to"] == row["resolved_by"]),
        ("assigned_toNSAMEASresolved_by", lambda row: row["assigned_to"] != row["resolved_by"]),
        ("closed_atGT_FIELDresolved_at", lambda row: row["closed_at"] > row["resolved_at"]),
        ("closed_atLT_OR_EQUALS_FIELDresolved_at", lambda row: row["closed_at"] <= row["resolved_at"]),
        ("closed_atGT_FIELDno_such_column", lambda row: True),
    ],
)
def test_columns_are_compared_with_columns(world: World, query: str, holds: Any) -> None:
    found = {row["sys_id"] for row in world.rows("incident", query)}
    rows = world.sandbox.records.tables["incident"].rows
    assert found == {key for key, row in rows.items() if holds(row)}
    assert found


def test_a_write_drops_unknown_fields_and_keeps_choices(world: World) -> None:
    row = world.one("incident", state="2")
    content = {"no_such_column": "x", "state": "", "description": "told", "correlation_id": ""}
    after = world.ask(f"{TABLE}/{row['sys_id']}", "PATCH", content).json()["result"]
    assert "no_such_column" not in after
    assert (after["state"], after["description"]) == ("2", "told")


def test_a_journal_entry_has_no_version(world: World) -> None:
    key = world.one("incident", state="2")["sys_id"]
    world.ask(f"{TABLE}/{key}", "PATCH", {"comments": "EH-01J9ZK3"})
    entry = world.rows("sys_journal_field", f"element_id={key}^valueLIKEEH-01J9ZK3")[0]
    assert (entry["element"], entry["name"]) == ("comments", "incident")
    assert not {"sys_updated_on", "sys_updated_by", "sys_mod_count"} & entry.keys()


@pytest.mark.parametrize(
    ("table", "column"),
    [("sys_audit", "documentkey"), ("sysapproval_approver", "document_id"), ("asmt_metric_result", "source_id")],
)
def test_an_id_without_a_table_is_no_reference(world: World, table: str, column: str) -> None:
    asked = {"sysparm_exclude_reference_link": "false", "sysparm_limit": "1"}
    value = world.rows(table, f"{column}ISNOTEMPTY", **asked)[0][column]
    assert isinstance(value, str)
    assert len(value) == 32
