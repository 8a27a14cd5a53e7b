"""The virtual clock, and agreed times that run on it."""

from email.utils import parsedate_to_datetime

import pytest

from tests.connectors.sandbox.conftest import CREDENTIALS, World

HOUR = 3_600
MINE = "Mine within two hours"


def agree(world: World, **more: str) -> str:
    """A definition of two hours for incidents of category `mine`."""
    fields = {
        "name": MINE, "type": "SLA", "target": "resolution", "collection": "incident", "active": "true",
        "duration": "1970-01-01 02:00:00", "start_condition": "category=mine^stateNOT IN6,7,8",
        "stop_condition": "stateIN6,7", "pause_condition": "state=3", "cancel_condition": "state=8",
        "reset_condition": "priority=1", "retroactive": "false", **more,
    }  # fmt: skip
    return world.act("contract_sla", "insert", fields=fields)["sys_id"]


@pytest.fixture
def task(world: World) -> str:
    agree(world)
    return world.act("incident", "insert", fields={"category": "mine", "state": "2"})["sys_id"]


def clocks(world: World, task: str) -> list[dict[str, str]]:
    return world.rows("task_sla", f"task={task}^sla.name={MINE}^ORDERBYsys_created_on")


def wait(world: World, seconds: int) -> dict[str, str]:
    return world.order("clock", {"advance_seconds": seconds})


def test_time_passes_everywhere_by_the_same_seconds(world: World) -> None:
    records, site = world.sandbox.records, world.sandbox.jira
    before, jira_before = records.now, site.now_ms
    moments = wait(world, 90)
    assert (records.now - before).total_seconds() == 90
    assert site.now_ms - jira_before == 90_000
    assert moments == {"servicenow": records.stamp, "jira_ms": site.now_ms}
    assert parsedate_to_datetime(world.ask("/api/now/v2/table/problem").headers["Date"]) == records.now


@pytest.mark.parametrize(
    "order", [{"advance_seconds": -1}, {"advance_seconds": 10**9}, {}, {"advance_seconds": "x"}, []]
)
def test_time_cannot_go_back_or_leap(world: World, order: object) -> None:
    before = world.sandbox.records.now
    assert world.client.post("/_sandbox/clock", json=order).status_code == 400
    assert world.sandbox.records.now == before


def test_a_clock_starts_runs_and_shows_another_reading_each_time(world: World, task: str) -> None:
    first = clocks(world, task)[0]
    assert (first["stage"], first["active"], first["has_breached"], first["duration"]) == (
        "in_progress", "true", "false", "1970-01-01 00:00:00")  # fmt: skip
    wait(world, 1800)
    second = clocks(world, task)[0]
    assert (second["duration"], second["time_left"], second["percentage"]) == (
        "1970-01-01 00:30:00", "1970-01-01 01:30:00", "25.00")  # fmt: skip
    wait(world, 60)
    third = clocks(world, task)[0]
    assert third["duration"] == "1970-01-01 00:31:00"


def test_a_breach_happens_at_its_own_second_and_is_told(world: World, task: str) -> None:
    due = clocks(world, task)[0]["planned_end_time"]
    world.sandbox.hooks.waiting.clear()
    wait(world, 2 * HOUR - 1)
    assert clocks(world, task)[0]["has_breached"] == "false"
    wait(world, 2)
    row = clocks(world, task)[0]
    assert (row["has_breached"], row["stage"], row["active"], row["time_left"]) == (
        "true", "in_progress", "true", "1970-01-01 00:00:00")  # fmt: skip
    told = [event for event in world.sandbox.hooks.waiting if event.key == row["sys_id"]]
    assert [event.content["record"]["sys_updated_on"] for event in told] == [due]


def test_jobs_rewrite_running_clocks_without_an_event(world: World, task: str) -> None:
    before = clocks(world, task)[0]
    world.sandbox.hooks.waiting.clear()
    wait(world, HOUR + 1)
    after = clocks(world, task)[0]
    assert int(after["sys_mod_count"]) == int(before["sys_mod_count"]) + 1
    assert before["sys_updated_on"] < after["sys_updated_on"] <= world.sandbox.records.stamp
    assert [event for event in world.sandbox.hooks.waiting if event.key == after["sys_id"]] == []


def test_a_pause_stops_the_clock_and_moves_its_end(world: World, task: str) -> None:
    due = clocks(world, task)[0]["planned_end_time"]
    wait(world, HOUR)
    world.act("incident", "update", task, fields={"state": "3"})
    paused = clocks(world, task)[0]
    wait(world, 5 * HOUR)
    standing = clocks(world, task)[0]
    assert (standing["stage"], standing["has_breached"]) == ("paused", "false")
    assert standing["duration"] == paused["duration"]
    world.act("incident", "update", task, fields={"state": "2"})
    row = clocks(world, task)[0]
    assert (row["stage"], row["pause_time"], row["pause_duration"]) == ("in_progress", "", "1970-01-01 05:00:01")
    assert row["planned_end_time"] > due == row["original_breach_time"]
    world.act("incident", "update", task, fields={"state": "6"})
    done = clocks(world, task)[0]
    assert (done["stage"], done["active"], done["has_breached"]) == ("completed", "false", "false")
    wait(world, HOUR)
    assert clocks(world, task)[0] == done


@pytest.mark.parametrize(
    ("fields", "stages"),
    [
        ({"state": "6"}, ["completed"]),
        ({"state": "8"}, ["cancelled"]),
        ({"priority": "1"}, ["completed", "in_progress"]),
        ({"priority": "2"}, ["in_progress"]),
    ],
)
def test_a_clock_ends_is_called_off_or_starts_again(
    world: World, task: str, fields: dict[str, str], stages: list[str]
) -> None:
    wait(world, 60)
    world.act("incident", "update", task, fields=fields)
    rows = clocks(world, task)
    assert sorted(row["stage"] for row in rows) == stages
    assert len({row["start_time"] for row in rows}) == len(rows)


def test_late_work_is_breached_when_it_ends(world: World, task: str) -> None:
    wait(world, 3 * HOUR)
    world.act("incident", "update", task, fields={"state": "6"})
    row = clocks(world, task)[0]
    assert (row["stage"], row["has_breached"], row["end_time"] > row["planned_end_time"]) == ("completed", "true", True)


def test_a_task_and_its_clocks_go_together(world: World, task: str) -> None:
    world.act("incident", "delete", task)
    assert clocks(world, task) == []
    assert world.rows("sys_audit_delete", "tablename=task_sla") == []  # as the attribute no_audit_delete has it


def test_on_a_schedule_nights_do_not_count(world: World) -> None:
    schedule = world.rows("cmn_schedule")[0]["sys_id"]
    agree(world, schedule=schedule)
    wait(world, 16 * HOUR)  # Thursday, an hour before work ends
    task = world.act("incident", "insert", fields={"category": "mine", "state": "2"})["sys_id"]
    assert clocks(world, task)[0]["planned_end_time"] == "2025-12-26 10:00:02"
    wait(world, 16 * HOUR)
    row = clocks(world, task)[0]
    assert (row["has_breached"], row["business_duration"], row["duration"]) == (
        "false", "1970-01-01 00:59:58", "1970-01-01 16:00:00")  # fmt: skip


def test_a_token_ends_when_its_time_has_passed(world: World) -> None:
    login = CREDENTIALS.servicenow
    form = {"grant_type": "client_credentials", "client_id": login.client_id, "client_secret": login.client_secret}
    token = world.client.post("/oauth_token.do", data=form).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}

    def status() -> int:
        return world.client.get("/api/now/table/problem", headers=bearer, auth=None).status_code

    assert status() == 200
    wait(world, 1_790)
    assert status() == 200
    wait(world, 10)
    assert status() == 401
