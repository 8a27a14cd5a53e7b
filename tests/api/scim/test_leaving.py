"""Who leaves: access ends with the very next request, whichever way the account ends, and coming back starts anew."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.refusal import Code, Refused
from engine.words import Role
from tests.api.scim.office import ENTERPRISE, USER, Office, mirror_people, person

Ending = Callable[[Office, dict[str, Any]], Awaitable[Any]]


async def patched(office: Office, account: dict[str, Any]) -> None:
    await office.patched(account, {"op": "replace", "path": "active", "value": False})


async def replaced(office: Office, account: dict[str, Any]) -> None:
    said = {"schemas": [USER], "userName": account["userName"], "active": False}
    assert (await office.ask("PUT", f"/Users/{account['id']}", said)).status_code == 200


async def removed(office: Office, account: dict[str, Any]) -> None:
    await office.patched(account, {"op": "remove", "path": "active"})


async def renamed(office: Office, account: dict[str, Any]) -> None:
    """As an identity provider does that empties an account before it purges it."""
    await office.patched(
        account,
        {"op": "replace", "path": "userName", "value": "gone-1234"},
        {"op": "remove", "path": "emails"},
        {"op": "replace", "path": "active", "value": False},
    )


async def deleted(office: Office, account: dict[str, Any]) -> None:
    assert (await office.ask("DELETE", f"/Users/{account['id']}")).status_code == 204


@pytest.mark.capability("I3.5", "T3.1")
@pytest.mark.parametrize("end", [patched, replaced, removed, renamed, deleted])
async def test_an_account_that_ends_ends_access_at_once(fresh: Office, end: Ending) -> None:
    account = await fresh.account("ana")
    await fresh.grant("ana", Role.HR)
    await fresh.grant("ben", Role.HR)
    assert await fresh.may_enter("ana")
    assert await fresh.holds("ana", Role.HR)
    await end(fresh, account)
    assert not await fresh.may_enter("ana")
    assert not await fresh.holds("ana", Role.HR)
    # Ben has no account at all: that says nothing about him.
    assert await fresh.may_enter("ben")
    assert await fresh.holds("ben", Role.HR)
    ended = await fresh.rows(
        "select person_id, valid_to <= $1 from access.role_grant order by valid_to", fresh.clock.now
    )
    assert ended == [(person("ana"), True), (person("ben"), False)]
    assert await fresh.rows("select ty, subject_id from audit.entry where ty = 'role.revoked/v1'") == [
        ("role.revoked/v1", person("ana"))
    ]


@pytest.mark.capability("I3.5")
async def test_coming_back_brings_no_old_role(fresh: Office) -> None:
    account = await fresh.account("ana")
    await fresh.grant("ana", Role.HR)
    await patched(fresh, account)
    await fresh.patched(account, {"op": "replace", "path": "active", "value": True})
    assert await fresh.may_enter("ana")
    assert not await fresh.holds("ana", Role.HR)
    await fresh.grant("ana", Role.HR)
    assert await fresh.holds("ana", Role.HR)


async def test_a_new_account_after_a_deletion_brings_no_old_role(fresh: Office) -> None:
    await deleted(fresh, await fresh.account("ana"))
    await fresh.grant("ben", Role.HR)
    assert not await fresh.may_enter("ana")
    await fresh.account("ana")
    assert await fresh.may_enter("ana")
    assert not await fresh.holds("ana", Role.HR)


async def test_whoever_is_still_in_by_another_account_stays(fresh: Office) -> None:
    first = await fresh.account("ana")
    await fresh.account("ana.admin", emails=[{"value": "ANA@example.com"}])
    await fresh.grant("ana", Role.HR)
    await patched(fresh, first)
    assert await fresh.holds("ana", Role.HR)


async def test_nobody_who_has_left_is_granted_a_role(fresh: Office) -> None:
    await patched(fresh, await fresh.account("ana"))
    with pytest.raises(Refused) as no:
        await fresh.grant("ana", Role.HR)
    assert no.value.code is Code.STATE_CONFLICT


@pytest.mark.parametrize(
    "how",
    [
        {"emails": [{"value": "ZOE@example.com", "primary": True}, {"value": "ana@example.com"}]},
        {ENTERPRISE: {"employeeNumber": "4000"}, "emails": []},
        {"externalId": "4000", "emails": []},
        {"externalId": "zoe", "emails": []},
    ],
    ids=["address", "number", "number as external id", "key as external id"],
)
@pytest.mark.parametrize("first", ["account", "person"])
async def test_what_joins_an_account_to_a_person_in_either_order(
    fresh: Office, how: dict[str, Any], first: str
) -> None:
    later = fresh.clock()
    people = {"email": "zoe@example.com", "employee_number": "4000"}
    if first == "person":
        await fresh.admin.execute("delete from mirror.person")
        await mirror_people(fresh.house.store, ("zoe",), later, **people)
    account = await fresh.account("login", **how)
    if first == "account":
        await fresh.admin.execute("delete from mirror.person")
        await mirror_people(fresh.house.store, ("zoe",), later, **people)
    assert await fresh.may_enter("zoe")
    await patched(fresh, account)
    assert not await fresh.may_enter("zoe")


async def test_a_name_joins_nobody_and_a_number_beats_an_address(fresh: Office) -> None:
    await patched(fresh, await fresh.account("ana", emails=[], displayName="Ana", name={"formatted": "Ana"}))
    assert await fresh.may_enter("ana")
    # The address is Ana's, the number is Ben's: the number counts.
    await patched(fresh, await fresh.account("login", emails=[{"value": "ana@example.com"}],
                                             **{ENTERPRISE: {"employeeNumber": "4001"}}))  # fmt: skip
    assert await fresh.may_enter("ana")
    assert not await fresh.may_enter("ben")


async def test_left_out_of_a_replacement_an_account_stays_as_it_was(fresh: Office) -> None:
    account = await fresh.account("ana")
    said = {"schemas": [USER], "userName": "ana", "displayName": "Ana"}
    assert (await fresh.ask("PUT", f"/Users/{account['id']}", said)).json()["active"] is True
    await patched(fresh, account)
    answer = await fresh.ask("PUT", f"/Users/{account['id']}", said | {"displayName": "Again"})
    assert answer.json()["active"] is False
    assert not await fresh.may_enter("ana")


async def test_history_stays_when_an_account_is_deleted(fresh: Office) -> None:
    account = await fresh.account("ana")
    await deleted(fresh, account)
    kept = await fresh.rows("select count(*) from mirror.revision where source_key = $1", account["id"])
    gone = await fresh.rows("select gone_at is not null from mirror.account where source_key = $1", account["id"])
    assert (kept, gone) == ([(1,)], [(True,)])
    stood = await fresh.rows(
        """select gone from mirror.standing s join mirror.record r on r.id = s.record_id
            where r.source_key = $1 order by no""",
        account["id"],
    )
    assert stood == [(False,), (True,)]


async def test_who_left_is_found_with_indexes_however_many_accounts_there_are(fresh: Office) -> None:
    ((tenant,),) = await fresh.rows("select distinct tenant_id from mirror.person")
    await fresh.admin.execute(
        """insert into mirror.account (tenant_id, id, source, source_key, revision_id, user_name, email, external_id,
                                       employee_number, active)
           select $1, gen_random_uuid(), 'scim', n::text, 1, 'u' || n, 'u' || n || '@x', 'e' || n, 'n' || n, true
             from generate_series(1, 30000) n""",
        tenant,
    )
    await fresh.admin.execute("analyze mirror.account")
    async with fresh.admin.transaction():
        await fresh.admin.execute(f"set local role evenhand_owner; set local app.tenant_id = '{tenant}'")
        plan = await fresh.rows(
            """explain (costs off) with person as materialized (
                 select tenant_id, id, lower(email) as address, employee_number as number, source_key as key
                   from mirror.person where tenant_id = app.tenant() and id = $1)
               select count(*) from person p join mirror.account a
                   on a.tenant_id = p.tenant_id and app.joined(a, p.id, p.address, p.number, p.key)""",
            person("ana"),
        )
    shown = "\n".join(line for (line,) in plan)
    assert "account_email" in shown, shown
    assert "Seq Scan on account" not in shown
