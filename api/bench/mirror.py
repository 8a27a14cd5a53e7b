"""Records per second from an instance of ServiceNow into typed tables, over dlt's rest_api source.

Ours is the worker as it is: `poll` and `drain` side by side, every page kept, every version kept, typed rows merged.
The peer is dlt in an environment of its own, made for this run by its package installer, with the same rows, columns,
page size and database server, merging by key. Both run as processes of their own on the same two cores, each into a
fresh database; rounds are interleaved and their order alternates. Only the mirroring is timed: from the first request
to the last commit. A side that does not end with every row is an error of the bench, not a figure.

With `revisions` there is no peer: so many versions of a quarter as many records are mirrored in four rounds, and the
end state is compared with the generator, version by version (`mirror_load`).
"""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from api.bench import mirror_load
from api.bench.stage import (
    Stage,
    asked,
    asking,
    database_cpu_seconds,
    say,
    served,
    staged,
    told,
    worker_environment,
)
from schema.store import migrate

PEER = "dlt 1.31 rest_api, header_link paginator, merge by sys_id (upsert) into PostgreSQL"
PACKAGE = "dlt[postgres]==1.31.0"
PAGE = 1_000
ROUND = 3  # every incident is closed: as many columns filled as there will be
COUNT = {
    "ours": "select count(*) from mirror.incident where revision_id is not null",
    "peer": "select count(*) from mirrored.incident",
}
FIGURES = ("per_second", "seconds", "cpu_seconds", "database_cpu_seconds", "peak_mb")


def run(rounds: int = 3, records: int = 50_000, revisions: int = 0) -> dict[str, Any]:
    """All rounds, about 20 seconds each for 50,000 records; or one load of so many revisions."""
    if revisions:
        return mirror_load.run(revisions)
    with staged() as stage, served(records, ROUND) as instance:
        peer = installed(stage.home / "peer")
        measured = []
        for number in range(rounds + 1):  # the first one warms up
            sides = sorted(COUNT, reverse=number % 2 == 1)
            measured.append({side: measure(stage, side, instance, records, peer) for side in sides})
    return {"name": "mirror", **compared(measured[1:]), "better": "higher", "peer": PEER, "records": records}


def compared(rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Median of the paired ratios; spread is (largest - smallest) / median. `cpu_ratio` counts processor time alone."""
    runs = [one["ours"]["per_second"] / one["peer"]["per_second"] for one in rounds]
    cpu = [spent(one["peer"]) / spent(one["ours"]) for one in rounds]
    figures: dict[str, Any] = {
        "ratio": round(median(runs), 2),
        "target": 3.0,
        "runs": [round(one, 2) for one in runs],
        "spread": round((max(runs) - min(runs)) / median(runs), 2),
        "cpu_ratio": round(median(cpu), 2),
    }
    for side in COUNT:
        for figure in FIGURES:
            figures[f"{side}_{figure}"] = round(median(one[side][figure] for one in rounds), 2)
    return figures


def spent(figures: dict[str, float]) -> float:
    return figures["cpu_seconds"] + figures["database_cpu_seconds"]


def measure(stage: Stage, side: str, instance: str, records: int, peer: Path) -> dict[str, float]:
    """One side into a fresh database, which is dropped afterwards."""
    database = f"bench_{side}"
    asyncio.run(asking(stage.url("postgres"), f"create database {database}"))
    try:
        if side == "ours":
            asyncio.run(migrate(stage.url(database)))
        asyncio.run(asking(stage.url(database), "checkpoint"))
        before = database_cpu_seconds(stage)
        heard = {"ours": our_side, "peer": peer_side}[side](stage, database, instance, peer)
        spent_there = database_cpu_seconds(stage) - before
        rows = asyncio.run(asking(stage.url(database), COUNT[side]))
        if rows != records:
            raise RuntimeError(f"{side}: {rows} rows of {records} records")
    finally:
        asyncio.run(asking(stage.url("postgres"), f"drop database {database} with (force)"))
    figures = {
        "per_second": records / heard["seconds"],
        "seconds": heard["seconds"],
        "cpu_seconds": heard["cpu_seconds"],
        "database_cpu_seconds": spent_there,
        "peak_mb": heard["peak_kb"] / 1024,
    }
    say(f"{side}: {figures['per_second']:6.0f}/s, {heard['cpu_seconds']:.1f} + {spent_there:.1f} s of processor time")
    return figures


def our_side(stage: Stage, database: str, instance: str, peer: Path) -> dict[str, Any]:
    return told([sys.executable, "-m", "api.bench.mirror_ours"], worker_environment(stage, database, instance))


def peer_side(stage: Stage, database: str, instance: str, peer: Path) -> dict[str, Any]:
    folder = stage.home / "pipelines"
    script = Path(__file__).parent / "mirror_peer.py"
    command = [peer, script, instance, stage.socket_folder, database, folder, ",".join(asked()), PAGE]
    try:
        return told(list(map(str, command)), {**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false", "HOME": str(folder)})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def installed(folder: Path) -> Path:
    """The interpreter of an environment with the peer in it: by uv where there is one, else by pip."""
    python = folder / "bin" / "python"
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv:
        steps = [[uv, "venv", "-q", "--python", sys.executable, str(folder)],
                 [uv, "pip", "install", "-q", "--python", str(python), PACKAGE]]  # fmt: skip
    else:
        steps = [[sys.executable, "-m", "venv", str(folder)], [str(python), "-m", "pip", "install", "-q", PACKAGE]]
    say(f"installing {PACKAGE}")
    for step in steps:
        subprocess.run(step, check=True, timeout=300)
    return python
