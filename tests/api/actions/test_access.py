"""Grants: each refusal beside what is accepted, what the log keeps, and that they work and end at once."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from api.actions import access
from connectors.mirror import Sighting, write_versions
from engine.refusal import Code
from engine.words import Feed, Role
from schema.store import DbRole, Viewer
from tests.api.actions.firm import EARNERS, NOW, Firm, again, bring_in, organisation, person, refused

THEN, UNTIL = NOW - timedelta(days=900), NOW + timedelta(days=90)
BOTH = ("Kim Lee", "Noor Haddad")
GRANTABLE = sorted(set(Role) - access.FOLLOW_FROM_THE_MIRROR)
EXCLUSIVE = [
    (one, other)
    for one, other in permutations(GRANTABLE, 2)
    if other in access.EXCLUDES.get(one, ()) or one in access.EXCLUDES.get(other, ())
]
TOGETHER = sorted(set(permutations(GRANTABLE, 2)) - set(EXCLUSIVE))


async def grant(firm: Firm, who: UUID, role: Role, **other: Any) -> bool:
    given: dict[str, Any] = {"by": BOTH, "until": UNTIL, "now": THEN} | other
    return await access.grant(firm.store, firm.log, person_id=who, role=role, **given)


async def revoke(firm: Firm, who: UUID, role: Role, now: datetime = THEN, by: access.By = BOTH) -> None:
    await access.revoke(firm.store, firm.log, person_id=who, role=role, by=by, now=now)


async def seen(firm: Firm, who: UUID) -> int:
    async with firm.store.begin(DbRole.APP, Viewer(who)) as connection:
        return int((await connection.execute(text("select count(*) from pay.award"))).scalar_one())


@pytest.mark.capability("I3.5")
async def test_a_grant_works_at_once_and_ends_at_once(submitted: Firm) -> None:
    who = uuid4()
    assert await seen(submitted, who) == 0
    assert await grant(submitted, who, Role.HR)
    assert await seen(submitted, who) == len(EARNERS)
    await revoke(submitted, who, Role.HR, NOW - timedelta(days=500))
    assert await seen(submitted, who) == 0
    await refused(submitted, Code.NOT_FOUND, lambda: revoke(submitted, who, Role.HR, NOW - timedelta(days=499)))
    # Given again, it counts from now on; one that has run out shows nothing.
    assert await grant(submitted, who, Role.HR, now=NOW - timedelta(days=300))
    assert await seen(submitted, who) == len(EARNERS)
    since = await submitted.value("select valid_from from access.role_grant where person_id = $1", who)
    assert since == NOW - timedelta(days=300)
    other = uuid4()
    assert await grant(submitted, other, Role.HR, until=THEN + timedelta(days=1))
    assert await seen(submitted, other) == 0


@pytest.mark.capability("I3.5")
async def test_the_log_keeps_who_decided_and_a_repetition_changes_nothing(empty: Firm) -> None:
    who = uuid4()
    assert await grant(empty, who, Role.FINANCE, by=(" Kim  Lee ", "Noor Haddad"))
    before = await empty.fingerprint()
    assert not await grant(empty, who, Role.FINANCE, by=("Others", "Entirely"), now=THEN + timedelta(days=1))
    assert await empty.fingerprint() == before
    later = UNTIL + timedelta(days=30)
    assert await grant(empty, who, Role.FINANCE, until=later, now=THEN + timedelta(days=2))
    (row,) = await empty.rows("select * from access.role_grant where person_id = $1", who)
    assert (row["valid_from"], row["valid_to"], row["granted_by"]) == (THEN, later, "Kim Lee, Noor Haddad")
    await revoke(empty, who, Role.FINANCE, THEN + timedelta(days=3))
    assert await empty.entries() == {"role.granted/v1": 2, "role.revoked/v1": 1}
    said = await empty.payloads("role.granted/v1")
    assert [each["data"] for each in said] == [
        {"by": list(BOTH), "until": UNTIL.isoformat()},
        {"by": list(BOTH), "until": later.isoformat()},
    ]
    (ended,) = await empty.payloads("role.revoked/v1")
    assert (ended["subject"], ended["object"]["id"], ended["data"]) == (f"p-{who}", "FINANCE", {"by": list(BOTH)})


@pytest.mark.capability("I3.5")
async def test_two_different_people_decide_and_neither_is_the_holder(empty: Firm) -> None:
    await bring_in(empty.store, organisation())
    ann = person("ann")
    for by in (("Kim", "Kim"), ("Kim", " kim "), (ann, "Kim"), ("Kim", "ANN"), ("ann@example.com", "Kim")):
        await refused(empty, Code.SOD_VIOLATION, partial(grant, empty, ann, Role.HR, by=by))
    for by in (("Kim", ""), ("\0", "Kim"), ("Kim", "x" * 201)):
        await refused(empty, Code.BAD_INPUT, partial(grant, empty, ann, Role.HR, by=by))
    assert await grant(empty, ann, Role.HR, by=("Kim", person("bea")))
    await refused(empty, Code.SOD_VIOLATION, lambda: revoke(empty, ann, Role.HR, by=("Kim", "Kim")))
    await revoke(empty, ann, Role.HR, by=("ann", "Kim"))  # giving a role up is no gain


async def test_an_operator_names_somebody_by_id_or_by_address(empty: Firm) -> None:
    twin = [replace(each, key="twin") for each in organisation() if each.key == "bea"]
    await bring_in(empty.store, [*organisation(), *twin])
    stranger = uuid4()
    assert await access.person_called(empty.store, str(stranger)) == stranger, "an outside auditor is in no tool"
    assert await access.person_called(empty.store, "Ann@Example.com") == person("ann")
    for word in ("nobody@example.com", "bot@example.com", "ann", "", "\0"):
        await refused(empty, Code.NOT_FOUND, partial(access.person_called, empty.store, word))
    await refused(empty, Code.BAD_INPUT, partial(access.person_called, empty.store, "bea@example.com"), "2 people")


async def test_who_has_left_gets_nothing(empty: Firm) -> None:
    people = organisation()
    await bring_in(empty.store, people)
    await refused(empty, Code.STATE_CONFLICT, lambda: grant(empty, person("gone"), Role.HR), "has left")
    (gone,) = [each for each in people if each.key == "gone"]
    async with empty.store.begin(DbRole.WORKER) as connection:
        await write_versions(connection, [Sighting(again(gone, active=True), Feed.POLL, 2, NOW)])
    assert await grant(empty, person("gone"), Role.HR)


async def test_an_end_is_ahead_and_governance_roles_have_one(empty: Firm) -> None:
    for role in GRANTABLE:
        await refused(empty, Code.BAD_INPUT, partial(grant, empty, uuid4(), role, until=THEN))
        assert await grant(empty, uuid4(), role, until=THEN + timedelta(microseconds=1))
        if role in access.GOVERNANCE:
            await refused(empty, Code.BAD_INPUT, partial(grant, empty, uuid4(), role, until=None))
        else:
            who = uuid4()
            assert await grant(empty, who, role, until=None)
            assert not await grant(empty, who, role, until=None)
    # these two see and arrange; neither decides about anybody or anything
    assert set(GRANTABLE) - access.GOVERNANCE == {Role.ITSM_ADMIN, Role.WORKS_COUNCIL}


@pytest.mark.parametrize("role", sorted(access.FOLLOW_FROM_THE_MIRROR))
async def test_what_follows_from_the_mirror_is_not_given(empty: Firm, role: Role) -> None:
    await refused(empty, Code.BAD_INPUT, lambda: grant(empty, uuid4(), role))
    await refused(empty, Code.BAD_INPUT, lambda: revoke(empty, uuid4(), role))


@pytest.mark.capability("I3.5")
async def test_roles_that_exclude_each_other(empty: Firm) -> None:
    assert len(EXCLUSIVE) == 2 * 7
    for one, other in EXCLUSIVE:
        who = uuid4()
        assert await grant(empty, who, one)
        await refused(empty, Code.SOD_VIOLATION, partial(grant, empty, who, other), one.value)
        await revoke(empty, who, one, THEN + timedelta(days=1))
        assert await grant(empty, who, other, now=THEN + timedelta(days=1)), "what has ended excludes nothing"


async def test_all_other_roles_may_stand_together(empty: Firm) -> None:
    for one, other in TOGETHER:
        who = uuid4()
        assert await grant(empty, who, one)
        assert await grant(empty, who, other)
