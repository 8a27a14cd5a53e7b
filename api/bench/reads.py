"""Processor time of a read by GraphQL, server and database together, over that of PostGraphile 5.

Both answer the same two questions from the same rows of one database under the same row security: a dashboard of about
five thousand objects and a card of thirty. Before anything is measured the answers are compared and must be equal, key
by key. Then 16 readers in a closed loop, in interleaved rounds whose order alternates. `ratio` is ours over the peer's,
so less is better; it is taken within a round, since a shared machine is not equally fast at all times. Seconds on the
clock are reported and judge nothing. An answer with an error is an error of the bench, not a figure.
"""

import asyncio
import json
import subprocess
import sys
from statistics import median
from typing import Any

import httpx

from api.bench.reads_data import Size
from api.bench.reads_queries import QUERIES
from api.bench.reads_stage import Stage, backends, cpu_ns, staged
from api.bench.stage import say

PEER = "PostGraphile 5.1.5 (grafserv on Node 24), same tables, role and row security, viewer from a header"
SIDES = ("ours", "peer")
CONNECTIONS = 16
CHECKED = 5  # managers whose answers are compared before
WARM_SECONDS = 4.0  # for a compiler that compiles while it runs
FIGURES = ("server_us", "database_us", "per_second", "median_us", "p99_us")


def run(rounds: int = 5, seconds: float = 3.0) -> dict[str, Any]:
    """All rounds; about 4 * rounds * seconds + 50 seconds."""
    with staged(Size()) as stage:
        shapes = {name: checked(stage, name) for name in QUERIES}
        for name in QUERIES:
            for side in SIDES:
                measure(stage, side, name, WARM_SECONDS)
        measured: dict[str, list[dict[str, dict[str, float]]]] = {name: [] for name in QUERIES}
        for number in range(rounds):
            sides = sorted(SIDES, reverse=number % 2 == 1)
            for name in QUERIES:
                measured[name].append({side: measure(stage, side, name, seconds) for side in sides})
    figures = {name: {**compared(name, each), **shapes[name]} for name, each in measured.items()}
    return {
        "name": "reads",
        **figures["big"],
        "better": "lower",
        "peer": PEER,
        "connections": CONNECTIONS,
        "small": figures["small"],
    }


def compared(name: str, rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Median of the paired ratios; spread is (largest - smallest) / median."""
    runs = [spent(one["ours"]) / spent(one["peer"]) for one in rounds]
    figures: dict[str, Any] = {
        "ratio": round(median(runs), 3),
        "target": QUERIES[name].target,
        "runs": [round(one, 3) for one in runs],
        "spread": round((max(runs) - min(runs)) / median(runs), 2),
    }
    for side in SIDES:
        for figure in FIGURES:
            figures[f"{side}_{figure}"] = round(median(one[side][figure] for one in rounds))
    return figures


def spent(figures: dict[str, float]) -> float:
    return figures["server_us"] + figures["database_us"]


def measure(stage: Stage, side: str, name: str, seconds: float, connections: int = CONNECTIONS) -> dict[str, float]:
    """One side asked one question by all readers. The backends are named afterwards: by then all of them are there."""
    listed = asyncio.run(backends(stage.database_url))
    before = {pid: cpu_ns(pid) for pid in [*listed, stage.pids[side]]}
    heard = load(stage, side, name, seconds, connections)
    listed = asyncio.run(backends(stage.database_url))
    if heard["others"] or not heard["good"]:
        raise RuntimeError(f"{side}, {name}: {heard['good']} answers and {heard['others']} that are not")
    database = sum(cpu_ns(pid) - before.get(pid, 0) for pid in listed)
    server = cpu_ns(stage.pids[side]) - before[stage.pids[side]]
    figures = {
        "server_us": server / heard["good"] / 1e3,
        "database_us": database / heard["good"] / 1e3,
        "per_second": heard["good"] / heard["seconds"],
        "median_us": heard["median_us"],
        "p99_us": heard["p99_us"],
    }
    say(
        f"{name:5} {side}: {figures['server_us']:6.0f} us of the server, {figures['database_us']:6.0f} us of the"
        f" database, {figures['per_second']:5.0f}/s"
    )
    return figures


def load(stage: Stage, side: str, name: str, seconds: float, connections: int) -> dict[str, float]:
    command = [sys.executable, "-m", "api.bench.reads_load", str(stage.ports[side]), str(connections), str(seconds)]
    finished = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, input=stage.requests(side, name), timeout=seconds + 60
    )
    found: dict[str, float] = json.loads(finished.stdout)
    return found


def checked(stage: Stage, name: str) -> dict[str, int]:
    """Both sides answer alike for the first managers; how much that is. Keys must come in the same order."""
    shape = {}
    for manager in range(1, min(CHECKED, stage.size.managers) + 1):
        answers = {side: answered(stage, side, name, manager) for side in SIDES}
        texts = {side: json.dumps(data, separators=(",", ":")) for side, data in answers.items()}
        if texts["ours"] != texts["peer"]:
            raise RuntimeError(f"{name}, manager {manager}: the answers differ")
        shape = {"objects": objects(answers["ours"]), "bytes": len(texts["ours"])}
    return shape


def answered(stage: Stage, side: str, name: str, manager: int) -> Any:
    """The `data` of one answer."""
    head, _, body = stage.request(side, name, manager).partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    heard = httpx.post(f"http://127.0.0.1:{stage.ports[side]}/graphql", content=body, headers=headers, timeout=60)
    found = heard.json()
    if heard.status_code != 200 or "errors" in found:
        raise RuntimeError(f"{side}, {name}: {heard.status_code} {heard.text[:500]}")
    return found["data"]


def objects(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(objects, value.values()))
    return sum(map(objects, value)) if isinstance(value, list) else 0
