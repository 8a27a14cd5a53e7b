"""Many managers ask for their dashboards at once: no error, and no row that is not theirs.

Decides: the organisation of `bench reads` with 200 managers, served by `evenhand serve` itself, everything on two
cores: server, database and those who ask. All ask at the same moment, and again when the last one has his answer. Each
answer is compared with a model that knows the reporting line alone, and no SQL: the head of the house, the manager
himself and those below him; numbers of the latter two. Times are wall time, told and never judged.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from statistics import quantiles
from typing import Any

import orjson

from api.bench.intake import await_port
from api.bench.reads_data import Size, fill
from api.bench.reads_stage import free_port, our_server, tokens
from api.bench.stage import say
from schema import embedded
from schema.store import migrate

MANAGERS, PEOPLE, CYCLES, VALUES = 200, 10, 4, 6
ANSWER_SECONDS = 15  # longer than the server allows itself
DASHBOARD = f"""query Dashboard($page: Int!) {{
  viewer {{ person {{ name }} }}
  people(first: $page) {{ totalCount nodes {{ name manager {{ name }}
    scores(first: {CYCLES}, orderBy: {{field: DATA_AS_OF, direction: DESC}}) {{ nodes {{
    subjectLabel value cycle {{ label }} kpiValues(limit: {VALUES}) {{ metric value }} }} }} }} }}
}}"""


def run(rounds: int = 10) -> dict[str, Any]:
    with serving(Size(MANAGERS, PEOPLE)) as (port, tokens_of):
        asyncio.run(ask("127.0.0.1", port, Size(MANAGERS, PEOPLE), tokens_of, 1))  # the first answers make plans
        found = asyncio.run(ask("127.0.0.1", port, Size(MANAGERS, PEOPLE), tokens_of, rounds))
    told = found.told()
    wrong = sum(told[name] for name in ("errors", "foreign_rows", "other_answers"))
    say(
        f"{told['answers']} answers, {told['errors']} errors, {told['foreign_rows']} foreign rows,"
        f" {told['per_second']} a second, p50 {told['p50_ms']} ms, p95 {told['p95_ms']} ms"
    )
    return {
        "peer": "a model of the reporting line", "better": "lower", "target": 0.0, "ratio": wrong / told["answers"],
        **told,
    }  # fmt: skip


@contextmanager
def serving(size: Size) -> Iterator[tuple[int, Mapping[int, str]]]:
    """The organisation, served; the port, and the tokens of its managers."""
    home = Path(tempfile.mkdtemp(prefix="evenhand-bench-"))
    home.chmod(0o711)  # when root runs the bench, the account of the server must find its way
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    try:
        if len(allowed) > 2:
            os.sched_setaffinity(0, sorted(allowed)[:2])
        with embedded.start(home) as server:
            say(f"writing {size.managers} managers and {size.managers * size.people} people")
            asyncio.run(migrate(server.url()))
            asyncio.run(fill(server.url(), size))
            port = free_port()
            process = our_server(home, server.url(), port)
            try:
                await_port(port)
                yield port, tokens(home, size)
            finally:
                process.terminate()
                process.wait()
    finally:
        if allowed:
            os.sched_setaffinity(0, allowed)
        shutil.rmtree(home, ignore_errors=True)


# ---- the model


def line(manager: int, size: Size) -> list[int]:
    """The manager and those below him. Person 0 is the head, then come the managers, then their people."""
    first = size.managers + (manager - 1) * size.people + 1
    return [manager, *range(first, first + size.people)]


def expected(manager: int, size: Size) -> dict[str, Any]:
    """His whole dashboard."""
    own, *below = line(manager, size)
    nodes = [_person(0, None, False), _person(own, 0, True), *(_person(each, own, True) for each in below)]
    return {"viewer": {"person": {"name": name(own)}}, "people": {"totalCount": len(nodes), "nodes": nodes}}


def name(number: int) -> str:
    return f"Person {number:05}"


def _person(number: int, above: int | None, scored: bool) -> dict[str, Any]:
    return {
        "name": name(number),
        "manager": None if above is None else {"name": name(above)},
        "scores": {"nodes": [_score(number, cycle) for cycle in range(CYCLES, 0, -1)] if scored else []},
    }


def _score(number: int, cycle: int) -> dict[str, Any]:
    value = Decimal("0.5") + Decimal((number * 7 + cycle) % 1000) / 1000
    kpis = [{"metric": f"metric{k}", "value": f"{90 + k + value:.6f}"} for k in range(1, VALUES + 1)]
    label = {"label": f"2026-Q{cycle}"}
    return {"subjectLabel": f"Person {number}", "value": f"{value:.6f}", "cycle": label, "kpiValues": kpis}


def foreign(data: Any, manager: int, size: Size) -> int:
    """Rows in an answer that are not for this manager."""
    mine = line(manager, size)
    people, subjects = {name(each) for each in (0, *mine)}, {f"Person {each}" for each in mine}
    found = 0
    for person in data["people"]["nodes"]:
        found += person["name"] not in people
        found += person["manager"] is not None and person["manager"]["name"] not in people
        found += sum(score["subjectLabel"] not in subjects for score in person["scores"]["nodes"])
    return found


# ---- the load


@dataclass(slots=True)
class Found:
    """What came back."""

    answers: int = 0
    foreign_rows: int = 0
    other_answers: int = 0  # without a foreign row, and yet not what the model says
    errors: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def told(self) -> dict[str, Any]:
        cuts = quantiles(self.milliseconds, n=100) if len(self.milliseconds) > 1 else [0.0] * 99
        return {
            "answers": self.answers,
            "errors": sum(self.errors.values()),
            "foreign_rows": self.foreign_rows,
            "other_answers": self.other_answers,
            "per_second": round(self.answers / self.seconds, 1),
            "p50_ms": round(cuts[49], 1),
            "p95_ms": round(cuts[94], 1),
            "longest_ms": round(max(self.milliseconds, default=0.0), 1),
        }


async def ask(host: str, port: int, size: Size, tokens_of: Mapping[int, str], rounds: int) -> Found:
    """All managers at once, each on a connection of his own; the next round begins when the last has his answer."""
    found = Found()
    wanted = {manager: expected(manager, size) for manager in tokens_of}
    opened = await asyncio.gather(*(asyncio.open_connection(host, port, limit=2**22) for _ in tokens_of))
    try:
        for _ in range(rounds):
            began = time.perf_counter()
            answers = await asyncio.gather(
                *(
                    asked(connection, request(token, size))
                    for connection, token in zip(opened, tokens_of.values(), strict=True)
                )
            )
            found.seconds += time.perf_counter() - began
            _judge(found, size, list(wanted.items()), answers)
    finally:
        for _, writer in opened:
            writer.close()
    return found


def request(token: str, size: Size) -> bytes:
    return posted(token, orjson.dumps({"query": DASHBOARD, "variables": {"page": size.people + 5}}))


def posted(token: str, body: bytes, accept: str = "application/json") -> bytes:
    head = (
        "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"accept: {accept}\r\nauthorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


Answer = tuple[int, bytes, float]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def asked(connection: Connection, wanted: bytes) -> Answer:
    """Status, body and milliseconds; status 0 when there was no whole answer."""
    reader, writer = connection
    began = time.perf_counter()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            writer.write(wanted)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            body = await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))
    except (TimeoutError, OSError, asyncio.IncompleteReadError, ValueError):
        return 0, b"", (time.perf_counter() - began) * 1000
    return int(head[9:12]), body, (time.perf_counter() - began) * 1000


def _judge(found: Found, size: Size, wanted: Sequence[tuple[int, dict[str, Any]]], answers: Sequence[Answer]) -> None:
    for (manager, model), (status, body, milliseconds) in zip(wanted, answers, strict=True):
        found.answers += 1
        found.milliseconds.append(milliseconds)
        said = orjson.loads(body) if body else {}
        if status != 200 or "errors" in said:
            errors = said.get("errors") or [{"extensions": {"code": said.get("code", "NO_ANSWER")}}]
            found.errors[f"{status} {errors[0]['extensions']['code']}"] += 1
            print(f"manager {manager}: {status} {body[:200].decode()}", file=sys.stderr)
        elif said["data"] != model:
            strangers = foreign(said["data"], manager, size)
            found.foreign_rows += strangers
            found.other_answers += not strangers
