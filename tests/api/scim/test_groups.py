"""Groups ask for roles, people decide: requests come and go with memberships, names and what was decided."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from api.actions import role_requests
from engine.refusal import Code, Refused
from engine.words import Role
from schema.store import Viewer
from tests.api.scim.office import ROLES, UNTIL, Office, mirror_people, person

AUDITORS = "Pay: auditors"


async def decide(office: Office, by: str, request: UUID, *, until: Any = UNTIL, refuse: bool = False) -> None:
    house, viewer, now = office.house, Viewer(person(by)), office.clock()
    if refuse:
        await role_requests.refuse(house.store, house.log, viewer, request, now)
    else:
        await role_requests.approve(house.store, house.log, viewer, request, until, now)


async def waiting(office: Office) -> list[dict[str, Any]]:
    house = office.house
    return await role_requests.open_requests(house.store, house.log, dict(ROLES), office.clock())


async def refused(office: Office, code: Code, by: str, request: UUID, **how: Any) -> None:
    before = await office.rows("select * from access.role_request")
    with pytest.raises(Refused) as no:
        await decide(office, by, request, **how)
    assert (no.value.code, bool(no.value.fix)) == (code, True)
    assert await office.rows("select * from access.role_request") == before


@pytest.mark.capability("I3.5")
async def test_a_group_asks_and_a_second_person_decides(fresh: Office) -> None:
    await fresh.grant("hugo", Role.HR)
    await fresh.group(AUDITORS.upper(), await fresh.account("ana"))
    assert not await fresh.holds("ana", Role.AUDITOR), "a group alone gives nothing"
    (asked,) = await waiting(fresh)
    assert (asked["name"], asked["role"], asked["asked_by"]) == ("Ana", "AUDITOR", f"group {AUDITORS.upper()}")
    await refused(fresh, Code.ACCESS_DENIED, "ben", asked["id"])
    await refused(fresh, Code.BAD_INPUT, "hugo", asked["id"], until=None)
    await refused(fresh, Code.NOT_FOUND, "hugo", uuid4())
    await decide(fresh, "hugo", asked["id"])
    assert await fresh.holds("ana", Role.AUDITOR)
    assert await waiting(fresh) == []
    await refused(fresh, Code.STATE_CONFLICT, "hugo", asked["id"])
    ((granted_by,),) = await fresh.rows("select granted_by from access.role_grant where person_id = $1", person("ana"))
    assert granted_by == f"group {AUDITORS.upper()}, {person('hugo')}"
    kinds = await fresh.rows("select ty from audit.entry where ty like 'role.%' and subject_id = $1", person("ana"))
    assert sorted(kinds) == [("role.granted/v1",), ("role.requested/v1",)]


@pytest.mark.capability("I3.5")
async def test_nobody_decides_about_himself_nor_for_one_who_left_nor_what_excludes_itself(fresh: Office) -> None:
    await fresh.grant("hugo", Role.HR)
    await fresh.grant("ben", Role.HR)
    hugo, ana = await fresh.account("hugo"), await fresh.account("ana")
    await fresh.group("Tool people", hugo, ana)
    asked = {each["person_id"]: each["id"] for each in await waiting(fresh)}
    await refused(fresh, Code.SOD_VIOLATION, "hugo", asked[person("hugo")])
    await decide(fresh, "ben", asked[person("hugo")])
    await fresh.group(AUDITORS, hugo)
    (audit,) = [each for each in await waiting(fresh) if each["role"] == "AUDITOR"]
    await refused(fresh, Code.SOD_VIOLATION, "ben", audit["id"])  # HR and auditor exclude each other
    await mirror_people(fresh.house.store, ("ana",), fresh.clock() + timedelta(seconds=5), active=False)
    await refused(fresh, Code.STATE_CONFLICT, "ben", asked[person("ana")])


async def test_leaving_a_group_ends_what_came_from_it_and_nothing_else(fresh: Office) -> None:
    await fresh.grant("hugo", Role.HR)
    await fresh.grant("ben", Role.AUDITOR)
    ana, ben = await fresh.account("ana"), await fresh.account("ben")
    group = await fresh.group(AUDITORS, ana, ben)
    (asked,) = await waiting(fresh)
    assert asked["person_id"] == person("ana"), "Ben holds it already"
    await decide(fresh, "hugo", asked["id"])
    await fresh.patched(group, {"op": "remove", "path": "members"})
    assert not await fresh.holds("ana", Role.AUDITOR)
    assert await fresh.holds("ben", Role.AUDITOR), "two people gave it by hand"
    assert await fresh.requests() == [("ana", "AUDITOR", "WITHDRAWN")]


async def test_a_group_that_is_renamed_asks_for_what_its_new_name_says(fresh: Office) -> None:
    await fresh.grant("hugo", Role.HR)
    group = await fresh.group("Some people", await fresh.account("ana"))
    assert await fresh.requests() == []
    named = await fresh.patched(group, {"op": "replace", "path": "displayName", "value": AUDITORS})
    assert (named["displayName"], len(named["members"])) == (AUDITORS, 1)
    (asked,) = await waiting(fresh)
    await decide(fresh, "hugo", asked["id"])
    await fresh.patched(group, {"op": "replace", "value": {"displayName": "Tool people"}})
    assert not await fresh.holds("ana", Role.AUDITOR)
    assert not await fresh.holds("ana", Role.ITSM_ADMIN), "a new name is a new request"
    assert await fresh.requests() == [("ana", "AUDITOR", "WITHDRAWN"), ("ana", "ITSM_ADMIN", "REQUESTED")]


async def test_what_was_refused_is_asked_again_only_by_a_new_membership(fresh: Office) -> None:
    await fresh.grant("hugo", Role.HR)
    ana, cara = await fresh.account("ana"), await fresh.account("cara")
    group = await fresh.group(AUDITORS, ana)
    (asked,) = await waiting(fresh)
    await decide(fresh, "hugo", asked["id"], refuse=True)
    await fresh.patched(group, {"op": "add", "path": "members", "value": [{"value": cara["id"]}]})
    assert [each["person_id"] for each in await waiting(fresh)] == [person("cara")]
    await fresh.patched(group, {"op": "remove", "path": f'members[value eq "{ana["id"]}"]'})
    await fresh.patched(group, {"op": "add", "path": "members", "value": [{"value": ana["id"]}]})
    assert {each["person_id"] for each in await waiting(fresh)} == {person("ana"), person("cara")}


async def test_a_grant_that_ran_out_is_asked_for_again(fresh: Office) -> None:
    await fresh.grant("hugo", Role.HR)
    await fresh.group(AUDITORS, await fresh.account("ana"))
    (asked,) = await waiting(fresh)
    await decide(fresh, "hugo", asked["id"], until=fresh.clock.now + timedelta(hours=1))
    assert await waiting(fresh) == []
    fresh.clock.now += timedelta(hours=2)
    (again,) = await waiting(fresh)
    assert (again["person_id"], again["id"] == asked["id"]) == (person("ana"), False)


async def test_who_ends_leaves_his_groups_and_comes_back_to_none_of_his_roles(fresh: Office) -> None:
    await fresh.grant("hugo", Role.HR)
    ana, cara = await fresh.account("ana"), await fresh.account("cara")
    group = await fresh.group(AUDITORS, ana, cara)
    for each in await waiting(fresh):
        await decide(fresh, "hugo", each["id"])
    await fresh.patched(ana, {"op": "replace", "path": "active", "value": False})
    await fresh.patched(ana, {"op": "replace", "path": "active", "value": True})
    assert not await fresh.holds("ana", Role.AUDITOR)
    assert await fresh.holds("cara", Role.AUDITOR)
    assert [each["person_id"] for each in await waiting(fresh)] == [person("ana")], "still a member: asked for anew"
    assert (await fresh.ask("DELETE", f"/Users/{ana['id']}")).status_code == 204
    shown = (await fresh.ask("GET", f"/Groups/{group['id']}")).json()
    assert [member["value"] for member in shown["members"]] == [cara["id"]]
    assert shown["meta"]["version"] == 'W/"2"'
    assert await waiting(fresh) == []


async def test_a_member_who_is_mirrored_later_is_asked_for_then(fresh: Office) -> None:
    zoe = await fresh.account("zoe")
    await fresh.group(AUDITORS, zoe)
    assert await waiting(fresh) == []
    await mirror_people(fresh.house.store, ("zoe",), fresh.clock())
    assert [each["person_id"] for each in await waiting(fresh)] == [person("zoe")]


async def test_a_deleted_group_asks_for_nothing(fresh: Office) -> None:
    await fresh.grant("hugo", Role.HR)
    group = await fresh.group(AUDITORS, await fresh.account("ana"))
    (asked,) = await waiting(fresh)
    await decide(fresh, "hugo", asked["id"])
    assert (await fresh.ask("DELETE", f"/Groups/{group['id']}")).status_code == 204
    assert not await fresh.holds("ana", Role.AUDITOR)


async def test_a_lost_setting_ends_nothing(fresh: Office) -> None:
    await fresh.grant("hugo", Role.HR)
    await fresh.group(AUDITORS, await fresh.account("ana"))
    (asked,) = await waiting(fresh)
    await decide(fresh, "hugo", asked["id"])
    house = fresh.house
    assert await role_requests.open_requests(house.store, house.log, {}, fresh.clock()) == []
    assert await fresh.holds("ana", Role.AUDITOR)


async def test_a_group_holds_only_so_many_members(fresh: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.scim.links.MEMBERS_MAX", 2)
    group = await fresh.group("Crew", *[await fresh.account(each) for each in ("a", "b")])
    answer = await fresh.patch(
        group, {"op": "add", "path": "members", "value": [{"value": (await fresh.account("c"))["id"]}]}
    )
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")
    assert "at most 2 members" in answer.json()["detail"]
