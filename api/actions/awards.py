"""Awards: proposed by a run, submitted by HR, decided by finance. Three different people, held by CHECKs as well.

Submitting takes a run's proposals as they are. Approving books the promise: accrual, award, vesting of its one part.
Amounts are minor units. An award that was submitted once for a plan, cycle and person is never submitted again.
Refused: awards of a cycle that still runs; awards of a second run beside those of a first one, which together could be
more than the pool; awards of two accounts that share an employee number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions import audit, books
from api.actions.rights import Action, Relation, forbid, require
from engine.ledger import Event, Journal, Part, journal
from engine.refusal import Code, Refused
from schema.store import DbRole, Store, Viewer

NUMBERING_LOCK = 0x61776172

# Numbers follow the order of the people's ids, so the same run gives the same references.
SUBMIT = text(
    """with fresh as (
         select p.*, v.plan_key, r.cycle_id, extract(year from c.starts_on)::int as year
           from pay.award_proposal p
           join score.run r on r.tenant_id = p.tenant_id and r.id = p.run_id
           join score.cycle c on c.tenant_id = r.tenant_id and c.id = r.cycle_id
           join score.plan_version v on v.tenant_id = r.tenant_id and v.id = r.plan_version_id
          where p.tenant_id = :tenant and p.run_id = :run_id
            and not exists (select from pay.award a where a.tenant_id = p.tenant_id and a.plan_key = v.plan_key
                            and a.cycle_id = r.cycle_id and a.person_id = p.person_id)),
       numbered as (
         select f.*, row_number() over (order by f.person_id) + coalesce((select max(right(a.award_ref, 6)::int)
                  from pay.award a where a.tenant_id = :tenant and a.award_ref like 'AW-' || f.year || '-%'), 0) as no
           from fresh f),
       granted as (
         insert into pay.award (tenant_id, id, award_ref, plan_key, cycle_id, run_id, person_id, state, factor, version,
                                submitted_by, submitted_at)
         select tenant_id, gen_random_uuid(), 'AW-' || year || '-' || lpad(no::text, 6, '0'), plan_key, cycle_id,
                run_id, person_id, 'SUBMITTED', factor, 1, :person, :now
           from numbered
         returning id, person_id)
       insert into pay.award_amount (tenant_id, award_id, person_id, currency, target_minor, earned_minor, trace)
       select n.tenant_id, g.id, n.person_id, n.currency, n.target_minor, n.earned_minor, n.trace
         from granted g join numbered n using (person_id)
       returning currency, target_minor, earned_minor"""
)
# Two runs deal out the same pool: shares of one beside amounts of the other would promise more than there is.
STANDING = text(
    """select c.ends_before, (select count(*) from pay.award a
                where a.tenant_id = r.tenant_id and a.cycle_id = r.cycle_id and a.plan_key = v.plan_key
                  and a.run_id <> r.id and a.state <> 'REJECTED') as of_other_runs,
              exists (select from score.run n where n.tenant_id = r.tenant_id and n.cycle_id = r.cycle_id
                       and n.plan_version_id = r.plan_version_id and n.run_no > r.run_no) as outdated
         from score.run r
         join score.cycle c on c.tenant_id = r.tenant_id and c.id = r.cycle_id
         join score.plan_version v on v.tenant_id = r.tenant_id and v.id = r.plan_version_id
        where r.tenant_id = :tenant and r.id = :run_id"""
)
WAITING = text(
    """select a.id, a.award_ref, a.person_id, a.submitted_by, a.version, a.cycle_id, a.run_id, m.currency,
              m.earned_minor
         from pay.award a join pay.award_amount m on m.tenant_id = a.tenant_id and m.award_id = a.id
        where a.tenant_id = :tenant and a.state = 'SUBMITTED' and (a.id = any(:ids) or (:cycle_id)::uuid = a.cycle_id)
        order by a.award_ref"""
)
# Two accounts of one person: payroll knows people by their number alone and would pay that person twice.
SHARED_NUMBER = text(
    """select string_agg(a.award_ref, ' and ' order by a.award_ref)
         from pay.award a join mirror.person p on p.tenant_id = a.tenant_id and p.id = a.person_id
        where a.tenant_id = :tenant and a.cycle_id = any(:cycles) and a.state <> 'REJECTED'
        group by a.cycle_id, p.employee_number
       having count(distinct a.person_id) > 1 and bool_or(a.id = any(:ids)) and p.employee_number is not null
        order by 1 limit 1"""
)
DECIDE = text(
    """update pay.award set state = :state, approved_by = :person, approved_at = :now, version = version + 1
        where tenant_id = :tenant and id = any(:ids) and state = 'SUBMITTED'"""
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """An award that waits for a decision."""

    id: UUID
    award_ref: str
    person_id: UUID
    submitted_by: UUID
    version: int
    cycle_id: UUID
    run_id: UUID
    currency: str
    earned_minor: int


async def submit(store: Store, log: audit.Log, viewer: Viewer, run_id: UUID, now: datetime) -> int:
    """HR submits what a run proposes. Returns the number of new awards; a second call finds none."""
    async with store.begin(DbRole.PAY, viewer) as connection:
        await require(connection, viewer, Action.AWARD_SUBMIT)
        await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": NUMBERING_LOCK})
        own = text("select count(*) from pay.award_proposal where run_id = :run_id and person_id = :person")
        mine = (await connection.execute(own, {"run_id": run_id, "person": viewer.person_id})).scalar_one()
        forbid(Action.AWARD_SUBMIT, Relation.BENEFICIARY, mine)
        rows = (
            await connection.execute(
                SUBMIT, {"tenant": viewer.tenant_id, "run_id": run_id, "person": viewer.person_id, "now": now}
            )
        ).all()
        if rows:
            await due_once(connection, viewer, run_id, now)
            await log.record(
                connection,
                viewer,
                ty="award.submitted/v1",
                object_type="run",
                object_id=str(run_id),
                data={"awards": len(rows), "earned_minor": totals(rows)},
                at=now,
            )
        return len(rows)


async def due_once(connection: AsyncConnection, viewer: Viewer, run_id: UUID, now: datetime) -> None:
    """Refuse when the cycle is not over, when a newer run exists, or when awards of another run stand for it."""
    standing = (await connection.execute(STANDING, {"tenant": viewer.tenant_id, "run_id": run_id})).one()
    if now.date() < standing.ends_before:
        raise Refused(
            Code.STATE_CONFLICT,
            f"The cycle runs until {standing.ends_before}, and nobody is awarded twice for one cycle.",
            "Score again after its end, and submit that.",
        )
    if standing.outdated:
        raise Refused(
            Code.STATE_CONFLICT, "A newer run knows more than this one.", "Look at the newest run, and submit that."
        )
    if standing.of_other_runs:
        raise Refused(
            Code.STATE_CONFLICT,
            f"Another run proposed the {standing.of_other_runs} awards that stand for this plan and cycle; both "
            "together could promise more than the pool.",
            "Keep to the run that was submitted; what was found since is for a correction.",
        )


def totals(rows: Sequence[object]) -> dict[str, str]:
    """Sum by currency, as text: JSON numbers end at 2^53."""
    sums: dict[str, int] = {}
    for row in rows:
        sums[row.currency] = sums.get(row.currency, 0) + row.earned_minor  # type: ignore[attr-defined]
    return {currency: str(minor) for currency, minor in sorted(sums.items())}


async def approve_cycle(store: Store, log: audit.Log, viewer: Viewer, cycle_id: UUID, now: datetime) -> int:
    """Finance approves every award of a cycle that waits. Returns how many; none waiting is no error."""
    async with store.begin(DbRole.PAY, viewer) as connection:
        return await approve_these(connection, log, viewer, await waiting(connection, viewer, cycle_id=cycle_id), now)


async def approve(
    store: Store, log: audit.Log, viewer: Viewer, award_id: UUID, expected_version: int, now: datetime
) -> None:
    """Finance approves one award, in the version that he looked at."""
    async with store.begin(DbRole.PAY, viewer) as connection:
        award = await the_one(connection, viewer, award_id, expected_version, Action.AWARD_APPROVE)
        await approve_these(connection, log, viewer, [award], now)


async def reject(
    store: Store, log: audit.Log, viewer: Viewer, award_id: UUID, expected_version: int, reason: str, now: datetime
) -> None:
    """Finance sends one award back. Nothing was booked, so nothing is taken back."""
    if len(reason.strip()) < 20:
        raise Refused(Code.BAD_INPUT, "The reason has fewer than 20 characters.", "Say what is wrong.", ("reason",))
    async with store.begin(DbRole.PAY, viewer) as connection:
        award = await the_one(connection, viewer, award_id, expected_version, Action.AWARD_REJECT)
        separate(viewer, [award], Action.AWARD_REJECT)
        await decide(connection, viewer, [award], "REJECTED", now)
        await log.record(
            connection,
            viewer,
            ty="award.rejected/v1",
            object_type="award",
            object_id=award.award_ref,
            subject_id=award.person_id,
            data={"run": str(award.run_id)},
            reason=reason,
            at=now,
        )


async def the_one(
    connection: AsyncConnection, viewer: Viewer, award_id: UUID, expected_version: int, action: Action
) -> Waiting:
    await require(connection, viewer, action)
    found = await waiting(connection, viewer, ids=[award_id])
    if not found:
        raise Refused(Code.NOT_FOUND, "No such award waits for a decision.", "Look at the list of awards again.")
    if found[0].version != expected_version:
        raise Refused(
            Code.STATE_CONFLICT, f"The award is at version {found[0].version} by now.", "Read it again and decide anew."
        )
    return found[0]


async def waiting(
    connection: AsyncConnection, viewer: Viewer, *, ids: Sequence[UUID] = (), cycle_id: UUID | None = None
) -> list[Waiting]:
    found = await connection.execute(WAITING, {"tenant": viewer.tenant_id, "ids": list(ids), "cycle_id": cycle_id})
    return [Waiting(*row) for row in found.all()]


def separate(viewer: Viewer, awards: Sequence[Waiting], action: Action) -> None:
    forbid(action, Relation.BENEFICIARY, sum(each.person_id == viewer.person_id for each in awards))
    forbid(action, Relation.SUBMITTER, sum(each.submitted_by == viewer.person_id for each in awards))


async def approve_these(
    connection: AsyncConnection, log: audit.Log, viewer: Viewer, awards: Sequence[Waiting], now: datetime
) -> int:
    """One decision, one audit entry a person, and the books: what is promised is owed, and vested with it."""
    await require(connection, viewer, Action.AWARD_APPROVE)
    separate(viewer, awards, Action.AWARD_APPROVE)
    if not awards:
        return 0
    await one_account_each(connection, viewer, awards)
    await decide(connection, viewer, awards, "APPROVED", now)
    journals: list[tuple[Journal, UUID]] = []
    for award in awards:
        entry = await log.record(
            connection,
            viewer,
            ty="award.granted/v1",
            object_type="award",
            object_id=award.award_ref,
            subject_id=award.person_id,
            data={
                "amount_minor": str(award.earned_minor),
                "currency": award.currency,
                "run": str(award.run_id),
                "submitted_by": str(award.submitted_by),
            },
            at=now,
        )
        journals += [(each, entry) for each in promise(award, now)]
    await books.book(connection, viewer, journals)
    return len(awards)


async def one_account_each(connection: AsyncConnection, viewer: Viewer, awards: Sequence[Waiting]) -> None:
    scope = {"tenant": viewer.tenant_id, "ids": [a.id for a in awards], "cycles": list({a.cycle_id for a in awards})}
    if both := (await connection.execute(SHARED_NUMBER, scope)).scalar():
        raise Refused(
            Code.BAD_INPUT,
            f"The beneficiaries of {both} are accounts with the same employee number.",
            "Reject the award of the account that is not the person's own, or correct the number and sync.",
        )


async def decide(
    connection: AsyncConnection, viewer: Viewer, awards: Sequence[Waiting], state: str, now: datetime
) -> None:
    changed = await connection.execute(
        DECIDE,
        {
            "tenant": viewer.tenant_id,
            "ids": [each.id for each in awards],
            "state": state,
            "person": viewer.person_id,
            "now": now,
        },
    )
    if changed.rowcount != len(awards):  # a refused UPDATE is silent: row security just shows fewer rows
        raise Refused(Code.STATE_CONFLICT, "Some awards were decided meanwhile.", "Look at the list of awards again.")


def promise(award: Waiting, now: datetime) -> list[Journal]:
    """Accrual, award and vesting of an approved award; nothing for an award of nothing."""
    if award.earned_minor == 0:
        return []
    part = [Part(award.earned_minor, award.award_ref)]
    return [
        journal(event, award.award_ref, award.currency, part, booked_on=now.date())
        for event in (Event.ACCRUAL, Event.AWARD, Event.VEST)
    ]
