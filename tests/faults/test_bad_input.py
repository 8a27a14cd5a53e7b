"""Bad input against a running demonstration: a clear refusal or a listed issue, and everything else goes on.

After each case the server still takes and mirrors a good record, and every delivery that it ever answered with 202 is
still there.
"""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from tests.faults.inside import reading
from tests.journeys import small_log
from tests.journeys.place import Place, fresh_place

PATIENCE_SECONDS = 20
NUMBER = itertools.count(1)
OTHER_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the one of the specification's example
PLAN = files("connectors.sandbox").joinpath("log_plan.yaml").read_text(encoding="utf-8")


class Tool:
    """A ServiceNow that sends to the demonstration, and counts what was taken."""

    def __init__(self, place: Place, secret: str) -> None:
        self.place = place
        self.secret = secret
        self.taken = 0

    def send(self, body: bytes, secret: str = "") -> httpx.Response:
        id_, now = f"evt-{next(NUMBER)}", datetime.now(UTC)
        headers = {
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret or self.secret).sign(id_, now, body.decode()),
        }
        answer = httpx.post(f"{self.place.url}/hooks/servicenow", content=body, headers=headers, timeout=30)
        if answer.status_code == 202:
            assert answer.json() == {"outcome": "new"}
            self.taken += 1
        return answer

    def tell(self, record: dict[str, Any], table: str = "incident") -> httpx.Response:
        return self.send(orjson.dumps({"event_id": "e", "table": table, "op": "update", "record": record}))


def incident(name: str, version: int = 1, **columns: str) -> dict[str, Any]:
    return {
        "sys_id": hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), "sys_mod_count": str(version),
        "sys_updated_on": f"2016-06-01 10:{version % 60:02}:00", "number": name, "state": "2",
        "opened_at": "2016-06-01 09:00:00", "made_sla": "true", "reopen_count": "0", "reassignment_count": "0",
    } | columns  # fmt: skip


def problem(name: str, **columns: str) -> dict[str, Any]:
    return {
        "sys_id": hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), "sys_mod_count": "1",
        "sys_updated_on": "2016-06-01 10:00:00", "number": name, "opened_at": "2016-06-01 09:00:00",
    } | columns  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    log = small_log.write(tmp_path_factory.mktemp("log") / "log.csv", small_log.rows())
    with fresh_place() as found, found.start("demo", "--log", str(log)) as running:
        running.wait_until("Ctrl-C ends it", "itsm-admin")
        yield found


@pytest.fixture(scope="module")
def sender(place: Place) -> Tool:
    return Tool(place, orjson.loads((place.home / "keys/sandbox.json").read_bytes())["HOOK_SECRET"])


@pytest.fixture
async def database(place: Place) -> AsyncIterator[Any]:
    async with reading(place) as connection:
        yield connection


@pytest.fixture
async def tool(sender: Tool, database: Any) -> AsyncIterator[Tool]:
    """Around each case: what came before is still there, and a good record is still mirrored."""
    before = await counted(database)
    taken, good = sender.taken, incident(f"GOOD{next(NUMBER)}")
    yield sender
    assert sender.tell(good).status_code == 202
    await until(database, "select state = 'IN_PROGRESS' from mirror.incident where number = $1", good["number"])
    after = await counted(database)
    assert after["deliveries"] == before["deliveries"] + sender.taken - taken
    assert after["incidents"] > before["incidents"]
    assert sender.place.serves()


async def counted(database: Any) -> dict[str, int]:
    return dict(
        await database.fetchrow(
            """select (select count(*) from inbox.delivery where feed = 'WEBHOOK') as deliveries,
                      (select count(*) from mirror.incident) as incidents"""
        )
    )


async def until(database: Any, query: str, *given: Any) -> Any:
    """The first answer that is true; the worker looks into the inbox twice a second."""
    for _ in range(PATIENCE_SECONDS * 10):
        if found := await database.fetchval(query, *given):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"never true: {query} {given}")


ISSUE = """select row(field, code, value, what, fix)::text from mirror.data_issue
            where source_key = $1 and field = $2 and code = $3 and state = $4"""
REASON = "select reason from inbox.delivery where body_sha256 = sha256($1) and state = $2"


@pytest.mark.capability("I7.1")
async def test_an_unknown_state_is_listed_not_guessed_and_mends_itself(tool: Tool, database: Any) -> None:
    bad = incident("STATE", state="42")
    assert tool.tell(bad).status_code == 202
    listed = await until(database, ISSUE, bad["sys_id"], "state", "UNMAPPED_SOURCE_VALUE", "OPEN")
    assert "42" in listed
    kept = await database.fetchrow("select state, made_sla from mirror.incident where number = 'STATE'")
    assert tuple(kept) == (None, True)  # unknown is unknown, and the rest of the record counts
    assert tool.tell(incident("STATE", version=2, state="7")).status_code == 202
    await until(database, ISSUE, bad["sys_id"], "state", "UNMAPPED_SOURCE_VALUE", "RESOLVED")
    assert await database.fetchval("select state from mirror.incident where number = 'STATE'") == "CLOSED"


async def test_a_closed_problem_without_a_root_cause_asks_for_evidence(tool: Tool, database: Any) -> None:
    bad = problem("NOCAUSE", state="107")
    assert tool.tell(bad, "problem").status_code == 202
    listed = await until(database, ISSUE, bad["sys_id"], "u_root_cause", "EVIDENCE_REQUIRED", "OPEN")
    assert "It excludes nothing" in listed
    assert await database.fetchval("select root_cause is null from mirror.problem where number = 'NOCAUSE'")


async def test_a_wrong_signature_is_turned_away_without_a_word_why(tool: Tool, database: Any) -> None:
    body = orjson.dumps({"event_id": "e", "table": "incident", "op": "update", "record": incident("FORGED")})
    answer = tool.send(body, OTHER_SECRET)
    assert (answer.status_code, answer.json()) == (401, {"error": "unauthorized"})
    unsigned = httpx.post(f"{tool.place.url}/hooks/servicenow", content=body, timeout=30)
    assert (unsigned.status_code, unsigned.content) == (401, answer.content)
    assert not await database.fetchval("select count(*) from inbox.delivery where body_sha256 = sha256($1)", body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"table": "incident", "op": "update", "record": {"sys_id": ', "not JSON"),
        (b'{"table": "incident", "op": "update", "record": {"sys_id": "\x00"}}', "not JSON"),
        (b"[1, 2, 3]", "not a JSON object"),
        (b'{"hello": "world"}', "needs a table, an op"),
        (b"", "not JSON"),
    ],
    ids=["cut off", "NUL byte", "an array", "another shape", "empty"],
)
async def test_what_cannot_be_read_is_kept_with_the_reason(tool: Tool, database: Any, body: bytes, reason: str) -> None:
    assert tool.send(body).status_code == 202
    assert reason in await until(database, REASON, body, "DEAD")
    assert await database.fetchval("select body from inbox.delivery where body_sha256 = sha256($1)", body) == body


async def test_a_nul_character_in_a_value_costs_only_itself(tool: Tool, database: Any) -> None:
    bad = incident("NUL", contact_type="ph\0ne", assignment_group="")
    assert tool.tell(bad).status_code == 202
    await until(database, "select count(*) > 0 from mirror.incident where number = 'NUL'")
    broken = incident("NUL2")
    broken["number"] = "NUL\0"
    assert tool.tell(broken).status_code == 202
    listed = await until(database, ISSUE, broken["sys_id"], "number", "MALFORMED", "OPEN")
    assert "Correct" in listed


@pytest.mark.parametrize("columns", [{"sys_id": "short"}, {"sys_mod_count": "many"}, {"sys_updated_on": "today"}])
async def test_a_record_without_a_version_is_listed_and_mirrored_nowhere(
    tool: Tool, database: Any, columns: dict[str, str]
) -> None:
    bad = incident("NOWHERE") | columns
    assert tool.tell(bad).status_code == 202
    (column,) = columns
    await until(database, "select count(*) from mirror.data_issue where field = $1 and code = 'MALFORMED'", column)
    assert not await database.fetchval("select count(*) from mirror.incident where number = 'NOWHERE'")


async def test_five_megabytes_are_too_much(tool: Tool, database: Any) -> None:
    before = await counted(database)
    answer = tool.send(b'{"record": "' + b"x" * 5_000_000 + b'"}')
    assert (answer.status_code, answer.json()) == (413, {"error": "body too big"})
    assert await counted(database) == before


async def test_an_unknown_table_is_noted_and_nothing_of_it_mirrored(tool: Tool, database: Any) -> None:
    body = orjson.dumps({"event_id": "e", "table": "sys_secret", "op": "insert", "record": incident("SECRET")})
    assert tool.send(body).status_code == 202
    assert "sys_secret is not in the data contract" in await until(database, REASON, body, "DONE")
    assert not await database.fetchval("select count(*) from mirror.record where entity = 'sys_secret'")


async def test_a_plan_whose_weights_do_not_sum_to_one_is_refused_in_words(
    tool: Tool, database: Any, tmp_path: Path
) -> None:
    admin = await database.fetchval("select person_id from access.role_grant where role = 'PLAN_ADMIN' limit 1")
    published = "select count(*) from score.plan_version"
    before = await database.fetchval(published)
    bad = tmp_path / "plan.yaml"
    bad.write_text(PLAN.replace("version: 1", "version: 2").replace("weight: 0.5", "weight: 0.6", 1))
    done = await asyncio.to_thread(tool.place.evenhand, "plan", str(bad), "--person", str(admin))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("WEIGHTS_NOT_100: ") or "\nWEIGHTS_NOT_100: " in done.stderr
    assert "To fix it: " in done.stderr
    assert "Traceback" not in done.stderr
    assert await database.fetchval(published) == before


@pytest.mark.parametrize(
    ("text", "code"),
    [("key: [", "PLAN_INVALID"), ("\0", "PLAN_INVALID")],
)
async def test_a_plan_that_is_none_is_refused_in_words(
    tool: Tool, database: Any, tmp_path: Path, text: str, code: str
) -> None:
    bad = tmp_path / "plan.yaml"
    bad.write_text(text)
    admin = await database.fetchval("select person_id from access.role_grant where role = 'PLAN_ADMIN' limit 1")
    done = await asyncio.to_thread(tool.place.evenhand, "plan", str(bad), "--person", str(admin))
    assert done.returncode == 2
    assert code in done.stderr
    assert "Traceback" not in done.stderr
