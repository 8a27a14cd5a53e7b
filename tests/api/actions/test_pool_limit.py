"""The pool is dealt out once, after the cycle: no awards of a second run beside those of a first one."""

from datetime import UTC, datetime
from functools import partial

from api.actions import awards, runs
from engine.refusal import Code
from engine.words import MirrorKind
from tests.api.actions.firm import EARNERS, NOW, POOL_MINOR, Firm, at, bring_in, person, refused, version


async def newcomer(firm: Firm) -> None:
    await bring_in(firm.store, [
        version(MirrorKind.PERSON, "fay", name="fay", employee_number="40009", human=True, active=True),
        version(MirrorKind.TEAM_MEMBERSHIP, "Pay-fay", team_id=at(MirrorKind.TEAM, "Pay"), person_id=person("fay")),
    ])  # fmt: skip


async def test_who_comes_with_a_later_run_gets_nothing_on_top_of_the_pool(submitted: Firm) -> None:
    firm, hr = submitted, submitted.viewer("hr")
    await newcomer(firm)
    later = await runs.run(firm.store, firm.log, NOW)
    of_both = """select sum(p.target_minor)::int from pay.award_proposal p
                  where p.run_id = $1 and p.person_id = $2 or p.run_id <> $1"""
    assert await firm.value(of_both, later.run_id, person("fay")) > POOL_MINOR
    submit = partial(awards.submit, firm.store, firm.log, hr, later.run_id, NOW)
    await refused(firm, Code.STATE_CONFLICT, submit, f"{len(EARNERS)} awards")
    assert await firm.value("select sum(target_minor)::int from pay.award_amount") == POOL_MINOR


async def test_a_later_run_that_finds_nobody_new_submits_nothing_quietly(submitted: Firm) -> None:
    firm = submitted
    await bring_in(firm.store, [version(MirrorKind.VENDOR, "v", name="Some vendor")])
    later = await runs.run(firm.store, firm.log, NOW)
    assert later.new
    before = await firm.fingerprint()
    assert await awards.submit(firm.store, firm.log, firm.viewer("hr"), later.run_id, NOW) == 0
    assert await firm.fingerprint() == before


async def test_a_cycle_that_still_runs_is_not_awarded(scored: Firm) -> None:
    firm, hr, run_id = scored, scored.viewer("hr"), await scored.run_id()
    for early in (datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 9, 30, 23, 59, tzinfo=UTC)):
        submit = partial(awards.submit, firm.store, firm.log, hr, run_id, early)
        await refused(firm, Code.STATE_CONFLICT, submit, "runs until 2026-10-01")
    over = datetime(2026, 10, 1, tzinfo=UTC)
    assert await awards.submit(firm.store, firm.log, hr, run_id, over) == len(EARNERS)


async def test_only_the_newest_run_is_submitted(scored: Firm) -> None:
    firm, hr, old = scored, scored.viewer("hr"), await scored.run_id()
    await bring_in(firm.store, [version(MirrorKind.VENDOR, "v", name="Some vendor")])
    newest = await runs.run(firm.store, firm.log, NOW)
    assert newest.new
    await refused(firm, Code.STATE_CONFLICT, partial(awards.submit, firm.store, firm.log, hr, old, NOW), "newer run")
    assert await awards.submit(firm.store, firm.log, hr, newest.run_id, NOW) == len(EARNERS)
