"""What users of the imitated ServiceNow do on order, and what follows from it."""

import pytest

from tests.connectors.sandbox.conftest import World


def waiting(world: World) -> list[tuple[str, str, str]]:
    return [(event.table, event.op, event.key) for event in world.sandbox.hooks.waiting]


def audit(world: World, key: str, since: int = 0) -> dict[str, tuple[str, str]]:
    rows = world.rows("sys_audit", f"documentkey={key}^ORDERBYsys_created_on")
    return {row["fieldname"]: (row["oldvalue"], row["newvalue"]) for row in rows[since:]}


def test_an_edit_moves_stamp_and_version_is_audited_and_waits_to_be_told(world: World) -> None:
    old = world.one("incident", state="2")
    before = len(world.rows("sys_audit", f"documentkey={old['sys_id']}"))
    new = world.act("incident", "update", old["sys_id"], fields={"priority": "1"}, by="ada.abend")
    assert int(new["sys_mod_count"]) == int(old["sys_mod_count"]) + 1
    assert (new["sys_updated_on"] > old["sys_updated_on"], new["sys_updated_by"]) == (True, "ada.abend")
    assert audit(world, old["sys_id"], before) == {"priority": (old["priority"], "1")}
    entry = world.rows("sys_audit", f"documentkey={old['sys_id']}^ORDERBYDESCsys_created_on")[0]
    assert (entry["record_checkpoint"], entry["user"], entry["tablename"]) == (
        new["sys_mod_count"], "ada.abend", "incident")  # fmt: skip
    assert not {"sys_updated_on", "sys_mod_count"} & entry.keys()
    assert waiting(world)[0] == ("incident", "update", old["sys_id"])
    assert world.sandbox.hooks.waiting[0].content["record"] == new


@pytest.mark.parametrize(
    ("switch", "versions", "stamped"), [("silent", 0, False), ("no_rules", 1, True)]
)  # fmt: skip
def test_an_edit_behind_the_rules_is_told_to_nobody(world: World, switch: str, versions: int, stamped: bool) -> None:
    old = world.one("incident", state="2")
    before = len(world.rows("sys_audit"))
    new = world.act("incident", "update", old["sys_id"], fields={"state": "6"}, **{switch: True})
    assert int(new["sys_mod_count"]) == int(old["sys_mod_count"]) + versions
    assert (new["sys_updated_on"] > old["sys_updated_on"]) == stamped
    assert (new["state"], new["resolved_at"]) == ("6", "")  # no rule filled it in
    assert world.rows("incident", f"sys_id={old['sys_id']}")[0] == new
    assert len(world.rows("sys_audit")) == before
    assert waiting(world) == []


@pytest.mark.parametrize(("switches", "traces"), [({}, 1), ({"silent": True}, 0), ({"no_rules": True}, 0)])
def test_a_delete_leaves_a_trace_unless_it_is_silent(world: World, switches: dict[str, bool], traces: int) -> None:
    key = world.one("problem")["sys_id"]
    world.act("problem", "delete", key, **switches)
    assert world.ask(f"/api/now/v2/table/problem/{key}").status_code == 404
    told = world.rows("sys_audit_delete", f"documentkey={key}")
    assert len(told) == traces
    assert all(row["tablename"] == "problem" and f"<sys_id>{key}</sys_id>" in row["payload"] for row in told)
    assert waiting(world) == [("problem", "delete", key)] * traces


def test_a_silent_insert_may_bring_its_own_system_columns(world: World) -> None:
    fields = {"sys_id": "f" * 32, "sys_updated_on": "2025-12-01 00:00:00", "sys_mod_count": 3, "number": "INC9"}
    made = world.act("incident", "insert", fields=fields, silent=True)
    assert (made["sys_id"], made["sys_updated_on"], made["sys_mod_count"]) == ("f" * 32, "2025-12-01 00:00:00", "3")
    assert [row["sys_id"] for row in world.rows("incident", "number=INC9")] == ["f" * 32]


def test_an_insert_is_filled_in_by_the_instance(world: World) -> None:
    made = world.act("incident", "insert", fields={"short_description": "New"}, by="ada.abend")
    assert (made["state"], made["incident_state"], made["active"], made["sys_mod_count"]) == ("1", "1", "true", "0")
    assert made["number"].startswith("INC")
    assert made["opened_at"] == made["sys_created_on"] == world.sandbox.records.stamp
    assert world.rows("sys_audit", f"documentkey={made['sys_id']}") == []  # inserts are not audited


def test_an_incident_is_resolved_reopened_and_closed(world: World) -> None:
    key = world.one("incident", state="2", reopen_count="0")["sys_id"]
    group = world.one("sys_user_group", name="Applications 1")["sys_id"]
    course = [
        ({"state": "6"}, {"incident_state": "6", "active": "true"}, {"resolved_at", "business_stc"}),
        ({"state": "2"}, {"reopen_count": "1", "resolved_at": "", "active": "true"}, {"reopened_time"}),
        ({"state": "3", "hold_reason": "4"}, {"hold_reason": "4"}, set()),
        ({"incident_state": "2"}, {"state": "2", "hold_reason": ""}, set()),
        ({"state": "6", "resolved_at": "2025-12-25 00:00:00"}, {"resolved_at": "2025-12-25 00:00:00"}, set()),
        ({"state": "7"}, {"active": "false"}, {"closed_at"}),
        ({"assignment_group": group}, {"assignment_group": group}, set()),
    ]  # fmt: skip
    for fields, wanted, filled in course:
        row = world.act("incident", "update", key, fields=fields)
        assert {name: row[name] for name in wanted} == wanted, fields
        assert all(row[name] for name in filled), fields


@pytest.mark.parametrize("verdict", ["approved", "rejected"])
def test_the_first_answer_settles_a_request_and_excuses_the_others(world: World, verdict: str) -> None:
    change = world.one("change_request", state="-3", approval="requested")
    query = f"sysapproval={change['sys_id']}^ORdocument_id={change['sys_id']}"
    asked = world.rows("sysapproval_approver", query)
    world.act("sysapproval_approver", "update", asked[0]["sys_id"], fields={"state": verdict}, by="ada.abend")
    after = world.rows("sysapproval_approver", query)
    states = {row["sys_id"]: row["state"] for row in after}
    assert states == {row["sys_id"]: "not_required" for row in asked} | {asked[0]["sys_id"]: verdict}
    assert len({row["sys_updated_on"] for row in after}) == 1  # one transaction, one second
    assert world.rows("sysapproval_group", f"parent={change['sys_id']}")[0]["approval"] == verdict
    told = world.rows("change_request", f"sys_id={change['sys_id']}")[0]
    assert (told["approval"], bool(told["approval_set"])) == (verdict, True)
    assert told["state"] == ("-2" if verdict == "approved" else "-3")
    assert {row["fieldname"] for row in world.rows("sys_audit", f"documentkey={asked[0]['sys_id']}")} == {"state"}


def test_a_change_asks_its_board_member_by_member_and_a_cancelled_one_nobody(world: World) -> None:
    service = world.rows("cmdb_ci_service")[0]
    fields = {"business_service": service["sys_id"], "approval": "requested", "state": "-3"}
    change = world.act("change_request", "insert", fields=fields)
    asked = world.rows("sysapproval_approver", f"sysapproval={change['sys_id']}")
    members = world.rows("sys_user_grmember", f"group={service['change_control']}")
    assert {row["approver"] for row in asked} == {row["user"] for row in members}
    assert {row["group"] for row in asked} == {
        row["sys_id"] for row in world.rows("sysapproval_group", f"parent={change['sys_id']}")
    }
    world.act("change_request", "update", change["number"], fields={"state": "4"})
    after = world.rows("sysapproval_approver", f"sysapproval={change['sys_id']}")
    assert {row["state"] for row in after} == {"not_required"}


def test_an_item_on_the_agenda_dates_its_change(world: World) -> None:
    meeting, change = world.rows("cab_meeting")[0], world.one("change_request", type="standard")
    world.act("cab_agenda_item", "insert", fields={"cab_meeting": meeting["sys_id"], "task": change["sys_id"]})
    assert world.rows("change_request", f"sys_id={change['sys_id']}")[0]["cab_date_time"] == meeting["start"]


@pytest.mark.parametrize(
    ("act", "named"),
    [
        ({"tool": "mainframe", "table": "incident", "op": "update", "key": "x"}, "mainframe"),
        ({"tool": "servicenow", "table": "incident", "op": "upsert"}, "upsert"),
        ({"tool": "servicenow", "table": "incident", "op": "update", "key": "none"}, "no record 'none'"),
        ({"tool": "servicenow", "op": "insert"}, "table"),
    ],
)
def test_an_act_that_cannot_be_done_is_refused_with_its_place(world: World, act: dict[str, str], named: str) -> None:
    first = {"tool": "servicenow", "table": "incident", "op": "insert", "fields": {"number": "INC1"}}
    answer = world.client.post("/_sandbox/act", json=[first, act])
    assert answer.status_code == 400
    assert answer.json()["error"]["what"].startswith("Act 1 ")
    assert named in answer.json()["error"]["what"]
    assert len(world.rows("incident", "number=INC1")) == 1
