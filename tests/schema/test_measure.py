"""Measuring in SQL is the same as measuring by hand: every metric, every subject, every record accounted for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.facts import Measured, Subject
from engine.metrics.aggregate import aggregate
from engine.metrics.catalogue import CATALOGUE
from engine.words import Aggregator, Measure, SubjectKind
from schema.embedded import Server
from schema.identity import DEFAULT_TENANT
from schema.measure import POPULATION, Window, measure
from schema.store import DbRole, Store, Viewer
from schema.tables import mirror
from tests.schema import measured_world as world
from tests.schema.measured_world import ENDS, SERVICES, STARTS, TEAMS, World, complete

KINDS = (SubjectKind.SERVICE, SubjectKind.TEAM, SubjectKind.TENANT)
OTHER = uuid4()
LINEAGE = text(
    """select metric, subject_id, record_id, measure, left_out, evidence_id from score.kpi_lineage
        where run_id = :run_id and subject_kind = :kind"""
)


@pytest.fixture(scope="module")
async def store(postgres: Server, template: str) -> AsyncIterator[Store]:
    """One database for all examples: each is written, measured and rolled back. Another tenant's records stay in it."""
    admin = await asyncpg.connect(postgres.url("postgres"))
    await admin.execute(f'create database "measuring" template "{template}" strategy file_copy')
    await admin.close()
    opened = Store(postgres.url("measuring"))
    for tenant in (DEFAULT_TENANT, OTHER):
        async with opened.begin(DbRole.WORKER, Viewer(tenant_id=tenant)) as connection:
            for table, kind, ids in ((mirror.Service, "service", SERVICES), (mirror.Team, "team", TEAMS)):
                rows = [thing(tenant, kind, number, id_) for number, id_ in enumerate(ids)]
                await connection.execute(insert(table), rows)
    async with opened.begin(DbRole.WORKER, Viewer(tenant_id=OTHER)) as connection:
        await connection.execute(insert(mirror.Incident), [FOREIGN])
    yield opened
    await opened.close()


def thing(tenant: UUID, kind: str, number: int, id_: UUID) -> dict[str, Any]:
    return {"tenant_id": tenant, "id": id_, "source": "servicenow", "source_key": f"{kind}{number}", "revision_id": 1,
            "name": f"{kind} {number}"}  # fmt: skip


class Undone(Exception):
    """Ends an example's transaction."""


@asynccontextmanager
async def written(store: Store, made: World) -> AsyncIterator[AsyncConnection]:
    """These records in the mirror until the block ends."""
    try:
        async with store.begin(DbRole.WORKER) as connection:
            for kind, table in world.TABLES.items():
                if made.rows.get(kind):
                    await connection.execute(insert(table), made.rows[kind])
            yield connection
            raise Undone
    except Undone:
        pass


def window(run_id: UUID) -> Window:
    causes = dict.fromkeys(CATALOGUE, world.EXCLUDED_CAUSES)
    return Window(run_id, STARTS, ENDS, causes, dict.fromkeys(CATALOGUE, world.TOLERANCE_MINUTES * 60))


SUBJECTS = {
    SubjectKind.SERVICE: [(id_, f"service {number}") for number, id_ in enumerate(SERVICES)],
    SubjectKind.TEAM: [(id_, f"team {number}") for number, id_ in enumerate(TEAMS)],
    SubjectKind.TENANT: [(DEFAULT_TENANT, "All records")],
}
TIMED = {"state": "RESOLVED", "service_id": SERVICES[0], "resolved_at": STARTS, "opened_at": STARTS}
FOREIGN = complete("incident", 99, TIMED | {"resolve_seconds": 60, "made_sla": True}) | {"tenant_id": OTHER}
NOTHING: dict[str, list[world.Row]] = {kind: [] for kind in world.TABLES}


@pytest.mark.capability("I2.4")
@pytest.mark.capability("I2.5")
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(made=world.worlds())
@example(made=World(NOTHING))
@example(made=World(NOTHING | {"incident": [complete("incident", 1, TIMED)]}))  # business time unknown: not 0
@example(made=world.every_combination())
async def test_sql_measures_what_the_rules_say(store: Store, made: World) -> None:
    run_id = uuid4()
    async with written(store, made) as connection:
        for kind in KINDS:
            found = await measure(connection, CATALOGUE, kind, window(run_id))
            wanted = [
                world.expected(made, metric, Subject(kind, str(id_), label))
                for metric in CATALOGUE
                for id_, label in SUBJECTS[kind]
            ]
            assert sorted(found, key=place) == sorted(wanted, key=place)
            assert all(each.value is None for each in found if each.n == 0)
            await account(connection, made, run_id, kind, found)
    event(f"values: {sum(each.n > 0 for each in found)} of {len(CATALOGUE)}")


def place(measured: Measured) -> tuple[str, str]:
    return measured.metric, measured.subject.id


async def account(
    connection: AsyncConnection, made: World, run_id: UUID, kind: SubjectKind, found: tuple[Measured, ...]
) -> None:
    """Every record stands in the lineage with its measure or the reason; the lineage alone gives the value."""
    rows = (await connection.execute(LINEAGE, {"run_id": run_id, "kind": kind.value})).all()
    stored = {(r.metric, r.subject_id, r.record_id): (r.measure, r.left_out, r.evidence_id) for r in rows}
    assert stored == {
        (metric, subject, each.record_id): (each.measure, each.left_out, each.evidence_id)
        for metric in CATALOGUE
        for subject, each in world.lineage(made, metric, kind)
    }
    for each in found:
        metric = CATALOGUE[each.metric]
        own = [r for r in rows if (r.metric, str(r.subject_id)) == (each.metric, each.subject.id)]
        used = [r.measure for r in own if r.left_out is None]
        value = aggregate(metric.aggregator, used)
        assert each.value == (None if value is None else value * metric.scale)
        assert each.n == len(used)


def test_every_measure_has_a_population_and_every_metric_a_sql_aggregator() -> None:
    assert set(POPULATION) == set(Measure) == set(world.POPULATIONS)
    assert {metric.aggregator for metric in CATALOGUE.values()} <= {Aggregator.MEDIAN, Aggregator.SHARE}
    # The population's moment is the metric's own finality column.
    for metric in CATALOGUE.values():
        assert f".{metric.finality} >= :starts" in POPULATION[metric.measure]
        assert f".{metric.finality} < :ends" in POPULATION[metric.measure]


async def test_medians_of_large_numbers_are_exact(store: Store) -> None:
    """Halves of seconds survive the database's floating point far beyond a human life."""
    for measures in ([2**40, 2**40 + 1], [2**51 - 1, 2**51], [0, 1], [7], [10**9, 1, 10**12]):
        rows = [complete("incident", n, TIMED | {"resolve_seconds": each}) for n, each in enumerate(measures, start=1)]
        async with written(store, World(NOTHING | {"incident": rows})) as connection:
            (found,) = await measure(connection, ["median_minutes_to_resolve"], SubjectKind.TENANT, window(uuid4()))
        assert found.value == (aggregate(Aggregator.MEDIAN, measures) or 0) / 60


async def test_records_of_another_tenant_are_not_measured(store: Store) -> None:
    for tenant, n in ((DEFAULT_TENANT, 0), (OTHER, 1)):
        viewer, bounds = Viewer(tenant_id=tenant), Window(uuid4(), STARTS, ENDS, {}, {}, tenant)
        async with store.begin(DbRole.WORKER, viewer) as connection:
            (found,) = await measure(connection, ["median_minutes_to_resolve"], SubjectKind.TENANT, bounds)
        assert (found.n, found.value) == (n, 1 if n else None)
