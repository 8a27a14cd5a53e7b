"""Our side of `bench mirror`: the worker's own reading and draining, in a process of its own.

Started as `python -m api.bench.mirror_ours [ROUNDS]`, with the settings of a worker in the environment. With rounds the
served instance is moved on between two readings. The last line of stdout is JSON.
"""

import json
import os
import resource
import sys
import time

import httpx
import uvloop

from api import memory
from api.feeds import poll_all
from api.opening import open_house
from api.settings import read
from api.sources import connected
from connectors.drain import Drained


async def mirror(rounds: int) -> dict[str, float]:
    memory.settle()
    settings = read(os.environ)
    async with open_house(settings) as house:
        await connected(house.store, house.settings)  # the contracts are read once in the life of a worker
        started, cpu = time.perf_counter(), time.process_time()
        drained, ended = Drained(), (started, cpu)

        def note(line: str) -> None:
            """The last commit of rows; what comes behind it is for the planner."""
            nonlocal ended
            if line.startswith("mirrored"):
                ended = time.perf_counter(), time.process_time()

        for number in range(rounds):
            if rounds > 1:
                httpx.post(f"{settings.servicenow.url}/round/{number}").raise_for_status()
            drained += await poll_all(house, note)
        return {
            "seconds": ended[0] - started,
            "cpu_seconds": ended[1] - cpu,
            "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "revisions": drained.revisions,
            "records": drained.heads,
        }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(mirror(int(sys.argv[1]) if len(sys.argv) > 1 else 1))))
