"""Runs: the same inputs are the same run, whatever way they came; results are never edited and explain themselves."""

import asyncio
import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import asyncpg
import orjson
import pytest

from api.actions import plans, runs
from connectors.source import Version
from engine.calendar import business_seconds
from engine.explain import from_json, reevaluate
from engine.findings import walk
from engine.plans import read_plan
from engine.words import MirrorKind, Role
from schema.results import shown
from schema.store import DbRole
from tests.api.actions.firm import (
    NOW,
    POOL_MINOR,
    Firm,
    Stages,
    again,
    bring_in,
    grant,
    happened,
    organisation,
    person,
    plan,
    service,
    version,
)

ROUND_THE_CLOCK = plan(
    "round-the-clock",
    **{
        "Europe/Berlin": "UTC",
        '"09:00-17:00"], TUESDAY': '"00:00-24:00"], SATURDAY: ["00:00-24:00"], SUNDAY: ["06:30-18:00"], TUESDAY',
    },
)
RESULTS = ("score.run", "score.kpi_value", "score.kpi_lineage", "score.score", "score.attribution_split",
           "pay.pool_allocation", "pay.award_proposal")  # fmt: skip
APPEND_ONLY = {
    *RESULTS, "mirror.revision", "mirror.standing", "mirror.snapshot", "score.plan_version", "score.cycle",
    "pay.award_amount", "pay.file_part", "pay.ack", "ledger.account",
    "ledger.journal", "ledger.posting", "audit.seq", "audit.tree_head", "audit.note_line", "feed.change",
}  # fmt: skip


async def first_run(firm: Firm, body: str = plan()) -> runs.Ran:
    await grant(firm.store, person("plan-admin"), Role.PLAN_ADMIN)
    await plans.publish(firm.store, firm.log, firm.viewer("plan-admin"), body, NOW)
    return await runs.run(firm.store, firm.log, NOW)


def first_incident() -> Version:
    return next(each for each in happened() if each.key == "i1")


@pytest.mark.capability("X2")
async def test_the_same_inputs_are_the_same_run(scored: Firm) -> None:
    before = await scored.fingerprint()
    (stored,) = await scored.rows("select id, result_hash from score.run")
    for moment in (NOW, NOW.replace(year=2030)):
        ran = await runs.run(scored.store, scored.log, moment)
        assert (ran.run_id, ran.result_hash, ran.new) == (UUID(str(stored["id"])), stored["result_hash"], False)
    await bring_in(scored.store, happened())  # nothing new under the sun
    assert not (await runs.run(scored.store, scored.log, NOW)).new
    assert await scored.fingerprint() == before


@pytest.mark.capability("X2")
async def test_two_databases_and_any_order_of_arrival_give_the_same_hash(scored: Firm, stages: Stages) -> None:
    """Also when older versions with other contents come in between, before or after the ones that count."""
    incidents = [each for each in happened() if each.kind is MirrorKind.INCIDENT]
    outdated = [
        version(each.kind, each.key, no=0, **(dict(each.values) | {"state": "CANCELLED"})) for each in incidents
    ]
    arrivals = [*organisation(), *happened(), *outdated]
    async with stages.at("") as firm:
        random.Random(7).shuffle(arrivals)
        for start in range(0, len(arrivals), 9):
            await bring_in(firm.store, arrivals[start : start + 9])
        ran = await first_run(firm)
        said = [each["data"] for each in await firm.payloads("run.closed/v1")]
        here, there = await result_rows(scored, await scored.run_id()), await result_rows(firm, ran.run_id)
    assert ran.result_hash == await scored.value("select result_hash from score.run")
    assert ran.run_id == await scored.run_id()
    assert said == [each["data"] for each in await scored.payloads("run.closed/v1")]
    assert (said[0]["result"], said[0]["inputs"]["used"] > 50) == (ran.result_hash, True)
    assert len(here) > 50
    assert [row for row in here if '"revision_id":' not in row] == [row for row in there if '"revision_id":' not in row]


async def result_rows(firm: Firm, run_id: UUID) -> list[str]:
    listing = " union all ".join(
        f"select to_jsonb(t)::text as row from {name} t where {'id' if name == 'score.run' else 'run_id'} = $1"
        for name in RESULTS
    )
    return sorted(row["row"] for row in await firm.rows(listing, run_id))


@pytest.mark.capability("X2")
async def test_a_changed_record_makes_a_new_run_and_leaves_the_old_one_alone(scored: Firm) -> None:
    old_id = await scored.run_id()
    old_rows = await result_rows(scored, old_id)
    slow = first_incident()
    resolved = slow.values["resolved_at"].replace(day=30)
    await bring_in(scored.store, [again(slow, resolved_at=resolved)])
    ran = await runs.run(scored.store, scored.log, NOW)
    assert ran.new
    assert ran.run_id != old_id
    assert await result_rows(scored, old_id) == old_rows
    assert await scored.value("select count(distinct result_hash) from score.run") == 2
    measured = await scored.rows(
        """select run_id, measure from score.kpi_lineage where number = 'INC0000001' and subject_kind = 'SERVICE'
              and metric = 'median_business_minutes_to_resolve'"""
    )
    by_run = {UUID(str(row["run_id"])): row["measure"] for row in measured}
    assert by_run[old_id] == 2 * 3600
    calendar = read_plan(plan()).calendar
    assert by_run[ran.run_id] == business_seconds(calendar, slow.values["opened_at"], resolved)
    # The old content under a newer version is the old snapshot again, and so the old run.
    await bring_in(scored.store, [replace(slow, version_no=3, version_at=NOW)])
    assert (await runs.run(scored.store, scored.log, NOW)).run_id == old_id
    assert (await scored.entries())["run.closed/v1"] == 2


async def test_business_time_is_counted_anew_for_another_calendar(scored: Firm, stages: Stages) -> None:
    firm_hash = await scored.value("select result_hash from score.run")
    await plans.publish(scored.store, scored.log, scored.viewer("plan-admin"), ROUND_THE_CLOCK, NOW)
    other = await runs.run(scored.store, scored.log, NOW, "round-the-clock")
    assert other.result_hash != firm_hash
    calendar = read_plan(ROUND_THE_CLOCK).calendar
    counted = await scored.rows("select opened_at, resolved_at, resolve_business_seconds as got from mirror.incident")
    assert len(counted) == 11
    for row in counted:
        assert row["got"] == business_seconds(calendar, row["opened_at"], row["resolved_at"])
    async with stages.at("") as firm:  # the other calendar first: what was counted before leaves no trace in the hash
        await bring_in(firm.store, [*organisation(), *happened()])
        assert (await first_run(firm, ROUND_THE_CLOCK)).result_hash == other.result_hash
        await plans.publish(firm.store, firm.log, firm.viewer("plan-admin"), plan(), NOW)
        assert (await runs.run(firm.store, firm.log, NOW, "firm")).result_hash == firm_hash


async def test_runs_at_the_same_time_are_one_run(scored: Firm) -> None:
    body = plan(version=2, **{"target: 300": "target: 299"})
    await plans.publish(scored.store, scored.log, scored.viewer("plan-admin"), body, NOW.replace(hour=10))
    ran = await asyncio.gather(*[runs.run(scored.store, scored.log, NOW) for _ in range(3)])
    assert len({each.run_id for each in ran}) == len({each.result_hash for each in ran}) == 1
    assert [each.new for each in ran].count(True) == 1
    assert (await scored.entries())["run.closed/v1"] == 2


async def test_a_run_starts_anew_when_a_record_moves_underneath(scored: Firm) -> None:
    """The business time of every incident is due, and one of them is being rewritten."""
    await plans.publish(scored.store, scored.log, scored.viewer("plan-admin"), ROUND_THE_CLOCK, NOW)
    async with scored.store.begin(DbRole.WORKER) as connection:
        found = await connection.exec_driver_sql("update mirror.incident set reopen_count = 0 where number like '%01'")
        assert found.rowcount == 1
        running = asyncio.create_task(runs.run(scored.store, scored.log, NOW, "round-the-clock"))
        while not await scored.value("select count(*) from pg_locks where not granted"):
            await asyncio.sleep(0.02)
    ran = await running
    assert ran.new
    assert not (await runs.run(scored.store, scored.log, NOW, "round-the-clock")).new


@pytest.mark.capability("X2")
async def test_results_refuse_to_be_edited_even_by_their_owner(pulled: Firm) -> None:
    guarded = await pulled.rows(
        """select n.nspname || '.' || c.relname as name from pg_trigger g join pg_class c on c.oid = g.tgrelid
             join pg_namespace n on n.oid = c.relnamespace where g.tgname = 'append_only'"""
    )
    assert {row["name"] for row in guarded} == APPEND_ONLY | {"audit.entry"}
    admin = await asyncpg.connect(pulled.url)
    try:
        for table in sorted(APPEND_ONLY):
            for act in (f"update {table} set tenant_id = tenant_id", f"delete from {table}", f"truncate {table}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                    await admin.execute(act)
        for act in ("delete from audit.entry", "truncate audit.entry cascade", "update audit.entry set ty = 'x.y/v1'"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await admin.execute(act)
    finally:
        await admin.close()


@pytest.mark.capability("X2")
async def test_every_stored_number_follows_from_its_trace(submitted: Firm) -> None:
    money = await submitted.rows("select earned_minor as value, trace from pay.award_amount")
    proposed = await submitted.rows("select earned_minor as value, trace from pay.award_proposal")
    scores = await submitted.rows("select value, trace from score.score")
    assert len(money) == len(proposed) == 5
    nodes = 0
    for row in [*money, *proposed, *scores]:
        root = from_json(orjson.loads(row["trace"]))
        for node in walk(root):
            assert reevaluate(node) == node.value
            nodes += 1
        stored = row["value"]
        assert (shown(root.value) if isinstance(stored, Decimal) else root.value) == stored
    assert nodes > 200
    lines = await submitted.rows("select value, pays, attainment, trace from score.kpi_value where trace <> '{}'")
    for row in lines:
        root = from_json(orjson.loads(row["trace"]))
        assert all(reevaluate(node) == node.value for node in walk(root))


@pytest.mark.capability("I2.6")
async def test_without_records_there_is_no_data_and_never_zero(scored: Firm) -> None:
    attic = str(service("Attic"))
    lines = await scored.rows("select * from score.kpi_value where subject_id = $1", attic)
    assert len(lines) == 5
    for line in lines:
        nothing = {line[column] for column in ("value", "attainment", "numerator", "denominator")}
        assert (line["status"], line["n"], nothing) == ("NO_DATA", 0, {None})
    (score,) = await scored.rows("select value, status from score.score where subject_id = $1", attic)
    assert (score["value"], score["status"]) == (None, "NO_DATA")
    allocated = {str(row[0]) for row in await scored.rows("select service_id from pay.pool_allocation")}
    assert allocated == {str(service("Portal")), str(service("Checkout"))}
    assert "UNALLOCATED" in await scored.value("select signals::text from score.run")


@pytest.mark.capability("I2.4")
async def test_the_vendor_s_outage_is_left_out_with_its_evidence(scored: Firm) -> None:
    out = await scored.rows(
        """select l.metric, l.number, p.number as evidence from score.kpi_lineage l
             join mirror.problem p on p.id = l.evidence_id
            where l.left_out = 'ROOT_CAUSE_VENDOR' and l.subject_kind = 'SERVICE'"""
    )
    assert {(row["metric"], row["number"], row["evidence"]) for row in out} == {
        ("median_business_minutes_to_resolve", "INC0000006", "PRB1"),
        ("sla_attainment", "INC0000006", "PRB1"),
    }
    counts = await scored.rows("select metric, excluded_n from score.kpi_value where subject_label = 'Portal'")
    assert {row["metric"]: row["excluded_n"] for row in counts} == {
        "median_business_minutes_to_resolve": 1, "sla_attainment": 1, "customer_satisfaction": 0, "reopen_rate": 0,
        "cab_discipline": 0,
    }  # fmt: skip


@pytest.mark.capability("I4.1")
@pytest.mark.capability("I2.6")
async def test_pool_and_shares_are_dealt_out_whole(scored: Firm) -> None:
    parts = {
        str(row[0]): row[1] for row in await scored.rows("select service_id, amount_minor from pay.pool_allocation")
    }
    assert sum(parts.values()) == POOL_MINOR
    weight = {"Portal": 7 * Fraction(3, 2), "Checkout": Fraction(4)}
    for name, each in weight.items():
        assert abs(parts[str(service(name))] - POOL_MINOR * each / sum(weight.values())) < 1
    splits = await scored.rows("select service_id, share_num, share_den from score.attribution_split")
    whole: dict[str, Fraction] = {}
    for row in splits:
        key = str(row["service_id"])
        whole[key] = whole.get(key, Fraction(0)) + Fraction(row["share_num"], row["share_den"])
    assert set(whole.values()) == {Fraction(1)}
    targets = await scored.value("select sum(target_minor) from pay.award_proposal")
    assert targets == POOL_MINOR
