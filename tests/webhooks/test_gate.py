"""The short way in answers as the ordinary way does, and hands over what is not for it."""

import asyncio
import itertools
import re
from collections import Counter

import pytest

from tests.webhooks import receiving as place
from tests.webhooks.receiving import OLDER_KEY, STANDARD_KEY, connected, hub, receiving, standard, stored
from tests.webhooks.test_receive import BODY
from webhooks.receive import Door


def request(body: bytes, headers: dict[str, str], *more: str, path: str = "/hooks/servicenow") -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    first = f"POST {path} HTTP/1.1"
    return "\r\n".join([first, "host: x", f"content-length: {len(body)}", *lines, *more, "", ""]).encode() + body


class Wire:
    """A connection on which bytes are sent as they are."""

    def __init__(self, reading: asyncio.StreamReader, writing: asyncio.StreamWriter) -> None:
        self.reading, self.writing = reading, writing

    @classmethod
    async def to(cls, port: int) -> "Wire":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def say(self, *parts: bytes) -> None:
        for part in parts:
            self.writing.write(part)

    async def hear(self) -> tuple[bytes, bytes]:
        async with asyncio.timeout(10):
            head = await self.reading.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head)
            return head, await self.reading.readexactly(int(length[1]) if length else 0)

    async def ended(self, seconds: float = 5) -> bool:
        async with asyncio.timeout(seconds):
            return await self.reading.read(1) == b""

    def close(self) -> None:
        self.writing.close()


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many deliveries took which way."""
    ways: Counter[str] = Counter()
    ordinary, take = Door.__call__, Door.take

    async def through_asgi(self: Door, *given: object) -> None:
        ways["ordinary"] += 1
        await ordinary(self, *given)  # type: ignore[arg-type]

    def taken(self: Door, *given: object) -> None:
        ways["all"] += 1
        take(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Door, "__call__", through_asgi)
    monkeypatch.setattr(Door, "take", taken)
    return ways


SAID = {
    "taken": (BODY, standard(BODY)),
    "forged": (BODY, standard(b"{}")),
    "packed": (BODY, {**standard(BODY, "evt_2"), "content-encoding": "br"}),
    "for another door": (BODY, hub(BODY)),
}


async def test_both_ways_say_the_same_bytes(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[str, list[tuple[set[bytes], bytes]]] = {case: [] for case in SAID}
    for short_way in (True, False):
        async with receiving(database_url, short_way=short_way) as hooks:
            async with connected(database_url) as connection:
                await connection.execute("truncate inbox.delivery, inbox.delivery_key")
            ways = counted(monkeypatch) if short_way else Counter[str]()
            wire = await Wire.to(hooks.port)
            for case, (body, headers) in SAID.items():
                wire.say(request(body, headers))
                head, answer = await wire.hear()
                lines = {line for line in head.split(b"\r\n") if not line.startswith(b"date: ")}
                assert b"\r\ndate: " in head
                heard[case].append((lines, answer))
            wire.close()
            assert ways["ordinary"] == 0
    for case, (short, ordinary) in heard.items():
        assert short == ordinary, case
    assert b"HTTP/1.1 202 Accepted" in heard["taken"][0][0]


async def test_what_is_not_whole_goes_the_ordinary_way(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = counted(monkeypatch)
    async with receiving(database_url) as hooks:
        wire = await Wire.to(hooks.port)
        for number, cut in enumerate((30, 120, -20, None)):
            whole = request(BODY, standard(BODY, f"evt_{number}"))
            wire.say(whole[:cut])
            if cut is not None:
                await asyncio.sleep(0.05)
                wire.say(whole[cut:])
            assert (await wire.hear())[1] == b'{"outcome":"new"}'
        wire.close()
    assert ways == {"ordinary": 1, "all": 4}  # a head in two pieces is still a whole delivery; a body is not
    assert [row["body"] for row in await stored(database_url)] == [BODY] * 4


async def test_deliveries_in_one_breath_are_answered_in_order(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = counted(monkeypatch)
    async with receiving(database_url) as hooks:
        wire = await Wire.to(hooks.port)
        wire.say(b"".join(request(BODY, standard(BODY, f"evt_{n}")) for n in (1, 1, 2)))
        assert [(await wire.hear())[1] for _ in range(3)] == [
            b'{"outcome":"new"}', b'{"outcome":"duplicate"}', b'{"outcome":"new"}'
        ]  # fmt: skip
        wire.say(request(BODY, standard(BODY, "evt_2")))
        assert (await wire.hear())[1] == b'{"outcome":"duplicate"}'
        wire.close()
    assert ways == {"ordinary": 2, "all": 4}


async def test_a_connection_ends_when_its_sender_or_a_rest_says_so(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "REST_SECONDS", 1)
    async with receiving(database_url) as hooks:
        asked = await Wire.to(hooks.port)
        asked.say(request(BODY, standard(BODY, "evt_1"), "connection: close"))
        assert b"connection: close" in (await asked.hear())[0]
        assert await asked.ended()
        rests = await Wire.to(hooks.port)
        for number in range(4):  # together longer than one rest
            await asyncio.sleep(0.4)
            rests.say(request(BODY, standard(BODY, f"evt_2{number}")))
            assert b"connection: close" not in (await rests.hear())[0]
        began = asyncio.get_running_loop().time()
        assert await rests.ended()
        assert 0.7 < asyncio.get_running_loop().time() - began < 2
        asked.close()
        rests.close()


async def test_a_sender_that_leaves_before_the_commit_harms_nobody(database_url: str) -> None:
    async with receiving(database_url) as hooks:
        async with connected(database_url) as connection, connection.transaction():
            await connection.execute("lock table inbox.delivery_key in exclusive mode")
            gone, stays = await Wire.to(hooks.port), await Wire.to(hooks.port)
            gone.say(request(BODY, standard(BODY, "evt_1")))
            stays.say(request(BODY, standard(BODY, "evt_2")))
            await asyncio.sleep(0.1)
            gone.close()
            await asyncio.sleep(0.1)
        assert (await stays.hear())[1] == b'{"outcome":"new"}'
        stays.close()
    assert len(await stored(database_url)) == 2  # he may send it again: it is a duplicate then


async def test_secrets_change_while_traffic_runs_and_nothing_is_refused(database_url: str) -> None:
    """Old, both, new: the sender moves when it likes, and the counters tell when he has."""
    number = itertools.count(1)
    keys = {"now": OLDER_KEY}
    outcomes: Counter[int] = Counter()

    async def sending(hooks: place.Receiver, done: asyncio.Event) -> None:
        while not done.is_set():
            body = BODY + b" " * (next(number) % 7)
            answer = await hooks.post("servicenow", body, standard(body, f"evt_{next(number)}", keys["now"]))
            outcomes[answer.status_code] += 1

    async with receiving(database_url) as hooks:  # both secrets are active
        done = asyncio.Event()
        senders = [asyncio.create_task(sending(hooks, done)) for _ in range(8)]
        counts = hooks.intake.counts

        async def until(word: str, count: int) -> None:
            async with asyncio.timeout(20):
                while counts[word] < count:
                    await asyncio.sleep(0.01)

        await until("servicenow.secret_1", 40)
        keys["now"] = STANDARD_KEY
        await until("servicenow.secret_0", 40)
        stands = counts["servicenow.secret_1"]
        await until("servicenow.secret_0", 80)
        assert counts["servicenow.secret_1"] == stands  # nobody uses the old one any more: it may be withdrawn
        done.set()
        await asyncio.gather(*senders)
    assert set(outcomes) == {202}
    assert len(await stored(database_url)) == outcomes[202]
