"""What one event costs until its score is right: among many mirrored records, over among few.

The event is a webhook in the inbox: one more version of one incident. The cost is processor time of the worker (this
process) and of the database, from the claim of the delivery to the last commit of the run that counts it. Both sizes
are loaded by the worker from a served instance; the plan has four metrics, by team and over all. `mirror` and `score`
tell the two halves apart: reading the event into the tables, and measuring and settling the cycle.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID, uuid5

import orjson
from sqlalchemy import text

import connectors.sandbox
from api.actions import plans, runs
from api.bench.stage import Stage, asking, database_cpu_seconds, say, served, staged, told, worker_environment
from api.feeds import refresh_statistics
from api.house import House
from api.opening import open_house
from api.settings import read
from api.sources import connected
from connectors.drain import drain
from connectors.sandbox.stream import row
from engine.plans import read_plan
from schema.identity import NAMESPACE
from schema.store import DbRole, Viewer

FEW = 10_000
ROUND = 3
EVENTS = 3
SOMEBODY = Viewer(UUID(int=1))
HOOK = text(
    """insert into inbox.delivery (tenant_id, source, entity, feed, delivery_id, conflict_no, body, body_sha256,
         headers, received_at, state, attempts)
       values (app.tenant(), 'servicenow', '', 'WEBHOOK', :id, 0, :body, sha256(:body), '{}', now(), 'READY', 0)"""
)
SEEN = text("select reopen_count from mirror.incident where source_key = :key")


def run(records: int = 1_000_000) -> dict[str, Any]:
    """Loads both sizes first: about two minutes for a million."""
    with staged() as stage:
        few, many = (asyncio.run(measured(stage, size)) for size in (FEW, records))
    shares = {part: round(many[part] / few[part], 2) for part in few}
    return {
        "name": "live", "ratio": shares["whole"], "target": 1.5, "better": "lower", "records": records,
        "peer": f"itself at {FEW} records", "mirror_ratio": shares["mirror"], "score_ratio": shares["score"],
        "cpu_ms_few": {part: round(value * 1000, 1) for part, value in few.items()},
        "cpu_ms_many": {part: round(value * 1000, 1) for part, value in many.items()},
    }  # fmt: skip


async def measured(stage: Stage, records: int) -> dict[str, float]:
    """Median processor seconds of an event, by part."""
    database = f"live_{records}"
    await asking(stage.url("postgres"), f"create database {database}")
    with served(records, ROUND) as instance:
        environment = worker_environment(stage, database, instance)
        heard = await asyncio.to_thread(told, [sys.executable, "-m", "api.bench.mirror_ours"], environment)
        say(f"{records} records mirrored in {heard['seconds']:.0f} s")
        async with open_house(read(environment)) as house:
            await refresh_statistics(house)
            await publish(house)
            await runs.run(house.store, house.log, house.clock())
            events = [await event(stage, house, number, records) for number in range(EVENTS + 1)]
    await asking(stage.url("postgres"), f"drop database {database} with (force)")
    return {part: median(one[part] for one in events[1:]) for part in events[0]}


async def publish(house: House) -> None:
    """The plan that two metrics of each team are agreed in, for the year that the instance is in."""
    body = (Path(connectors.sandbox.__file__).parent / "log_plan.yaml").read_text()
    body = body.replace('key: "2016", starts_on: 2016-01-01, ends_before: 2017-07-01',
                        'key: "2026", starts_on: 2026-01-01, ends_before: 2027-02-01')  # fmt: skip
    plan, now = read_plan(body), datetime.now(UTC)
    async with house.store.begin(DbRole.WORKER, SOMEBODY) as connection:
        await plans.insert(connection, SOMEBODY, plan, uuid5(NAMESPACE, "plan:bench"), body, now)


async def event(stage: Stage, house: House, number: int, records: int) -> dict[str, float]:
    """One webhook, from the inbox into a run."""
    record = row(number * 7 + 1, records, ROUND) | {"sys_mod_count": "9", "reopen_count": "3"}
    record |= {"caused_by": ""}  # a whole record: nothing is left to be read again
    body = orjson.dumps({"event_id": f"e{number}", "table": "incident", "op": "update", "record": record})
    async with house.store.begin(DbRole.INTAKE) as connection:
        await connection.execute(HOOK, {"id": f"bench-{number}", "body": body})
    translators = (await connected(house.store, house.settings)).translators
    start = spent(stage)
    await drain(house.store, translators)
    middle = spent(stage)
    ran = await runs.run(house.store, house.log, house.clock())
    end = spent(stage)
    async with house.store.begin(DbRole.WORKER) as connection:
        if await connection.scalar(SEEN, {"key": record["sys_id"]}) != 3 or not ran.new:
            raise RuntimeError("the event was not mirrored and scored")
    say(f"{records} records: {(middle - start) * 1000:.0f} ms to mirror, {(end - middle) * 1000:.0f} ms to score")
    return {"mirror": middle - start, "score": end - middle, "whole": end - start}


def spent(stage: Stage) -> float:
    return time.process_time() + database_cpu_seconds(stage)
