"""Readers in a closed loop: each connection asks again when its last answer has come whole.

Started as `python -m api.bench.reads_load PORT CONNECTIONS SECONDS`, in a process of its own. Stdin holds one request
on each line, whole and in base64; they are sent in turn. The last line of stdout is JSON: good answers and others,
seconds, our own CPU seconds, bytes of an answer, latencies in microseconds. One that says "errors" is not good.
"""

import asyncio
import json
import sys
import time
from base64 import b64decode
from collections.abc import Sequence
from itertools import cycle
from typing import cast

import uvloop

HEAD_END = b"\r\n\r\n"


class Reader(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._heard = bytearray()
        self._whole = 0  # how long the answer will be, once its head is known
        self._sent_at = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its ancestry
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(next(self._run.requests))

    def data_received(self, data: bytes) -> None:
        self._heard += data
        if not self._whole:
            end = self._heard.find(HEAD_END)
            if end < 0:
                return
            head = bytes(self._heard[:end]).lower()
            self._whole = end + 4 + int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._heard) < self._whole:
            return
        good = self._heard.startswith(b"HTTP/1.1 200 ") and b'"errors"' not in self._heard
        self._run.answered(good, len(self._heard), time.perf_counter() - self._sent_at)
        self._heard, self._whole = bytearray(), 0
        if time.perf_counter() < self._run.until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.ended()


class Run:
    def __init__(self, requests: Sequence[bytes], connections: int, seconds: float) -> None:
        self.requests = cycle(requests)
        self._left = connections
        self._good = self._others = self._bytes = 0
        self._latencies: list[float] = []
        self.done = asyncio.get_running_loop().create_future()
        self._started, self._cpu = time.perf_counter(), time.process_time()
        self.until = self._started + seconds

    def answered(self, good: bool, size: int, seconds: float) -> None:
        self._good += good
        self._others += not good
        self._bytes += size
        self._latencies.append(seconds)

    def ended(self) -> None:
        self._left -= 1
        if not self._left:
            self.done.set_result(None)

    def figures(self) -> dict[str, float]:
        ordered = sorted(self._latencies) or [0.0]
        return {
            "good": self._good,
            "others": self._others,
            "seconds": time.perf_counter() - self._started,
            "cpu_seconds": time.process_time() - self._cpu,
            "bytes": round(self._bytes / len(ordered)),
            "median_us": round(ordered[len(ordered) // 2] * 1e6),
            "p99_us": round(ordered[len(ordered) * 99 // 100] * 1e6),
        }


async def read(port: str, connections: str, seconds: str) -> None:
    loop = asyncio.get_running_loop()
    run = Run([b64decode(line) for line in sys.stdin], int(connections), float(seconds))
    for _ in range(int(connections)):
        await loop.create_connection(lambda: Reader(run), "127.0.0.1", int(port))
    await run.done
    print(json.dumps(run.figures()))


if __name__ == "__main__":
    uvloop.run(read(*sys.argv[1:]))
