"""What is said of a connection before it is trusted: every right that is missing, by name, and what to do about it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import orjson
import pytest

from connectors.servicenow.check import check
from connectors.servicenow.contract import Contract, read_contract, standard
from connectors.source import Check, CheckState
from tests.connectors.servicenow.imitation import CREDENTIALS, Imitation

SIZE = "small"
OK, WARN, FAIL = CheckState.OK, CheckState.WARN, CheckState.FAIL
CONTRACT = {name: standard()[name] for name in ("sys_user_group", "problem", "sys_audit")}


@pytest.fixture
def now(instance: Imitation) -> datetime:
    """The instance's own time, which stands still between writes."""
    answer = instance.user.get("/sys_user_group", params={"sysparm_limit": "1"})
    return datetime.strptime(answer.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)


@pytest.fixture
def ourselves(instance: Imitation) -> Any:
    """The integration user's own record, lent to a test."""
    rows, name = instance.tables["sys_user"].rows, CREDENTIALS.servicenow.user
    made = "" if any(row["user_name"] == name for row in rows.values()) else instance.write("sys_user", user_name=name)
    key = next(key for key, row in rows.items() if row["user_name"] == name)
    zone, rows[key]["time_zone"] = rows[key].get("time_zone", ""), "GMT"
    yield key
    rows[key]["time_zone"] = zone
    if made:
        instance.delete("sys_user", made)


def checked(instance: Imitation, now: datetime, contract: Contract = CONTRACT, **changes: Any) -> dict[str, Check]:
    found = check(instance.configured(contract=contract, **changes), now)
    assert len({each.name for each in found}) == len(found)
    assert all(each.fix for each in found if each.state is not OK)
    return {each.name: each for each in found}


def test_a_good_connection_fails_nothing(instance: Imitation, now: datetime, ourselves: str) -> None:
    found = checked(instance, now, standard())
    assert [each for each in found.values() if each.state is FAIL] == []
    for name in ("credentials", "clock", "time zone", "table incident", "table sysapproval_approver"):
        assert found[name].state is OK, found[name]
    rows = len(instance.tables["incident"].rows)
    assert str(rows) in found["table incident"].what


def test_nothing_is_written(instance: Imitation, now: datetime) -> None:
    began = len(instance.asked())
    checked(instance, now)
    assert {entry["method"] for entry in instance.asked()[began:]} == {"GET"}


def test_who_is_not_let_in_is_told_so_and_no_more(instance: Imitation, now: datetime) -> None:
    found = checked(instance, now, password="wrong")
    assert {name: each.state for name, each in found.items()} == {"credentials": FAIL}
    instance.break_down("html_login", times=1)
    assert "login page" in checked(instance, now)["credentials"].what


@pytest.mark.parametrize(("minutes", "state"), [(0, OK), (2, WARN), (-2, WARN), (6, FAIL), (-600, FAIL)])
def test_clocks_that_differ(instance: Imitation, now: datetime, minutes: int, state: CheckState) -> None:
    found = checked(instance, now + timedelta(minutes=minutes))["clock"]
    assert found.state is state
    assert ("behind" if minutes > 0 else "ahead") in found.what or minutes == 0


@pytest.mark.parametrize(("zone", "state"), [("GMT", OK), ("Europe/Zurich", WARN), ("", WARN)])
def test_the_integration_users_time_zone(
    instance: Imitation, now: datetime, ourselves: str, zone: str, state: CheckState
) -> None:
    instance.tables["sys_user"].rows[ourselves]["time_zone"] = zone
    found = checked(instance, now)["time zone"]
    assert found.state is state
    instance.veil.hidden.add(ourselves)
    assert checked(instance, now)["time zone"].state is WARN


def test_a_query_that_is_not_understood(instance: Imitation, now: datetime) -> None:
    """The base system drops what it does not understand, and gives every row."""
    assert checked(instance, now)["queries"].state is WARN
    assert "glide.invalid_query.returns_no_rows" in checked(instance, now)["queries"].fix


def test_a_forbidden_table_fails_and_the_others_are_looked_at(instance: Imitation, now: datetime) -> None:
    instance.veil.forbidden.add("problem")
    found = checked(instance, now)
    assert found["table problem"].state is FAIL
    assert "problem" in found["table problem"].fix
    assert found["table sys_user_group"].state is OK


def test_a_table_whose_rows_are_hidden_is_told_from_an_empty_one(instance: Imitation, now: datetime) -> None:
    instance.veil.hidden.update(instance.tables["problem"].rows)
    hidden = checked(instance, now)["table problem"]
    assert (hidden.state, "hidden from us" in hidden.what, "rows" in hidden.what) == (WARN, True, True)
    instance.veil.lift()
    instance.veil.emptied.add("problem")
    assert "empty, or hidden" in checked(instance, now)["table problem"].what


def test_a_hidden_column_of_the_contract_fails(instance: Imitation, now: datetime) -> None:
    instance.veil.columns.add("assigned_to")
    found = checked(instance, now)["column problem.assigned_to"]
    assert found.state is FAIL
    assert found.fix


def dictionary(instance: Imitation) -> None:
    """What of its own dictionary the instance shows us, where it has none yet."""
    if not instance.tables.get("sys_dictionary") or not instance.tables["sys_dictionary"].rows:
        task = instance.write("sys_db_object", name="task")
        instance.write("sys_db_object", name="problem", super_class=task)
        for table, element in (("task", "assigned_to"), ("task", "number"), ("problem", "u_root_cause")):
            instance.write("sys_dictionary", name=table, element=element)


def test_the_dictionary_tells_a_hidden_column_from_one_that_is_not_there(instance: Imitation, now: datetime) -> None:
    """A column stands in the dictionary of the table's parent, where it inherits it."""
    dictionary(instance)
    fields = {"number": {"from": "number", "as": "text"}, "state": {"from": "u_no_such_state", "as": "text"}}
    wrong = read_contract(orjson.dumps({"entities": {"problem": {"kind": "PROBLEM", "fields": fields}}}).decode())
    found = checked(instance, now, wrong)["column problem.u_no_such_state"]
    assert (found.state, "does not exist" in found.what) == (FAIL, True)
    instance.veil.columns.add("assigned_to")
    hidden = checked(instance, now)["column problem.assigned_to"]
    assert (hidden.state, "is hidden from us" in hidden.what) == (FAIL, True)
    assert "contract" not in hidden.fix


def test_an_optional_column_or_table_that_is_not_there_warns(instance: Imitation, now: datetime) -> None:
    fields = {"number": {"from": "number", "as": "text"},
              "root_cause": {"from": "u_cause_class", "as": "text", "optional": True}}  # fmt: skip
    entities = {
        "problem": {"kind": "PROBLEM", "fields": fields},
        "u_no_such_table": {"kind": "PROBLEM", "fields": fields, "optional": True},
        "u_nor_this": {"kind": "PROBLEM", "fields": fields},
    }
    contract = read_contract(orjson.dumps({"entities": entities}).decode())
    found = checked(instance, now, contract)
    states = {name: each.state for name, each in found.items()}
    assert states["column problem.u_cause_class"] is WARN
    assert (states["table u_no_such_table"], states["table u_nor_this"]) == (WARN, FAIL)


def test_what_is_missing_beside_the_contract(instance: Imitation, now: datetime) -> None:
    """Without the list of deletes the sweep finds them; without our own table no score is written back."""
    instance.veil.forbidden.update({"sys_audit_delete", "u_evenhand_score"})
    found = checked(instance, now)
    assert found["table sys_audit_delete"].state is WARN
    assert found["table u_evenhand_score"].state is WARN
    assert "u_outbox_id" in found["table u_evenhand_score"].fix


def test_an_audit_that_is_read_record_by_record_is_not_counted(instance: Imitation, now: datetime) -> None:
    began = len(instance.asked())
    checked(instance, now, {"sys_audit": replace(standard()["sys_audit"])})
    asked = [entry for entry in instance.asked()[began:] if entry["path"].endswith("/sys_audit")]
    assert [entry["path"] for entry in asked] == ["/api/now/v2/table/sys_audit"]
    assert "sysparm_no_count=true" in asked[0]["query"]
    assert "fieldname" not in unquote(asked[0]["query"]).partition("sysparm_query=")[2].partition("&")[0]
