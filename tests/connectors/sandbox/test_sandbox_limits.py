"""What a limited account sees, what comes late, and what changes behind everybody's back: faults of content."""

from collections import Counter

import pytest

from connectors.sandbox.company_book import Row
from tests.connectors.sandbox.conftest import World

TABLE = "/api/now/v2/table/incident"
KEYSET = {"sysparm_query": "ORDERBYsys_id", "sysparm_fields": "sys_id"}


def plan(world: World, name: str, **rest: object) -> None:
    world.order("faults", [{"name": name, "match": {"table": "incident"}, **rest}])


@pytest.mark.parametrize("count", ["pre", "post"])
def test_hidden_rows_leave_short_and_empty_pages(world: World, count: str) -> None:
    every = sorted(world.sandbox.records.tables["incident"].rows)
    params = {"ids": every[:25], "count": count}
    plan(world, "acl_rows", times=None, params=params)
    pages = [world.ask(TABLE, sysparm_limit="10", sysparm_offset=str(start), **KEYSET) for start in range(0, 60, 10)]
    assert [len(page.json()["result"]) for page in pages] == [0, 0, 5, 10, 10, 10]
    assert {page.headers["X-Total-Count"] for page in pages} == {"60" if count == "pre" else "35"}
    assert world.ask(f"{TABLE}/{every[0]}").status_code == 404
    assert world.ask(f"{TABLE}/{every[0]}", "PATCH", {"state": "2"}).status_code == 404
    stats = world.ask("/api/now/stats/incident", sysparm_count="true").json()
    assert stats["result"]["stats"]["count"] == "60"  # it knows no rules about rows
    world.client.delete("/_sandbox/faults")
    assert len(world.rows("incident")) == 60


def test_rows_are_hidden_by_a_query_or_a_stable_share(world: World) -> None:
    plan(world, "acl_rows", times=None, params={"query": "state=7"})
    assert "7" not in {row["state"] for row in world.rows("incident")}
    world.client.delete("/_sandbox/faults")
    plan(world, "acl_rows", times=None, params={"share": 0.4}, seed=9)
    first, second = ({row["sys_id"] for row in world.rows("incident")} for _ in range(2))
    assert first == second
    assert 20 < len(first) < 50


def test_columns_are_dropped_without_a_word(world: World) -> None:
    plan(world, "acl_fields", params={"columns": ["state", "assigned_to"]})
    asked = {"sysparm_fields": "sys_id,state,assigned_to,number", "sysparm_limit": "1"}
    assert world.rows("incident", **asked)[0].keys() == {"sys_id", "number"}
    assert world.rows("incident", **asked)[0].keys() == {"sys_id", "number", "state", "assigned_to"}


@pytest.mark.parametrize(
    ("answer", "statuses"),
    [("empty", (200, 404, 403)), ("missing", (404, 404, 403)), ("forbidden", (403, 404, 403))],
)
def test_a_permission_may_be_lost_from_some_request_on(world: World, answer: str, statuses: tuple[int, ...]) -> None:
    key = world.rows("incident")[0]["sys_id"]
    plan(world, "permission_loss", times=None, skip=1, params={"answer": answer})
    assert len(world.rows("incident")) == 60
    found = (world.ask(TABLE), world.ask(f"{TABLE}/{key}"), world.ask(TABLE, "POST", {"state": "1"}))
    assert tuple(one.status_code for one in found) == statuses
    if answer == "empty":
        assert (found[0].json()["result"], found[0].headers["X-Total-Count"]) == ([], "0")
    assert len(world.rows("problem")) == 10


def test_a_version_shows_later_than_its_stamp(world: World) -> None:
    old = world.one("incident", state="2")
    plan(world, "late_commit", times=None, params={"seconds": 120})
    new = world.act("incident", "update", old["sys_id"], fields={"category": "late"})
    made = world.act("incident", "insert", fields={"category": "late"})

    def seen() -> dict[str, Row]:
        return {row["sys_id"]: row for row in world.rows("incident", f"sys_idIN{old['sys_id']},{made['sys_id']}")}

    assert seen() == {old["sys_id"]: old}
    assert world.rows("incident", "category=late") == []
    assert world.ask(f"{TABLE}/{made['sys_id']}").status_code == 404
    world.order("clock", {"advance_seconds": 121})
    assert seen() == {old["sys_id"]: new, made["sys_id"]: made}


def test_many_rows_share_a_second(world: World) -> None:
    plan(world, "tied_stamps", params={"rows": 25}, seed=4)
    rows = world.rows("incident")
    ties = Counter(row["sys_updated_on"] for row in rows)
    assert max(ties.values()) == 25
    assert Counter(row["sys_updated_on"] for row in world.rows("incident")) == ties  # once


def test_rows_change_silently(world: World) -> None:
    before = dict(world.sandbox.records.tables["incident"].rows)
    plan(world, "silent_update", params={"rows": 3}, seed=4)
    changed = {row["sys_id"]: row for row in world.rows("incident") if row != before[row["sys_id"]]}
    assert len(changed) == 3
    for sys_id, row in changed.items():
        assert {name for name in row if row[name] != before[sys_id][name]} == {"short_description"}
    assert world.sandbox.hooks.waiting == []


def test_a_repair_makes_clocks_anew_under_other_ids(world: World) -> None:
    tasks = Counter(row["task"] for row in world.rows("task_sla"))
    task, count = tasks.most_common(1)[0]
    before = world.rows("task_sla", f"task={task}^ORDERBYsys_created_on")
    plan(world, "sla_repair", params={"task": task})
    world.rows("incident", sysparm_limit="1")
    after = world.rows("task_sla", f"task={task}")
    assert len(after) == count
    assert not {row["sys_id"] for row in before} & {row["sys_id"] for row in after}

    def content(rows: list[Row]) -> list[tuple[str, ...]]:
        return sorted((row["sla"], row["stage"], row["has_breached"], row["planned_end_time"]) for row in rows)

    assert content(after) == content(before)
    assert world.rows("sys_audit_delete", "tablename=task_sla") == []


def test_people_work_between_two_pages(world: World) -> None:
    last = world.sandbox.records.tables["incident"].ids[-1]
    gone = {"tool": "servicenow", "table": "incident", "op": "delete", "key": last}
    plan(world, "edit_during_paging", skip=1, params={"acts": [gone]})
    first = world.rows("incident", "ORDERBYsys_id", sysparm_limit="30")
    second = world.rows("incident", f"sys_id>{first[-1]['sys_id']}^ORDERBYsys_id", sysparm_limit="60")
    assert len(first) + len(second) == 59
    assert last not in {row["sys_id"] for row in second}


def test_chance_edits_follow_the_seed(world: World) -> None:
    plan(world, "edit_during_paging", params={"edits": 40}, seed=2)
    before = set(world.sandbox.records.tables["incident"].rows)
    rows = world.rows("incident")
    now = {row["sys_id"] for row in rows}
    edited = [row for row in rows if row["short_description"].startswith("Edited")]
    assert now - before
    assert before - now
    assert {row["sys_id"] for row in edited} & before
    assert len({row["number"] for row in rows}) == len(rows)
    deleted = world.rows("sys_audit_delete", "tablename=incident")
    assert {row["documentkey"] for row in deleted} >= before - now


def test_dates_and_queries_follow_the_zone_of_the_account(world: World) -> None:
    row = world.one("incident", state="7")
    plan(world, "account_zone", times=None, params={"zone": "Pacific/Honolulu"})
    world.order("faults", [{"name": "account_zone", "match": {"table": "sys_user"}, "times": None,
                            "params": {"zone": "Pacific/Honolulu"}}])  # fmt: skip
    asked = {"sysparm_fields": "sys_updated_on", "sysparm_query": f"sys_id={row['sys_id']}"}
    both = world.ask(TABLE, sysparm_display_value="all", **asked).json()["result"][0]["sys_updated_on"]
    assert both["value"] == row["sys_updated_on"]
    assert both["display_value"] < both["value"]
    assert world.ask(TABLE, **asked).json()["result"][0]["sys_updated_on"] == row["sys_updated_on"]
    date, clock = both["display_value"].split(" ")
    written = f"sys_updated_on=javascript:gs.dateGenerate('{date}','{clock}')"
    assert row["sys_id"] in {found["sys_id"] for found in world.rows("incident", written)}
    assert world.rows("sys_user", "user_name=evenhand.integration")[0]["time_zone"] == "Pacific/Honolulu"


def test_chance_strikes_by_the_seed_until_it_is_forgotten(world: World) -> None:
    def struck(seed: int) -> list[int]:
        world.client.delete("/_sandbox/faults")
        plan(world, "http_error", probability=0.4, seed=seed)
        return [world.ask(TABLE, sysparm_limit="1").status_code for _ in range(40)]

    first = struck(1)
    assert struck(1) == first != struck(2)
    assert 8 < first.count(503) < 26
    world.client.delete("/_sandbox/faults")
    plan(world, "http_error", probability=1, times=2)
    assert [world.ask(TABLE, sysparm_limit="1").status_code for _ in range(3)] == [503, 503, 200]
    assert world.client.get("/_sandbox/state").json()["faults"] == []


def test_a_transaction_is_rolled_back_after_its_webhook(world: World) -> None:
    before = dict(world.sandbox.records.tables["incident"].rows)
    plan(world, "rolled_back", params={"rows": 3}, seed=4)
    assert {row["sys_id"]: row for row in world.rows("incident")} == before
    told = [event.content["record"] for event in world.sandbox.hooks.waiting]
    assert len(told) == 3
    for row in told:
        stood = before[row["sys_id"]]
        assert int(row["sys_mod_count"]) == int(stood["sys_mod_count"]) + 1
        assert row["short_description"] != stood["short_description"]
        assert row["sys_updated_on"] > stood["sys_updated_on"]
    plan(world, "rolled_back", params={"ops": ["insert"]})
    world.rows("incident")
    assert world.sandbox.hooks.waiting[-1].key not in world.sandbox.records.tables["incident"].rows


def test_rows_are_set_back(world: World) -> None:
    before, told = dict(world.sandbox.records.tables["incident"].rows), len(world.sandbox.hooks.waiting)
    plan(world, "set_back", params={"rows": 2}, seed=4)
    changed = {row["sys_id"]: row for row in world.rows("incident") if row != before[row["sys_id"]]}
    assert len(changed) == 2
    assert len(world.sandbox.hooks.waiting) == told
    for sys_id, row in changed.items():
        assert int(row["sys_mod_count"]) < int(before[sys_id]["sys_mod_count"])
        assert row["sys_updated_on"] < before[sys_id]["sys_updated_on"]
        again = world.act("incident", "update", sys_id, fields={"category": "after"})
        assert int(again["sys_mod_count"]) == int(row["sys_mod_count"]) + 1
        assert again["sys_updated_on"] > before[sys_id]["sys_updated_on"]


def test_faults_of_content_and_of_the_wire_meet(world: World) -> None:
    plan(world, "silent_update", params={"rows": 1})
    plan(world, "tied_stamps", params={"rows": 2})
    plan(world, "http_error")
    plan(world, "truncate")
    assert world.ask(TABLE).status_code == 503
    assert world.client.get("/_sandbox/log").json()[-1]["fault"] == "silent_update,tied_stamps,http_error"
    assert [fault["name"] for fault in world.client.get("/_sandbox/state").json()["faults"]] == ["truncate"]


def test_the_hourly_budget_refuses_when_its_count_is_committed(world: World) -> None:
    plan(world, "rate_limit", times=None, params={"budget": 3, "commit_seconds": 30})
    burst = [world.ask(TABLE, sysparm_limit="1") for _ in range(6)]
    assert {answer.status_code for answer in burst} == {200}  # the count comes later
    assert burst[0].headers["X-RateLimit-Limit"] == "3"
    world.order("clock", {"advance_seconds": 31})
    refused = world.ask(TABLE, sysparm_limit="1")
    now = int(world.sandbox.records.now.timestamp())
    assert refused.status_code == 429
    assert int(refused.headers["X-RateLimit-Reset"]) == now + int(refused.headers["Retry-After"])
    assert "Rate limit of 3 requests per hour" in refused.json()["error"]["detail"]
    world.order("clock", {"advance_seconds": int(refused.headers["Retry-After"])})
    assert world.ask(TABLE, sysparm_limit="1").status_code == 200


def test_a_body_drips(world: World) -> None:
    plan(world, "slow", params={"seconds": 0.02, "drip_bytes": 1000})
    assert len(world.rows("incident")) == 60
