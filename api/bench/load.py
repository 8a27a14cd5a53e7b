"""A sender of signed webhooks that is in nobody's way.

Started as `python -m api.bench.load HOST PORT PATH SECRET CONNECTIONS SECONDS`, in a process of its own.
Each connection sends its next delivery when the last one was answered; all ids are new. Bodies have about a kilobyte.
The last line of stdout is JSON: answers 202 and others, seconds, our own CPU seconds, latencies in microseconds.
"""

import asyncio
import hmac
import json
import sys
import time
from base64 import b64decode, b64encode
from collections import Counter
from typing import cast
from uuid import uuid4

import uvloop

BODY_BYTES = 1024


class Sender(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._heard = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its ancestry
        self._send()

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._run.next_request())

    def data_received(self, data: bytes) -> None:
        self._heard += data
        end = self._heard.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._heard[:end].lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._heard) < end + 4 + length:
            return
        self._run.answered(int(head[9:12]), time.perf_counter() - self._sent_at)
        self._heard = b""
        if time.perf_counter() < self._run.until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.ended()


class Run:
    def __init__(self, path: str, secret: str, connections: int, seconds: float) -> None:
        self._path, self._key = path, b64decode(secret.removeprefix("whsec_"))
        self._left = connections
        self._prefix, self._count = uuid4().hex, 0
        self._statuses: Counter[int] = Counter()
        self._latencies: list[float] = []
        self._filling = "x" * (BODY_BYTES - 120)
        self.done = asyncio.get_running_loop().create_future()
        self._started, self._cpu = time.perf_counter(), time.process_time()
        self.until = self._started + seconds

    def next_request(self) -> bytes:
        self._count += 1
        delivery_id, at = f"{self._prefix}-{self._count}", str(int(time.time()))
        body = (
            f'{{"event_id":"{delivery_id}","table":"incident","op":"update","record":{{"sys_mod_count":"{self._count}",'
            f'"description":"{self._filling}"}}}}'
        ).encode()
        mac = b64encode(hmac.digest(self._key, f"{delivery_id}.{at}.".encode() + body, "sha256")).decode()
        head = (
            f"POST {self._path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: bench\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nwebhook-id: {delivery_id}\r\nwebhook-timestamp: {at}\r\n"
            f"webhook-signature: v1,{mac}\r\n\r\n"
        )
        return head.encode() + body

    def answered(self, status: int, seconds: float) -> None:
        self._statuses[status] += 1
        self._latencies.append(seconds)

    def ended(self) -> None:
        self._left -= 1
        if not self._left:
            self.done.set_result(None)

    def figures(self) -> dict[str, object]:
        ordered = sorted(self._latencies)
        accepted = self._statuses.pop(202, 0)
        return {
            "accepted": accepted,
            "others": dict(self._statuses),
            "seconds": time.perf_counter() - self._started,
            "cpu_seconds": time.process_time() - self._cpu,
            "median_us": round(ordered[len(ordered) // 2] * 1e6),
            "p99_us": round(ordered[len(ordered) * 99 // 100] * 1e6),
        }


async def send(host: str, port: str, path: str, secret: str, connections: str, seconds: str) -> None:
    loop = asyncio.get_running_loop()
    run = Run(path, secret, int(connections), float(seconds))
    for _ in range(int(connections)):
        await loop.create_connection(lambda: Sender(run), host, int(port))
    await run.done
    print(json.dumps(run.figures()))


if __name__ == "__main__":
    uvloop.run(send(*sys.argv[1:]))
