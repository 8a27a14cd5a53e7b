"""A small world: made in milliseconds, the same for everybody, whole, and different for every seed."""

import time
from collections import Counter

import pytest

from connectors.sandbox.company_small import small_company
from connectors.sandbox.servicenow_columns import INSERT_ONLY, TABLES, columns
from tests.connectors.sandbox.conftest import World, small_world

EMPTY = {"sys_audit_delete", "u_evenhand_score"}  # nothing was deleted, nothing written back


def test_every_table_is_filled(world: World) -> None:
    rows = {name: len(world.sandbox.records.tables[name].rows) for name in TABLES}
    assert {name for name, count in rows.items() if not count} == EMPTY
    assert {name: rows[name] for name in ("incident", "change_request", "problem", "sys_user_group", "core_company",
                                          "cmdb_ci_service")} == {
        "incident": 60, "change_request": 15, "problem": 10, "sys_user_group": 3, "core_company": 2,
        "cmdb_ci_service": 4}  # fmt: skip
    assert Counter(r["identity_type"] for r in world.rows("sys_user")) == {"human": 12, "machine": 3}


def test_work_stands_in_every_state(world: World) -> None:
    def words(table: str, column: str) -> set[str]:
        return {row[column] for row in world.rows(table)}

    assert words("incident", "state") >= {"2", "3", "6", "7", "8"}
    assert words("change_request", "state") >= {"-3", "3", "4"}
    assert words("problem", "state") == {"101", "107"}
    assert words("sysapproval_approver", "state") == {"requested", "approved", "rejected", "not_required"}
    assert words("sysapproval_group", "approval") == {"requested", "approved", "rejected"}
    assert words("task_sla", "stage") == {"in_progress", "paused", "completed", "cancelled"}
    assert words("task_sla", "has_breached") == {"true", "false"}
    assert words("contract_sla", "type") == {"SLA", "OLA", "Underpinning contract"}


def test_every_row_is_text_and_every_reference_leads_to_a_row(world: World) -> None:
    records = world.sandbox.records
    for name, table in records.tables.items():
        for sys_id, row in table.rows.items():
            assert all(type(value) is str for value in row.values())
            assert row["sys_id"] == sys_id
            assert ("sys_mod_count" in row) == (name not in INSERT_ONLY)
            assert row["sys_created_on"] <= row.get("sys_updated_on", records.stamp) <= records.stamp
            for column, value in row.items():
                kind = columns(name).get(column)
                if value and kind is not None and kind.kind == "reference":
                    assert value in records.where, (name, column, value)


def test_the_seed_alone_decides(world: World) -> None:
    same, other = small_world(1), small_world(2)
    held = world.client.get("/_sandbox/truth").json()
    assert same.client.get("/_sandbox/truth").json() == held
    assert other.client.get("/_sandbox/truth").json()["servicenow"].keys() == held["servicenow"].keys()
    assert not set(other.sandbox.records.tables["incident"].rows) & set(held["servicenow"]["incident"])


def test_it_is_made_in_milliseconds() -> None:
    small_company(1, "evenhand.integration")
    began = time.process_time()
    for seed in range(20):
        small_company(seed, "evenhand.integration")
    assert (time.process_time() - began) / 20 < 0.1  # 25 ms on a machine with nothing else to do


def test_another_world_takes_its_place(world: World) -> None:
    world.act("incident", "insert", fields={"short_description": "of the first world"})
    world.order("seed", {"seed": 2})
    assert world.rows("incident", "short_description=of the first world") == []
    assert world.client.get("/_sandbox/state").json()["waiting"]["servicenow"] == 0
    assert {row["sys_id"] for row in world.rows("incident")} == set(
        small_world(2).sandbox.records.tables["incident"].rows
    )
    assert world.client.post("/_sandbox/seed", json={"seed": 2, "size": "huge"}).status_code == 400


def test_truth_is_what_a_reader_with_all_rights_sees(world: World) -> None:
    held = world.client.get("/_sandbox/truth", params={"tables": "incident,task_sla"}).json()["servicenow"]
    assert held.keys() == {"incident", "task_sla"}
    for table, rows in held.items():
        assert {row["sys_id"]: row for row in world.rows(table)} == rows


@pytest.mark.parametrize("table", ["incident", "sysapproval_approver", "service_offering", "sys_audit"])
def test_the_dictionary_tells_the_columns_and_names_the_parent_for_inherited_ones(world: World, table: str) -> None:
    chain, above = [table], world.rows("sys_db_object", f"name={table}")
    while above and above[0]["super_class"]:
        above = world.rows("sys_db_object", f"sys_id={above[0]['super_class']}")
        chain.append(above[0]["name"])
    told = world.rows("sys_dictionary", f"nameIN{','.join(chain)}")
    assert {row["element"] for row in told} == world.rows(table, sysparm_limit="1")[0].keys()
    assert len(chain) == (2 if table in ("incident", "service_offering") else 1)


def test_a_doctor_finds_the_account_its_zone_and_its_roles(world: World) -> None:
    account = world.rows("sys_user", "user_name=evenhand.integration")[0]
    assert (account["time_zone"], account["active"], account["internal_integration_user"]) == ("GMT", "true", "true")
    roles = world.rows("sys_user_has_role", f"user={account['sys_id']}", sysparm_fields="role.name")
    assert {row["role.name"] for row in roles} >= {"itil", "evenhand.reader"}
