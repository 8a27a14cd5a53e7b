"""Over real HTTP: what is genuine is in the inbox before 202, what is not leaves nothing but a count."""

import asyncio
import gzip
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from schema import embedded
from schema.store import migrate
from tests.webhooks import receiving as place
from tests.webhooks.receiving import NOW, OLDER_KEY, connected, hub, receiving, standard, stored
from webhooks.intake import Limits
from webhooks.receive import BodyLimits

BODY = b'{"event_id":"evt_1","table":"incident","op":"update","record":{"sys_id":"b1d2"}}'
NOW_S = int(NOW.timestamp())
MIB = 1 << 20
SIGNERS = {"servicenow": standard, "jira": hub}


@pytest.fixture(autouse=True, params=[True, False], ids=["short way", "ordinary way"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is promised holds on the short way in and on the one through ASGI."""
    monkeypatch.setattr(place, "SHORT_WAY", request.param)


@pytest.mark.parametrize("source", ["servicenow", "jira"])
async def test_a_genuine_delivery_is_stored_as_it_came(database_url: str, source: str) -> None:
    async with receiving(database_url) as hooks:
        headers = {**SIGNERS[source](BODY, "evt_1"), "content-type": "application/json", "authorization": "Bearer x"}
        answer = await hooks.post(source, BODY, headers)
        assert (answer.status_code, answer.json()) == (202, {"outcome": "new"})
        (row,) = await stored(database_url)
    assert (row["source"], row["entity"], row["feed"], row["delivery_id"]) == (source, "", "WEBHOOK", "evt_1")
    assert (row["body"], row["conflict_no"], row["received_at"], row["state"]) == (BODY, 0, NOW, "READY")
    assert '"content-type": "application/json"' in row["headers"]
    assert "Bearer" not in row["headers"]
    assert "signature" not in row["headers"]


@pytest.mark.parametrize("source", ["servicenow", "jira"])
async def test_a_replay_has_no_effect_and_another_body_is_kept_beside(database_url: str, source: str) -> None:
    async with receiving(database_url) as hooks:
        sent = [(BODY, "new"), (BODY, "duplicate"), (BODY + b" ", "conflict"), (BODY, "duplicate")]
        for body, outcome in sent:
            answer = await hooks.post(source, body, SIGNERS[source](body, "evt_1"))
            assert (answer.status_code, answer.json()) == (202, {"outcome": outcome})
        assert hooks.intake.counts[f"{source}.duplicate"] == 2
    assert [(row["body"], row["conflict_no"]) for row in await stored(database_url)] == [(BODY, 0), (BODY + b" ", 1)]


BROKEN = {
    "another secret": ("servicenow", standard(BODY, key=b"x" * 32), "NO_MATCH"),
    "another body": ("servicenow", standard(b"{}"), "NO_MATCH"),
    "no headers": ("servicenow", {}, "HEADER_MISSING"),
    "Jira's proof at ServiceNow's door": ("servicenow", hub(BODY), "HEADER_MISSING"),
    "too old": ("servicenow", standard(BODY, at_s=NOW_S - 301), "OUTSIDE_WINDOW"),
    "too new": ("servicenow", standard(BODY, at_s=NOW_S + 301), "OUTSIDE_WINDOW"),
    "id with a dot": ("servicenow", standard(BODY, "a.b"), "ID_MALFORMED"),
    "time as a fraction": ("servicenow", {**standard(BODY), "webhook-timestamp": f"{NOW_S}.0"}, "TIMESTAMP_MALFORMED"),
    "eleven signatures": (
        "servicenow",
        {**standard(BODY), "webhook-signature": "v1,x " * 10 + "v1,x"},
        "SIGNATURES_TOO_MANY",
    ),
    "bytes that are no text": ("servicenow", {**standard(BODY), "webhook-signature": "v1,\xe9"}, "NO_MATCH"),
    "Jira without a signature": ("jira", {}, "HEADER_MISSING"),
    "Jira with another secret": ("jira", hub(BODY, secret="guess"), "NO_MATCH"),
    "Jira with another body": ("jira", hub(b"{}"), "NO_MATCH"),
}


async def test_a_forged_delivery_gets_one_fixed_answer_and_leaves_only_a_count(database_url: str) -> None:
    async with receiving(database_url) as hooks:
        for case, (source, headers, reason) in BROKEN.items():
            before = hooks.intake.counts[f"{source}.{reason}"]
            wire = [(name, value.encode("latin-1")) for name, value in headers.items()]
            answer = await hooks.client.post(hooks.paths[source], content=BODY, headers=wire)
            assert (answer.status_code, answer.content) == (401, b'{"error":"unauthorized"}'), case
            assert hooks.intake.counts[f"{source}.{reason}"] == before + 1, case
        for source, sign in SIGNERS.items():
            assert (await hooks.post(source, BODY, sign(BODY))).status_code == 202
    assert len(await stored(database_url)) == 2


async def test_a_security_header_that_comes_twice_is_refused(database_url: str) -> None:
    async with receiving(database_url) as hooks:
        for source, sign in SIGNERS.items():
            once = list(sign(BODY).items())
            assert (await hooks.client.post(hooks.paths[source], content=BODY, headers=once)).status_code == 202
            for header in once:
                answer = await hooks.client.post(hooks.paths[source], content=BODY, headers=[*once, header])
                assert answer.status_code == 401


async def test_both_secrets_of_a_rotation_are_accepted_and_counted(database_url: str) -> None:
    async with receiving(database_url) as hooks:
        for n in range(3):
            assert (await hooks.post("servicenow", BODY, standard(BODY, f"old_{n}", OLDER_KEY))).status_code == 202
        assert (await hooks.post("servicenow", BODY, standard(BODY, "new_1"))).status_code == 202
        assert hooks.intake.counts["servicenow.secret_1"] == 3
        assert hooks.intake.counts["servicenow.secret_0"] == 1


@pytest.mark.parametrize(
    "body", [b'{"a":"\x00"}', b"\x00", b'{"a":', b"", b'"\xff\xfe"', rb'{"a":"\ud800"}', b'{"a":1,"a":2}']
)
async def test_nothing_is_parsed_here(database_url: str, body: bytes) -> None:
    async with receiving(database_url) as hooks:
        for source, sign in SIGNERS.items():
            answer = await hooks.post(source, body, sign(body))
            assert (answer.status_code, answer.json()) == (202, {"outcome": "new"})
    assert [row["body"] for row in await stored(database_url)] == [body, body]


async def chunked(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 65536):
        yield body[at : at + 65536]


async def test_a_body_over_one_mebibyte_is_refused_announced_or_not(database_url: str) -> None:
    async with receiving(database_url) as hooks:
        path = hooks.paths["servicenow"]
        for size, status in ((MIB, 202), (MIB + 1, 413), (5_000_000, 413)):
            body = b"x" * size
            announced = await hooks.client.post(path, content=body, headers=standard(body, f"one_{size}"))
            assert announced.status_code == status
            unannounced = await hooks.client.post(path, content=chunked(body), headers=standard(body, f"two_{size}"))
            assert unannounced.status_code == status
        assert hooks.intake.counts["servicenow.BODY_TOO_BIG"] == 4
        assert (await hooks.post("servicenow", BODY, standard(BODY))).status_code == 202
    assert [len(row["body"]) for row in await stored(database_url)] == [MIB, MIB, len(BODY)]


async def speak(port: int, *parts: bytes, pause_seconds: float = 0) -> bytes:
    """Send bytes as they are, hear the answer to its end (the head and what follows at once)."""
    reading, writing = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writing.write(part)
        await writing.drain()
        await asyncio.sleep(pause_seconds)
    heard = await asyncio.wait_for(reading.read(65536), 10)
    writing.close()
    await writing.wait_closed()
    return heard


def head(body_bytes: int, headers: dict[str, str]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(
        ["POST /hooks/servicenow HTTP/1.1", "host: x", f"content-length: {body_bytes}", *lines, "", ""]
    ).encode()


async def test_an_announced_giant_is_refused_before_its_first_byte(database_url: str) -> None:
    async with receiving(database_url) as hooks:
        assert (await speak(hooks.port, head(5_000_000, standard(BODY)))).startswith(b"HTTP/1.1 413 ")
        endless = await speak(hooks.port, head(10**18, standard(BODY)))
        assert endless.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in endless


async def test_a_body_without_end_is_hung_up_on(database_url: str) -> None:
    async with receiving(database_url, BodyLimits(body_bytes=1000, drained_bytes=5000)) as hooks:
        start = b"POST /hooks/servicenow HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        piece = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
        ended = await speak(hooks.port, start, piece * 5, b"0\r\n\r\n")
        assert ended.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" not in ended
        endless = await speak(hooks.port, start, piece * 6)
        assert endless.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in endless


async def test_a_body_that_does_not_arrive_in_time_is_given_up(database_url: str) -> None:
    async with receiving(database_url, BodyLimits(body_seconds=0.4)) as hooks:
        start = head(len(BODY), standard(BODY))
        assert (await speak(hooks.port, start, BODY[:9], BODY[9:], pause_seconds=0.05)).startswith(b"HTTP/1.1 202 ")
        slow, prompt = await asyncio.gather(
            speak(hooks.port, start, BODY[:9]), hooks.post("servicenow", BODY, standard(BODY, "evt_2"))
        )
        assert slow.startswith(b"HTTP/1.1 408 ")
        assert b"connection: close" in slow
        assert prompt.status_code == 202
        assert hooks.intake.counts["servicenow.BODY_TOO_SLOW"] == 1
    assert len(await stored(database_url)) == 2


async def test_a_sender_who_hangs_up_leaves_nothing(database_url: str) -> None:
    async with receiving(database_url) as hooks:
        _, writing = await asyncio.open_connection("127.0.0.1", hooks.port)
        writing.write(head(len(BODY), standard(BODY)) + BODY[:9])
        await writing.drain()
        writing.close()
        await writing.wait_closed()
        async with asyncio.timeout(5):
            while not hooks.intake.counts["servicenow.SENDER_LEFT"]:
                await asyncio.sleep(0.01)
    assert await stored(database_url) == []


async def test_only_a_body_as_it_is_can_be_verified(database_url: str) -> None:
    async with receiving(database_url) as hooks:
        packed = gzip.compress(BODY)
        refused = await hooks.post("servicenow", packed, {**standard(packed), "content-encoding": "gzip"})
        accepted = await hooks.post("servicenow", packed, {**standard(packed), "content-encoding": "identity"})
    assert (refused.status_code, accepted.status_code) == (415, 202)


@pytest.mark.parametrize("porch", [False, True])
async def test_other_paths_and_methods_are_not_served(database_url: str, porch: bool) -> None:
    async with receiving(database_url, porch=porch) as hooks:
        taken = await hooks.post("servicenow", BODY, standard(BODY))
        assert (taken.status_code, taken.headers["x-content-type-options"]) == (202, "nosniff")
        assert (await hooks.post("servicenow", BODY, hub(BODY))).headers["x-content-type-options"] == "nosniff"
        assert (await hooks.client.post("/hooks/other", content=BODY, headers=standard(BODY))).status_code == 404
        assert (await hooks.client.get("/hooks/servicenow")).status_code == 405


async def test_two_hundred_at_once_each_hear_their_own_outcome(database_url: str) -> None:
    async with receiving(database_url) as hooks:
        bodies = [b'{"n":%d}' % (n % 160) for n in range(200)]  # 40 come twice
        bodies[199] = b"another body under the id of 39"
        sent = [hooks.post("servicenow", body, standard(body, f"evt_{n % 160}")) for n, body in enumerate(bodies)]
        answers = await asyncio.gather(*sent)
    outcomes = [answer.json()["outcome"] for answer in answers]
    assert {answer.status_code for answer in answers} == {202}
    assert outcomes[40:160] == ["new"] * 120
    for n in range(39):  # whichever of the two was first
        assert sorted([outcomes[n], outcomes[160 + n]]) == ["duplicate", "new"]
    assert sorted([outcomes[39], outcomes[199]]) == ["conflict", "new"]
    rows = await stored(database_url)
    assert sorted(row["body"] for row in rows) == sorted({*bodies})
    assert len({row["delivery_id"] for row in rows}) == 160
    async with connected(database_url) as connection:
        transactions = await connection.fetchval("select count(distinct xmin::text) from inbox.delivery")
    assert transactions < 100


async def test_a_full_intake_says_come_again(database_url: str) -> None:
    async with receiving(database_url, limits=Limits(waiting_rows=1)) as hooks:
        async with connected(database_url) as connection, connection.transaction():
            await connection.execute("lock table inbox.delivery_key in exclusive mode")
            first = asyncio.create_task(hooks.post("servicenow", BODY, standard(BODY, "evt_1")))
            await asyncio.sleep(0.2)
            second = await hooks.post("servicenow", BODY, standard(BODY, "evt_2"))
        assert (second.status_code, second.headers["retry-after"]) == (429, "1")
        assert (await first).status_code == 202
        assert (await hooks.post("servicenow", BODY, standard(BODY, "evt_2"))).json() == {"outcome": "new"}


async def test_a_database_that_is_not_there_is_said_so() -> None:
    async with receiving("postgresql://nobody@127.0.0.1:9/none") as hooks:
        answer = await hooks.post("jira", BODY, hub(BODY))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert hooks.intake.counts["jira.DATABASE_AWAY"] == 1
        forged = await hooks.post("jira", BODY, hub(b"{}"))
        assert forged.status_code == 401


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="evenhand-hooks-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


async def test_a_database_that_stops_loses_nothing_that_was_acknowledged(home: Path) -> None:
    server = embedded.start(home)
    await migrate(server.url())
    async with receiving(server.url()) as hooks:
        assert (await hooks.post("servicenow", BODY, standard(BODY, "before"))).json() == {"outcome": "new"}
        server.stop()
        for attempt in ("while", "while"):
            assert (await hooks.post("servicenow", BODY, standard(BODY, attempt))).status_code == 503
        server = embedded.start(home)
        try:
            assert (await hooks.post("servicenow", BODY, standard(BODY, "before"))).json() == {"outcome": "duplicate"}
            assert (await hooks.post("servicenow", BODY, standard(BODY, "while"))).json() == {"outcome": "new"}
            assert [row["delivery_id"] for row in await stored(server.url())] == ["before", "while"]
        finally:
            await hooks.intake.close()
            server.stop()
