"""The governor waits as long as it is told, and presses nobody."""

import asyncio
import threading
import time as wall
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import text

from connectors import callbook, limits
from connectors.governor import LONGEST_WAIT_SECONDS, Busy, Governor, NotNow, Port, Purpose, Standing, Told
from connectors.probe import knock
from connectors.source import SourceUnavailable
from engine.words import Source
from schema.store import DbRole, Store

NOW = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
DATE = {"Date": "Wed, 04 Mar 2026 10:00:00 GMT"}


class Time:
    def __init__(self) -> None:
        self.now, self.naps = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


def governor(time: Time, **changes: Any) -> Governor:
    return Governor(clock=lambda: time.now, sleep=time.sleep, **({"dice": lambda: 0.5} | changes))


def answers(*outcomes: Any) -> Any:
    left = list(outcomes)

    def request() -> Any:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return request


def test_an_answer_comes_without_waiting() -> None:
    time = Time()
    assert governor(time).call(answers("yes")) == "yes"
    assert time.naps == []


def test_what_the_tool_says_is_never_undercut() -> None:
    for dice in (0.0, 1.0):
        time = Time()
        assert governor(time, dice=lambda dice=dice: dice).call(answers(Busy("", 30), "yes")) == "yes"
        assert time.naps == [30 * (1 + 0.1 * dice)]


def test_without_a_word_it_waits_ever_longer_but_not_for_ever() -> None:
    time = Time()
    with pytest.raises(SourceUnavailable, match=r"down\. Gave up after 9 attempts"):
        governor(time, attempts=9, failures_to_open=99).call(answers(*[Busy("down.")] * 9))
    assert time.naps == [5, 10, 20, 40, 80, 160, 300, 300]
    assert max(time.naps) <= LONGEST_WAIT_SECONDS


def test_when_one_is_told_to_wait_all_wait() -> None:
    time = Time()
    shared = governor(time, attempts=1)
    with pytest.raises(SourceUnavailable):
        shared.call(answers(Busy("", 12)))
    assert time.naps == []  # nobody sleeps for an attempt that was given up …
    assert shared.call(answers("yes")) == "yes"
    with pytest.raises(Busy):
        shared.call_once(answers(Busy("", 12)))
    assert shared.call(answers("yes")) == "yes"
    assert time.naps == [pytest.approx(12 * 1.05)] * 2  # … but whoever is next waits


def test_a_write_is_sent_once() -> None:
    time = Time()
    request = answers(Busy("lost"), "sent again")
    with pytest.raises(Busy):
        governor(time).call_once(request)
    assert request() == "sent again"


def test_no_more_than_its_places_are_in_flight() -> None:
    shared = Governor(in_flight=2)
    most, now, lock, gate = [0], [0], threading.Lock(), threading.Barrier(2, timeout=10)

    def request() -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        gate.wait()
        with lock:
            now[0] -= 1

    threads = [threading.Thread(target=shared.call, args=(request,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [2]
    assert shared.requests == 6


# ---- what the tools' answers say

BUDGET = {"X-RateLimit-Limit": "100", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 90), "X-RateLimit-Rule": "ab12"}
SERVICENOW = {
    "a budget": (200, BUDGET, Told(rule="ab12", limit_per_hour=100)),
    "too many": (429, BUDGET | {"Retry-After": "45"}, Told(True, 45, rule="ab12", limit_per_hour=100)),
    "only a reset": (429, BUDGET, Told(True, 90, rule="ab12", limit_per_hour=100)),
    "nothing": (429, {}, Told(True)),
    "nonsense": (429, {"X-RateLimit-Reset": "soon", "Retry-After": "-3", "X-RateLimit-Limit": "nan"}, Told(True)),
    "busy": (503, {"Retry-After": "7"}, Told(False, 7)),
}


@pytest.mark.parametrize("case", SERVICENOW)
def test_servicenow_says_how_often(case: str) -> None:
    status, headers, told = SERVICENOW[case]
    assert limits.servicenow(status, headers | DATE, NOW + timedelta(hours=9)) == told


PUT = ("PUT", "rest/api/3/issue/20417/properties/evenhand.score")
WRITES, ISSUE_20417 = limits.jira_scopes(*PUT)
JIRA = {
    "the tenant's quota": ({"RateLimit-Reason": "jira-quota-tenant-based", "Retry-After": "30"}, Told(True, 30)),
    "a burst": ({"RateLimit-Reason": "jira-burst-based", "Retry-After": "2"}, Told(True, 2, WRITES)),
    "one issue": ({"ratelimit-reason": "jira-per-issue-on-write", "Retry-After": "5"}, Told(True, 5, ISSUE_20417)),
    "a reset in ISO": ({"X-RateLimit-Reset": "2026-03-04T10:01:30Z"}, Told(True, 90)),
    "tried out": ({"Beta-RateLimit-Reason": "jira-burst-based", "Beta-Retry-After": "9"}, Told(True, 9, WRITES)),
    "a reason we do not know": ({"RateLimit-Reason": "jira-new"}, Told(True)),
    "in a year": ({"X-RateLimit-Reset": "2027-03-04T10:01:30Z"}, Told(True, 86400)),
}
BUCKET = {"X-RateLimit-Limit": "50", "X-RateLimit-Interval-Seconds": "1", "X-RateLimit-FillRate": "5"}


@pytest.mark.parametrize("case", JIRA)
def test_jira_says_how_often(case: str) -> None:
    headers, told = JIRA[case]
    assert limits.jira(429, headers | DATE, NOW, *PUT) == told


def test_data_center_says_when_its_bucket_is_empty() -> None:
    full = BUCKET | {"X-RateLimit-Remaining": "3", "retry-after": "0"}
    assert limits.jira(200, full, NOW, *PUT) == Told(limit_per_hour=18000)
    empty = BUCKET | {"X-RateLimit-Remaining": "0", "retry-after": "0"}
    assert limits.jira(200, empty, NOW, *PUT) == Told(False, 1, limit_per_hour=18000)


def test_an_endpoint_is_one_whatever_record_it_is_about() -> None:
    assert limits.jira_scopes("GET", "/rest/api/3/issue/OPS-3/changelog") == ("GET /rest/api/*/issue/*/changelog",)
    assert WRITES == "PUT /rest/api/*/issue/*/properties/evenhand.score"
    assert ISSUE_20417 == "issue 20417"


# ---- what follows from it


def limited(seconds: float | None = 20, scope: str = limits.ALL, rule: str = "", per_hour: int | None = None) -> Busy:
    return Busy("too many", told=Told(True, seconds, scope, rule, per_hour))


def took(time: Time, seconds: float) -> Any:
    def request() -> str:
        time.now += seconds
        return "yes"

    return request


def test_a_refusal_closes_what_it_names_and_nothing_else() -> None:
    time = Time()
    shared = governor(time)
    with pytest.raises(Busy):
        shared.call_once(answers(limited(scope="issue 1")), scopes=["PUT issue", "issue 1"])
    assert shared.call(answers("yes"), scopes=["PUT issue", "issue 2"]) == "yes"
    assert time.naps == []
    assert shared.call(answers("yes"), scopes=["GET issue", "issue 1"]) == "yes"
    assert time.naps == [pytest.approx(21)]


def test_one_rule_closes_all_that_it_was_seen_to_limit() -> None:
    time = Time()
    shared = governor(time)
    shared.hear(Told(rule="ab12", limit_per_hour=100), ["table incident"])
    with pytest.raises(Busy):
        shared.call_once(answers(limited(rule="ab12")), scopes=["table task_sla"])
    assert shared.call(answers("yes"), scopes=["table cmdb_ci"]) == "yes"
    assert time.naps == []
    assert shared.call(answers("yes"), scopes=["table incident"]) == "yes"
    assert len(time.naps) == 1


def test_after_a_refusal_we_go_on_at_half_the_rate_and_recover_by_a_tenth_a_minute() -> None:
    time = Time()
    shared = governor(time)
    shared.call(took(time, 2))
    assert time.naps == []
    assert shared.call(answers(limited(20), "yes")) == "yes"
    time.naps.clear()
    shared.call(took(time, 2))
    assert time.naps == [pytest.approx(2, rel=0.1)]  # as long as the request took: half the rate
    time.now += 150
    time.naps.clear()
    shared.call(took(time, 3))
    assert time.naps == [pytest.approx(3 / 0.75 - 3, rel=0.1)]
    time.now += 600
    time.naps.clear()
    shared.call(took(time, 3))
    assert time.naps == []


def test_a_wait_that_is_too_long_for_anybody_is_said_at_once() -> None:
    time = Time()
    shared = governor(time)
    with pytest.raises(Busy):
        shared.call_once(answers(limited(3600)))
    with pytest.raises(NotNow) as refused:
        shared.call(answers("never sent"))
    assert refused.value.wait_seconds == pytest.approx(3600 * 1.05)
    assert (time.naps, shared.requests) == ([], 1)


def test_after_five_failures_one_probe_a_minute_asks_for_all() -> None:
    time = Time()
    shared = governor(time)
    probes = answers(Busy("still down"), "up")
    shared.probe = probes
    with pytest.raises(SourceUnavailable, match="down Gave up after 5"):
        shared.call(answers(*[Busy("down")] * 5))
    asked = shared.requests
    for _ in range(3):
        with pytest.raises(NotNow):
            shared.call(answers("not sent"))
    time.now += 300
    with pytest.raises(NotNow, match="still down"):
        shared.call(answers("not sent"))
    with pytest.raises(NotNow):  # within the minute of that probe
        shared.call(answers("not sent"))
    assert shared.requests == asked
    time.now += 61
    assert shared.call(answers("sent")) == "sent"
    assert shared.call(answers("and again")) == "and again"


def test_sweeps_take_at_most_three_tenths_of_a_known_budget() -> None:
    time = Time()
    shared = governor(time)
    shared.hear(Told(limit_per_hour=100), ["table incident"])
    sent_at = []
    for _ in range(40):
        shared.call(answers("yes"), purpose=Purpose.SWEEP, scopes=["table incident"])
        sent_at.append(time.now)
    assert max(sum(start <= at < start + 3600 for at in sent_at) for start in sent_at) == 30
    before = len(time.naps)
    shared.call(answers("yes"), purpose=Purpose.POLL, scopes=["table incident"])
    assert len(time.naps) == before


def test_the_most_urgent_goes_first() -> None:
    shared = Governor(in_flight=1)
    gate, order = threading.Event(), list[str]()
    blocker = threading.Thread(target=shared.call, args=(lambda: gate.wait(10),))
    blocker.start()
    threads = []
    for purpose in (Purpose.SWEEP, Purpose.POLL, Purpose.WRITE, Purpose.REFETCH):
        work = {"purpose": purpose}
        threads.append(threading.Thread(target=shared.call, args=(lambda p=purpose: order.append(p),), kwargs=work))
        threads[-1].start()
    until = wall.monotonic() + 10
    while len(shared._waiting) < 4 and wall.monotonic() < until:
        wall.sleep(0.01)
    gate.set()
    for thread in (blocker, *threads):
        thread.join(10)
    assert order == ["REFETCH", "WRITE", "POLL", "SWEEP"]


# ---- one tool, several processes


async def test_processes_share_limits_and_add_up_their_calls(store: Store) -> None:
    time = Time()
    one, two, stranger = governor(time), governor(time), governor(time)
    one.port = callbook.port(store, Source.SERVICENOW, "instance user")
    two.port = callbook.port(store, Source.SERVICENOW, "instance user")
    stranger.port = callbook.port(store, Source.SERVICENOW, "instance another user")

    def refused() -> None:
        with pytest.raises(Busy):
            one.call_once(answers(limited(120, "table incident", per_hour=500)), scopes=["table incident"])

    await asyncio.to_thread(refused)
    await asyncio.to_thread(stranger.call, answers("yes"), scopes=["table incident"])
    assert time.naps == []
    began = time.now
    await asyncio.to_thread(two.call, answers("yes"), purpose=Purpose.POLL, scopes=["table incident"])
    assert time.now - began == pytest.approx(126, abs=5)
    for governing in (one, two, stranger):
        await asyncio.to_thread(governing.flush)
    async with store.begin(DbRole.WORKER) as connection:
        counted = (
            await connection.execute(
                text("select purpose, calls, limited, failed, waited_ms > 100000 from ops.call order by purpose")
            )
        ).all()
        stands = (await connection.execute(text("select rate_permille, limit_per_hour from ops.governor"))).all()
    assert [tuple(row) for row in counted] == [("POLL", 2, 0, 0, True), ("WRITE", 1, 1, 0, False)]
    assert [tuple(row) for row in stands] == [(500, 500)]


async def test_a_circuit_that_one_process_opens_is_open_for_all_and_heals_for_all(store: Store) -> None:
    time = Time()
    one, two = governor(time), governor(time)
    for governing in (one, two):
        governing.port = callbook.port(store, Source.JIRA, "site account")

    def fail() -> None:
        with pytest.raises(SourceUnavailable):
            one.call(answers(*[Busy("down")] * 5))

    def turned_away() -> None:
        with pytest.raises(NotNow):
            two.call(answers("not sent"))

    await asyncio.to_thread(fail)
    await asyncio.to_thread(turned_away)
    async with store.begin(DbRole.WORKER) as connection:  # a minute goes by in the database
        await connection.execute(text("update ops.governor set open_at = now() - interval '1 second'"))
    time.now += 5
    assert await asyncio.to_thread(two.call, answers("up again")) == "up again"
    await asyncio.to_thread(two.flush)
    time.now += 5
    assert await asyncio.to_thread(one.call, answers("for all")) == "for all"


def test_a_book_that_is_away_stops_nobody() -> None:
    time, told = Time(), list[tuple[int, int]]()

    def tell(standings: Any, tallies: Any) -> bool:
        told.append((sum(tally.calls for tally in tallies), len(standings)))
        return len(told) > 1

    shared = governor(time, port=Port(lambda: (), tell))
    assert shared.call(answers("yes")) == "yes"
    time.now += 6
    assert shared.call(answers("yes")) == "yes"
    assert told == [(1, 0), (2, 0)]  # what could not be told was kept


def test_what_others_say_does_not_undo_what_we_have_just_heard() -> None:
    time = Time()
    shared = governor(time, port=Port(lambda: [Standing("", -5.0, 1000, 0, None)], lambda *_: False))
    with pytest.raises(Busy):
        shared.call_once(answers(limited(20)))
    time.now += 2
    assert shared.call(answers("yes")) == "yes"
    assert time.naps[0] == pytest.approx(19)


def test_a_probe_asks_who_is_up_without_credentials() -> None:
    class Answering(BaseHTTPRequestHandler):
        status = 401

        def do_GET(self) -> None:
            heard.append(self.headers.get("Authorization"))
            self.send_response(self.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    heard = list[str | None]()
    with HTTPServer(("127.0.0.1", 0), Answering) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        url = f"http://127.0.0.1:{server.server_port}"
        try:
            knock(url, Source.SERVICENOW)
            for Answering.status in (503, 429):
                with pytest.raises(Busy, match=str(Answering.status)):
                    knock(url, Source.JIRA)
        finally:
            server.shutdown()
            serving.join(10)
    with pytest.raises(Busy, match="did not answer"):
        knock(url, Source.JIRA)
    assert heard == [None] * 3
