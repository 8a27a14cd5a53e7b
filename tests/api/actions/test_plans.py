"""Publishing a plan: once, by whoever may, and never changed afterwards."""

from collections import Counter
from functools import partial

import pytest

from api.actions import plans, runs
from engine.plans import read_plan
from engine.refusal import Code
from engine.words import Role
from schema.store import SYSTEM, DbRole
from tests.api.actions.firm import NOW, PLAN, Firm, grant, person, plan, refused


async def publish(firm: Firm, body: str, who: str = "plan-admin") -> plans.Published:
    return await plans.publish(firm.store, firm.log, firm.viewer(who), body, NOW)


@pytest.mark.capability("X1")
async def test_a_plan_is_kept_as_written_and_named_by_its_content(empty: Firm) -> None:
    await grant(empty.store, person("plan-admin"), Role.PLAN_ADMIN)
    published = await publish(empty, PLAN)
    (row,) = await empty.rows("select * from score.plan_version")
    assert (row["body"], row["content_hash"]) == (PLAN, read_plan(PLAN).content_hash)
    assert (str(row["id"]), row["published_by"]) == (str(published.id), str(person("plan-admin")))
    assert await empty.entries() == Counter({"rule.published/v1": 1})
    (said,) = await empty.payloads("rule.published/v1")
    assert said["data"] == {"content_hash": row["content_hash"], "key": "firm"}
    assert said["object"] == {"id": str(published.id), "type": "plan", "version": 1}
    (cycle,) = await empty.rows("select id, starts_on, ends_before from score.cycle")
    assert str(cycle["id"]) == str(published.cycle_id)


async def test_the_same_text_again_changes_nothing(scored: Firm) -> None:
    before = await scored.fingerprint()
    first = await publish(scored, PLAN)
    # Comments, spacing and the spelling of decimals are not the agreement.
    other = PLAN.replace("weight: 0.4\n", "weight: 0.40  # two fifths\n")
    assert other != PLAN
    assert (await publish(scored, other)).id == first.id
    assert await scored.fingerprint() == before


@pytest.mark.capability("X2")
async def test_another_content_under_a_published_version_is_refused(scored: Firm) -> None:
    changed = plan(**{"target: 300": "target: 301"})
    no = await refused(scored, Code.VERSION_IMMUTABLE, partial(publish, scored, changed))
    assert "version 2" in no.fix
    second = await publish(scored, plan(version=2, **{"target: 300": "target: 301"}))
    assert second.plan.version == 2
    await publish(scored, plan("another"))  # the number belongs to the key
    async with scored.store.begin(DbRole.WORKER) as connection:
        assert (await plans.latest(connection, SYSTEM, "firm")).id == second.id


async def test_a_bad_plan_is_refused_and_nothing_is_stored(empty: Firm) -> None:
    await grant(empty.store, person("plan-admin"), Role.PLAN_ADMIN)
    bad = {
        Code.WEIGHTS_NOT_100: plan(**{"weight: 0.4": "weight: 0.41"}),
        Code.SPLIT_NOT_ONE: plan(**{"ACCOUNTABLE: 0.5": "ACCOUNTABLE: 0.6"}),
        Code.TOLERANCE_TOO_WIDE: plan(**{"band: 0.02": "band: 0.2"}),
        Code.CURVE_INVALID: plan(**{"[[0.5, 0], [1, 1], [2, 1.5]]": "[[1, 1], [0.5, 0]]"}),
        Code.HEADCOUNT_ONLY_FORBIDDEN: plan(
            **{"{budget: 1, criticality: 1, headcount: 0}": "{budget: 0, criticality: 0, headcount: 1}"}
        ),
        Code.PLAN_INVALID: plan(**{"subject: SERVICE": "subject: PERSON"}),
    }
    for code, body in bad.items():
        await refused(empty, code, partial(publish, empty, body))


@pytest.mark.capability("X1")
async def test_who_may_publish(scored: Firm) -> None:
    for who in ("hr", "finance", "payroll", "auditor", "ann", "nobody"):
        await refused(scored, Code.ACCESS_DENIED, partial(publish, scored, plan(version=2), who))
    act = partial(plans.publish, scored.store, scored.log, SYSTEM, plan(version=2), NOW)
    await refused(scored, Code.ACCESS_DENIED, act)


async def test_without_a_plan_there_is_none(empty: Firm) -> None:
    await refused(empty, Code.NOT_FOUND, partial(runs.run, empty.store, empty.log, NOW))
