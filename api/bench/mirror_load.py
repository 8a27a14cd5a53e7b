"""`bench mirror --revisions N`: N versions of N/4 records, in four rounds, by one worker that must not grow.

A second process asks every half second how far the worker is and what it and the database hold in memory; for every
tenth of the way it prints the most of both. The first `WARM_UP` revisions are marked and left out of the slope
(megabytes per 100,000 revisions) and of the growth (last tenth over first warm one, medians, in percent): a leak shows
in both. In the end every version in the mirror is compared with the generator: its key, its number, its stamp and the
hash of its content; and the typed row of every record with its last version.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from statistics import median
from typing import Any

import asyncpg
import orjson

from api.bench.stage import Stage, asked, memory_mb, processes, say, served, staged, worker_environment
from connectors.sandbox.stream import row
from schema.store import migrate

ROUNDS = 4
SHARE = 10  # so many lines are printed
# Until the worker has held as much at once as it ever will (two full portions of the inbox, once the drain falls behind
# the reading), the shared buffers are full, and most connections have had their largest statement.
WARM_UP = 200_000
DATABASE = "bench_load"
WHERE = "select last_value from mirror.revision_id_seq"
VERSIONS = """select source_key, version_no, version_at, payload_hash from mirror.revision
 where entity = 'incident' order by source_key collate "C", version_no"""
TYPED = """select source_key, source_state, priority, opened_at, resolved_at, closed_at, reopen_count, made_sla
  from mirror.incident order by source_key collate "C" """


HELD = {"worker": "worker_mb", "database": "database_mb"}


@dataclass(frozen=True, slots=True)
class Sample:
    """How far it was after so many seconds, and who held how much."""

    seconds: float
    revisions: int
    worker_mb: float
    database_mb: float

    @property
    def warm(self) -> bool:
        # The last samples are of a worker that is closing down.
        return self.revisions > WARM_UP and self.worker_mb > 0


def run(revisions: int) -> dict[str, Any]:
    records = revisions // ROUNDS
    with staged() as stage, served(records, 0) as instance:
        asyncio.run(asking_for_database(stage))
        samples, heard = asyncio.run(loaded(stage, instance, records * ROUNDS))
        say("comparing every version with the generator")
        asyncio.run(compare(stage.url(DATABASE), records))
    per_second = heard["revisions"] / heard["seconds"]
    return {
        "name": "mirror", "revisions": heard["revisions"], "records": records, "seconds": round(heard["seconds"], 1),
        "per_second": round(per_second), "steps": steps(samples, records * ROUNDS),
        "warm_up": WARM_UP, "slope_mb_per_100000": {who: slope(samples, held) for who, held in HELD.items()},
        "growth_percent": {who: growth(samples, held) for who, held in HELD.items()},
        "compared": "every version and every typed row are as the generator made them",
        "ratio": round(per_second), "target": 0, "better": "higher", "peer": "nothing: revisions per second",
    }  # fmt: skip


async def asking_for_database(stage: Stage) -> None:
    connection = await asyncpg.connect(stage.url("postgres"))
    await connection.execute(f"create database {DATABASE}")
    await connection.close()
    await migrate(stage.url(DATABASE))


async def loaded(stage: Stage, instance: str, revisions: int) -> tuple[list[Sample], dict[str, Any]]:
    """Run the worker through all rounds and watch it."""
    command = [sys.executable, "-m", "api.bench.mirror_ours", str(ROUNDS)]
    environment = worker_environment(stage, DATABASE, instance)
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    watching = await asyncpg.connect(stage.url(DATABASE))
    samples: list[Sample] = []
    began, next_line = time.perf_counter(), revisions // SHARE
    try:
        while worker.poll() is None:
            await asyncio.sleep(0.5)
            done = await watching.fetchval(WHERE) or 0
            held = memory_mb(processes(stage))
            samples.append(Sample(time.perf_counter() - began, done, memory_mb([worker.pid]), held))
            if done >= next_line:
                last = samples[-1]
                warm = "" if last.warm else " (warming up)"
                say(f"{done:8} after {last.seconds:5.0f} s: worker {last.worker_mb:.0f}, database {held:.0f} MB{warm}")
                next_line += revisions // SHARE
    finally:
        worker.kill()
        await watching.close()
    told = worker.communicate()[0]
    if worker.returncode:
        raise RuntimeError("the worker failed")
    return samples, json.loads(told.splitlines()[-1])


def steps(samples: list[Sample], revisions: int) -> list[dict[str, Any]]:
    """For every tenth: revisions per second in it, the most memory in it, and whether it was a warm one."""
    found: list[dict[str, Any]] = []
    last, place = Sample(0.0, 0, 0.0, 0.0), 0
    for share in range(1, SHARE + 1):
        end = next((n for n, s in enumerate(samples) if s.revisions >= revisions * share // SHARE), len(samples) - 1)
        here, within = samples[end], samples[min(place, end) : end + 1]
        rate = (here.revisions - last.revisions) / max(here.seconds - last.seconds, 0.001)
        most = {name: round(max(getattr(one, name) for one in within)) for name in HELD.values()}
        found.append({"revisions": here.revisions, "per_second": round(rate), **most, "warm": within[0].warm})
        last, place = here, end + 1
    return found


def slope(samples: list[Sample], what: str) -> float | None:
    """Megabytes per 100,000 revisions over the warm part, by least squares; None where there is none."""
    warm = [one for one in samples if one.warm]
    x, y = [one.revisions / 100_000 for one in warm], [float(getattr(one, what)) for one in warm]
    if len(set(x)) < 2:
        return None
    middle_x, middle_y = sum(x) / len(x), sum(y) / len(y)
    below = sum((one - middle_x) ** 2 for one in x)
    above = sum((one - middle_x) * (other - middle_y) for one, other in zip(x, y, strict=True))
    return round(above / below, 2)


def growth(samples: list[Sample], what: str) -> float | None:
    """By how many percent the median of the last tenth lies over that of the first warm one."""
    warm = [one for one in samples if one.warm]
    if not warm:
        return None
    tenth = warm[-1].revisions / SHARE
    first = [float(getattr(one, what)) for one in warm if one.revisions <= warm[0].revisions + tenth]
    last = [float(getattr(one, what)) for one in warm if one.revisions >= warm[-1].revisions - tenth]
    return round(100 * (median(last) / median(first) - 1), 1)


# ---- the comparison


async def compare(url: str, records: int) -> None:
    connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
    try:
        async with connection.transaction():
            await equal(connection.cursor(VERSIONS, prefetch=5_000), versions(records), "version")
            await equal(connection.cursor(TYPED, prefetch=5_000), typed(records), "typed row")
    finally:
        await connection.close()


async def equal(found: Any, expected: AsyncIterator[tuple[Any, ...]], what: str) -> None:
    async for one in found:
        wanted = await anext(expected, None)
        if tuple(one) != wanted:
            raise RuntimeError(f"a {what} differs: {tuple(one)} is not {wanted}")
    if (missing := await anext(expected, None)) is not None:
        raise RuntimeError(f"a {what} is missing: {missing}")


async def versions(records: int) -> AsyncIterator[tuple[Any, ...]]:
    columns = asked()
    for number in range(records):
        for round_no in range(ROUNDS):
            one = row(number, records, round_no)
            content = orjson.dumps({name: one[name] for name in columns if one.get(name)})
            yield one["sys_id"], round_no, instant(one["sys_updated_on"]), sha256(content).digest()


async def typed(records: int) -> AsyncIterator[tuple[Any, ...]]:
    for number in range(records):
        one = row(number, records, ROUNDS - 1)
        yield (
            one["sys_id"], one["state"], int(one["priority"]), instant(one["opened_at"]), instant(one["resolved_at"]),
            instant(one["closed_at"]), int(one["reopen_count"]), one["made_sla"] == "true",
        )  # fmt: skip


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
