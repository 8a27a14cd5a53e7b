"""Awards: three different people, through the actions and against the database itself; every act with its entry."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.actions import awards
from engine.refusal import Code, Refused
from engine.words import Role
from schema.store import SYSTEM, DbRole, Viewer
from tests.api.actions.firm import EARNERS, NOW, Firm, grant, person, refused

REASON = "The target was agreed with another team."
AWARD = text("select id, version, submitted_by from pay.award where person_id = :person")
INSERT = """insert into pay.award (tenant_id, id, award_ref, plan_key, cycle_id, run_id, person_id, state, version,
                                   submitted_by, submitted_at, approved_by, approved_at)
            values ((select app.tenant()), gen_random_uuid(), 'AW-2026-999999', 'other', gen_random_uuid(),
                    gen_random_uuid(), :person, :state, 1, :by, now(), :approver, :approved_at)"""


async def award(firm: Firm, name: str) -> UUID:
    return UUID(str(await firm.value("select id from pay.award where person_id = $1", person(name))))


async def test_submitting_takes_the_proposals_as_they_are_and_once(scored: Firm) -> None:
    run_id, hr = await scored.run_id(), scored.viewer("hr")
    assert await awards.submit(scored.store, scored.log, hr, run_id, NOW) == len(EARNERS)
    different = """select count(*) from pay.award_proposal p
                     left join pay.award a on a.run_id = p.run_id and a.person_id = p.person_id
                     left join pay.award_amount m on m.award_id = a.id
                    where (p.earned_minor, p.target_minor, p.factor, p.trace, p.currency)
                          is distinct from (m.earned_minor, m.target_minor, a.factor, m.trace, m.currency)"""
    assert await scored.value(different) == 0
    refs = await scored.rows("select award_ref from pay.award order by person_id")
    assert [row[0] for row in refs] == [f"AW-2026-{number:06}" for number in range(1, 6)]
    (said,) = await scored.payloads("award.submitted/v1")
    assert (said["actor"], said["request"]) == (f"p-{person('hr')}", "req-hr")
    total = await scored.value("select sum(earned_minor)::text from pay.award_amount")
    assert said["data"] == {"awards": len(EARNERS), "earned_minor": {"EUR": total}}
    before = await scored.fingerprint()
    assert await awards.submit(scored.store, scored.log, hr, run_id, NOW) == 0
    assert await awards.submit(scored.store, scored.log, hr, uuid4(), NOW) == 0
    assert await scored.fingerprint() == before


@pytest.mark.capability("I3.5")
async def test_who_may_submit(scored: Firm) -> None:
    run_id = await scored.run_id()
    for name in ("finance", "payroll", "auditor", "plan-admin", "ann"):
        viewer = scored.viewer(name)
        await refused(
            scored, Code.ACCESS_DENIED, lambda v=viewer: awards.submit(scored.store, scored.log, v, run_id, NOW)
        )
    await refused(scored, Code.ACCESS_DENIED, lambda: awards.submit(scored.store, scored.log, SYSTEM, run_id, NOW))
    await grant(scored.store, person("ann"), Role.HR)
    ann = scored.viewer("ann")
    no = await refused(scored, Code.SOD_VIOLATION, lambda: awards.submit(scored.store, scored.log, ann, run_id, NOW))
    assert "beneficiary" in no.what


async def test_a_grant_counts_only_while_it_lasts(scored: Firm) -> None:
    run_id = await scored.run_id()
    await grant(scored.store, person("late"), Role.HR, until=NOW.replace(year=2020))
    await grant(scored.store, person("early"), Role.HR, since=NOW.replace(year=2999))
    for name in ("late", "early"):
        viewer = scored.viewer(name)
        await refused(
            scored, Code.ACCESS_DENIED, lambda v=viewer: awards.submit(scored.store, scored.log, v, run_id, NOW)
        )


async def test_two_who_submit_at_once_make_one_set_of_awards(scored: Firm) -> None:
    await grant(scored.store, person("hr-second"), Role.HR)
    run_id = await scored.run_id()
    viewers = [scored.viewer(name) for name in ("hr", "hr-second", "hr")]
    made = await asyncio.gather(*[awards.submit(scored.store, scored.log, v, run_id, NOW) for v in viewers])
    assert sorted(made) == [0, 0, len(EARNERS)]
    assert (await scored.entries())["award.submitted/v1"] == 1


@pytest.mark.capability("I3.5")
async def test_author_approver_and_beneficiary_are_three_people(submitted: Firm) -> None:
    firm = submitted
    await grant(firm.store, person("hr"), Role.FINANCE)
    await grant(firm.store, person("ann"), Role.FINANCE)
    mine, eve = await award(firm, "ann"), await award(firm, "eve")
    for name, of in (("hr", eve), ("ann", mine)):
        viewer = firm.viewer(name)
        acts: tuple[Callable[[], Awaitable[Any]], ...] = (
            lambda v=viewer, a=of: awards.approve(firm.store, firm.log, v, a, 1, NOW),
            lambda v=viewer, a=of: awards.reject(firm.store, firm.log, v, a, 1, REASON, NOW),
            lambda v=viewer: awards.approve_cycle(firm.store, firm.log, v, firm.cycle_id, NOW),
        )
        for act in acts:
            await refused(firm, Code.SOD_VIOLATION, act)
    # Somebody else's award is nobody's conflict.
    await awards.approve(firm.store, firm.log, firm.viewer("ann"), eve, 1, NOW)
    assert (await firm.states())["AW-2026-000001"] == "APPROVED"


@pytest.mark.capability("I3.5")
async def test_who_may_not_decide(submitted: Firm) -> None:
    firm, eve = submitted, await award(submitted, "eve")
    for viewer in [firm.viewer(name) for name in ("hr", "payroll", "auditor", "plan-admin", "eve")] + [SYSTEM]:
        acts: tuple[Callable[[], Awaitable[Any]], ...] = (
            lambda v=viewer: awards.approve(firm.store, firm.log, v, eve, 1, NOW),
            lambda v=viewer: awards.reject(firm.store, firm.log, v, eve, 1, REASON, NOW),
            lambda v=viewer: awards.approve_cycle(firm.store, firm.log, v, firm.cycle_id, NOW),
        )
        for act in acts:
            await refused(firm, Code.ACCESS_DENIED, act)


async def test_a_decision_is_about_the_version_that_was_read(submitted: Firm) -> None:
    firm, finance, eve = submitted, submitted.viewer("finance"), await award(submitted, "eve")
    for version in (0, 2):
        for act in (awards.approve, lambda *a: awards.reject(*a[:-1], REASON, a[-1])):
            await refused(
                firm, Code.STATE_CONFLICT, lambda f=act, v=version: f(firm.store, firm.log, finance, eve, v, NOW)
            )
    await awards.approve(firm.store, firm.log, finance, eve, 1, NOW)
    for version in (1, 2):
        await refused(
            firm, Code.NOT_FOUND, lambda v=version: awards.approve(firm.store, firm.log, finance, eve, v, NOW)
        )
    await refused(firm, Code.NOT_FOUND, lambda: awards.approve(firm.store, firm.log, finance, uuid4(), 1, NOW))


async def test_two_decisions_at_once_are_one(submitted: Firm) -> None:
    firm, eve = submitted, await award(submitted, "eve")
    acts = [
        awards.approve(firm.store, firm.log, firm.viewer("finance"), eve, 1, NOW),
        awards.reject(firm.store, firm.log, firm.viewer("second"), eve, 1, REASON, NOW),
    ]
    ended = await asyncio.gather(*acts, return_exceptions=True)
    (no,) = [each for each in ended if each is not None]
    assert isinstance(no, Refused)
    assert no.code in (Code.STATE_CONFLICT, Code.NOT_FOUND)
    entries = await firm.entries()
    assert entries["award.granted/v1"] + entries["award.rejected/v1"] == 1
    granted = (await firm.states())["AW-2026-000001"] == "APPROVED"
    assert await firm.value("select count(*) from ledger.journal") == (3 if granted else 0)


async def test_rejecting_needs_a_reason_books_nothing_and_is_final(submitted: Firm) -> None:
    firm, finance, eve = submitted, submitted.viewer("finance"), await award(submitted, "eve")
    for reason in ("", "no", " " * 30, "x" * 19):
        no = await refused(
            firm, Code.BAD_INPUT, lambda r=reason: awards.reject(firm.store, firm.log, finance, eve, 1, r, NOW)
        )
        assert no.field == ("reason",)
    await awards.reject(firm.store, firm.log, finance, eve, 1, REASON, NOW)
    assert (await firm.states())["AW-2026-000001"] == "REJECTED"
    (said,) = await firm.payloads("award.rejected/v1")
    assert (said["reason"], said["subject"], said["actor"]) == (REASON, f"p-{person('eve')}", f"p-{person('finance')}")
    assert await firm.value("select count(*) from ledger.journal") == 0
    assert await awards.approve_cycle(firm.store, firm.log, finance, firm.cycle_id, NOW) == len(EARNERS) - 1
    assert await awards.submit(firm.store, firm.log, firm.viewer("hr"), await firm.run_id(), NOW) == 0
    assert (await firm.states())["AW-2026-000001"] == "REJECTED"


@pytest.mark.capability("X1")
async def test_approving_writes_one_entry_a_person_and_says_what(submitted: Firm) -> None:
    firm, before = submitted, await submitted.entries()
    done = await awards.approve_cycle(firm.store, firm.log, firm.viewer("finance"), firm.cycle_id, NOW)
    assert done == len(EARNERS)
    assert await firm.entries() - before == {"award.granted/v1": len(EARNERS)}
    said = await firm.payloads("award.granted/v1")
    money = {r["award_ref"]: (str(r["earned_minor"]), f"p-{r['person_id']}") for r in await firm.rows(
        "select a.award_ref, m.earned_minor, a.person_id from pay.award a join pay.award_amount m on m.award_id = a.id"
    )}  # fmt: skip
    assert {each["object"]["id"]: (each["data"]["amount_minor"], each["subject"]) for each in said} == money
    assert {each["data"]["submitted_by"] for each in said} == {str(person("hr"))}
    again = await firm.fingerprint()
    assert await awards.approve_cycle(firm.store, firm.log, firm.viewer("finance"), firm.cycle_id, NOW) == 0
    assert await firm.fingerprint() == again


# ---- against the database itself, as the money role


async def forced(firm: Firm, viewer: Viewer, statement: str, role: DbRole = DbRole.PAY, **values: Any) -> int | str:
    """Run SQL as one of our roles: how many rows it changed, or the SQLSTATE of its refusal."""
    try:
        async with firm.store.begin(role, viewer) as connection:
            return int((await connection.execute(text(statement), values)).rowcount)
    except DBAPIError as error:
        return str(getattr(error.orig, "sqlstate", ""))


DENIED, CHECKED, NOBODY = "42501", "23514", 0


@pytest.mark.capability("I3.5")
async def test_the_database_refuses_awards_by_the_wrong_author(submitted: Firm) -> None:
    firm, ann = submitted, person("ann")
    base = {"person": ann, "by": person("hr"), "state": "SUBMITTED", "approver": None, "approved_at": None}
    await grant(firm.store, ann, Role.HR)
    tried = {
        "somebody else's name": ("hr", base | {"by": person("second")}, DENIED),
        "without the role": ("finance", base | {"by": person("finance")}, DENIED),
        "for himself": ("ann", base | {"by": ann}, DENIED),
        "approved at birth": ("hr", base | {"state": "APPROVED", "approver": person("finance"), "approved_at": NOW},
                              DENIED),
        "approved in advance": ("hr", base | {"approver": person("finance"), "approved_at": NOW}, DENIED),
        "as it should be": ("hr", base, 1),
    }  # fmt: skip
    found = {what: await forced(firm, firm.viewer(who), INSERT, **row) for what, (who, row, _) in tried.items()}
    assert found == {what: wanted for what, (_, _, wanted) in tried.items()}
    owner = await firm.rows(
        "select conname from pg_constraint where conrelid = 'pay.award'::regclass and contype = 'c'"
    )
    assert {"author_is_not_beneficiary", "approver_is_a_third", "approved_by_somebody"} <= {row[0] for row in owner}


@pytest.mark.capability("I3.5")
async def test_the_database_refuses_decisions_by_the_wrong_person(submitted: Firm) -> None:
    firm, eve = submitted, person("eve")
    await grant(firm.store, person("hr"), Role.FINANCE)
    await grant(firm.store, eve, Role.FINANCE)
    for role in (Role.HR, Role.PAYROLL):
        await grant(firm.store, person("hr-payroll"), role)
    decide = """update pay.award set state = 'APPROVED', approved_by = :by, approved_at = now()
                 where person_id = :of and state = 'SUBMITTED'"""
    tried = {
        "the submitter": ("hr", decide, {"by": person("hr")}, NOBODY),
        "the beneficiary": ("eve", decide, {"by": eve}, NOBODY),
        "without a role": ("auditor", decide, {"by": person("auditor")}, NOBODY),
        "payroll": ("payroll", decide, {"by": person("payroll")}, NOBODY),
        "payroll that can see it": ("hr-payroll", decide, {"by": person("hr-payroll")}, DENIED),
        "in the name of the submitter": ("finance", decide, {"by": person("hr")}, DENIED),
        "in the name of the beneficiary": ("finance", decide, {"by": eve}, DENIED),
        "in the name of a colleague": ("finance", decide, {"by": person("second")}, DENIED),
        "by nobody": ("finance", "update pay.award set state = 'APPROVED' where person_id = :of", {}, CHECKED),
        "another amount": ("finance", "update pay.award_amount set earned_minor = 9 where person_id = :of", {}, DENIED),
        "another person": ("finance", "update pay.award set person_id = :of", {}, DENIED),
        "away with it": ("finance", "delete from pay.award where person_id = :of", {}, DENIED),
        "as it should be": ("finance", decide, {"by": person("finance")}, 1),
        "decided once more": ("second", "update pay.award set approved_by = :by where person_id = :of",
                              {"by": person("second")}, DENIED),
    }  # fmt: skip
    found = {
        what: await forced(firm, firm.viewer(who), statement, of=eve, **values)
        for what, (who, statement, values, _) in tried.items()
    }
    assert found == {what: wanted for what, (_, _, _, wanted) in tried.items()}
    for role in (DbRole.APP, DbRole.WORKER, DbRole.SEQUENCER):
        assert await forced(firm, firm.viewer("finance"), decide, role, of=eve, by=person("finance")) == DENIED


@pytest.mark.capability("I3.5")
async def test_the_constraints_hold_even_without_policies(submitted: Firm) -> None:
    """As the owner of everything: a table that names one person twice is refused by itself."""
    admin = await asyncpg.connect(submitted.url)
    try:
        await admin.execute("alter table pay.award disable trigger user")
        for who in ("submitted_by", "person_id"):
            with pytest.raises(asyncpg.CheckViolationError, match="approver_is_a_third"):
                await admin.execute(f"update pay.award set approved_by = {who}, approved_at = now()")
        with pytest.raises(asyncpg.CheckViolationError, match="author_is_not_beneficiary"):
            await admin.execute("update pay.award set submitted_by = person_id")
    finally:
        await admin.close()


@pytest.mark.capability("X1")
async def test_nobody_writes_an_audit_entry_in_another_name(submitted: Firm) -> None:
    """An approval of a payout is an entry of the log: it must be the approver's own."""
    forge = """insert into audit.entry (tenant_id, id, ty, at, leaf, leaf_hash, dek_id, actor_id, object_type,
                                        object_id, legal_hold)
               values ((select app.tenant()), gen_random_uuid(), 'payout.approved/v1', now(), '',
                       sha256('\\x00'::bytea), 1, :actor, 'payout', 'x', false)"""
    for role in (DbRole.PAY, DbRole.APP, DbRole.WORKER):
        finance = submitted.viewer("finance")
        assert await forced(submitted, finance, forge, role, actor=person("second")) == DENIED
        assert await forced(submitted, finance, forge, role, actor=None) == DENIED
        assert await forced(submitted, SYSTEM, forge, role, actor=person("second")) == DENIED
        assert await forced(submitted, finance, forge, role, actor=person("finance")) == 1
