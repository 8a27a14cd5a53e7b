"""A supplier's interface over real HTTP: pages, numbers as they were sent, what is kept of them, ways to fail."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from api.contracts import read_contract
from connectors.files.contract import shipped
from connectors.governor import Governor
from connectors.source import SourceRefused, SourceUnavailable
from connectors.vendor import feed as feeds
from connectors.vendor.feed import VendorFeed
from engine.refusal import Refused
from engine.words import Feed, Source

ALL = frozenset({"agreement", "metric", "period_starts_on", "period_ends_on", "met", "total", "attainment", "status"})
Answer = Callable[[dict[str, list[str]]], tuple[int, bytes, dict[str, str]]]


class Interface:
    """A small server that listens; `answer` decides, `asked` remembers."""

    def __init__(self) -> None:
        self.asked: list[tuple[dict[str, list[str]], str]] = []
        self.answer: Answer = lambda _: (200, b'{"results": []}', {})
        interface = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                interface.asked.append((query, self.headers.get("Authorization", "")))
                status, body, headers = interface.answer(query)
                self.send_response_only(status)
                for name, value in ({"Date": self.date_time_string()} | headers).items():
                    if value:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/sla"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()


@pytest.fixture
def interface() -> Iterator[Interface]:
    found = Interface()
    yield found
    found.close()


def connected(interface: Interface, swap: tuple[str, str] = ("", ""), **more: Any) -> VendorFeed:
    contract = read_contract(Source.VENDOR, shipped(Source.VENDOR).replace(*swap)).tool
    passed = [0.0]  # waiting takes no time here
    governor = Governor(attempts=3, clock=lambda: passed[0], sleep=lambda s: passed.__setitem__(0, passed[0] + s))
    given = {"vendor": "Acme Cloud", "covered": ALL, "governor": governor} | more
    return VendorFeed("acme", interface.url, "secret-token", contract, **given)


def result(month: int, **more: Any) -> dict[str, Any]:
    return {"agreement": "Gold", "period_starts_on": f"2026-{month:02}-01", "period_ends_on": f"2026-{month + 1:02}-01",
            "met": 95, "total": 100, "status": "final", "updated_at": "2026-05-01T00:00:00Z"} | more  # fmt: skip


def paged(results: list[dict[str, Any]], size: int = 2) -> Answer:
    def answer(query: dict[str, list[str]]) -> tuple[int, bytes, dict[str, str]]:
        first = int(query.get("cursor", ["0"])[0])
        body: dict[str, Any] = {"results": results[first : first + size]}
        if first + size < len(results):
            body["next_cursor"] = first + size
        return 200, json.dumps(body).encode(), {}

    return answer


def records(feed: VendorFeed, since: datetime | None = None, kind: Feed = Feed.POLL) -> list[dict[str, Any]]:
    return [record for page in feeds.poll(feed, since, kind) for record in json.loads(page.body)]


@pytest.mark.capability("I6.1")
def test_pages_are_read_to_the_last_with_the_token_and_numbers_stay_what_was_sent(interface: Interface) -> None:
    interface.answer = paged([result(n, attainment=0.1 if n == 1 else None, ceo="x") for n in range(1, 6)])
    found = records(connected(interface), datetime(2026, 4, 1, tzinfo=UTC))
    assert [each["period_starts_on"] for each in found] == [f"2026-{n:02}-01" for n in range(1, 6)]
    assert (found[0]["attainment"], found[0]["met"], found[0]["vendor_name"]) == ("0.1", "95", "Acme Cloud")
    assert "ceo" not in found[0], "what no contract names is not kept"
    assert [query.get("cursor") for query, _ in interface.asked] == [None, ["2"], ["4"]]
    assert interface.asked[0][0]["updated_since"] == ["2026-04-01T00:00:00+00:00"]
    assert {token for _, token in interface.asked} == {"Bearer secret-token"}


@pytest.mark.capability("I6.3")
def test_only_covered_fields_are_kept_and_nothing_is_asked_without_an_agreement(interface: Interface) -> None:
    interface.answer = paged([result(1, metric="restore", vendor="Somebody else")])
    (record,) = records(connected(interface, covered=ALL - {"metric"}))
    assert (record["not_covered"], record["vendor_name"]) == (["metric"], "Acme Cloud")
    assert "restore" not in json.dumps(record)
    asked = len(interface.asked)
    with pytest.raises(SourceRefused, match="NO_ACTIVE_AGREEMENT"):
        records(connected(interface, covered=None))
    assert len(interface.asked) == asked


def test_another_shape_is_a_matter_of_the_contract(interface: Interface) -> None:
    swap = ("any: {records: results, next: next_cursor, parameter: cursor, since: updated_since}",
            "acme: {records: data.items}")  # fmt: skip
    interface.answer = lambda _: (200, json.dumps({"data": {"items": [result(1)]}}).encode(), {})
    assert len(records(connected(interface, swap))) == 1
    with pytest.raises(SourceRefused, match="does not say how acme answers"):
        records(connected(interface, (swap[0], "other: {records: x}")))
    interface.answer = lambda _: (200, b'{"results": {}}', {})
    with pytest.raises(SourceRefused, match="no list of records"):
        records(connected(interface))


@pytest.mark.parametrize(
    ("status", "body", "headers", "expected"),
    [
        (401, b"", {}, "VENDOR_TOKENS"),
        (302, b"", {"Location": "https://elsewhere.example"}, "302"),
        (200, b'{"results": []}', {"Date": ""}, "without a Date"),
    ],
)
def test_what_a_person_must_repair(
    interface: Interface, status: int, body: bytes, headers: dict[str, str], expected: str
) -> None:
    interface.answer = lambda _: (status, body, headers)
    with pytest.raises(SourceRefused, match=expected):
        records(connected(interface))
    assert len(interface.asked) == 1, "asking again would not help"


@pytest.mark.parametrize(("status", "body"), [(503, b""), (429, b""), (200, b"<html>"), (200, b'{"results": [')])
def test_what_passes_is_tried_again_under_the_governor(interface: Interface, status: int, body: bytes) -> None:
    interface.answer = lambda _: (status, body, {})
    with pytest.raises(SourceUnavailable):
        records(connected(interface))
    assert len(interface.asked) == 3
    good = paged([result(1)])
    interface.answer = lambda query: (status, body, {}) if len(interface.asked) % 2 else good(query)
    interface.asked.clear()
    assert len(records(connected(interface))) == 1


def test_a_page_that_leads_to_itself_ends(interface: Interface) -> None:
    interface.answer = lambda _: (200, b'{"results": [], "next_cursor": "again"}', {})
    with pytest.raises(SourceRefused, match="again and again"):
        records(connected(interface))
    assert len(interface.asked) == 2


def test_the_same_content_is_the_same_page_unless_only_the_reading_says_how_new_it_is(interface: Interface) -> None:
    interface.answer = paged([result(1)])
    plain, timeless = connected(interface), ("as_of: {from: updated_at, as: moment}", "")
    dated = lambda seconds: {"Date": f"Fri, 01 May 2026 10:00:{seconds:02} GMT"}  # noqa: E731

    def ids(feed: VendorFeed, kind: Feed) -> list[str]:
        found = []
        for second in (10, 20):
            interface.answer = lambda query, second=second: (*paged([result(1)])(query)[:2], dated(second))
            found += [page.page_id for page in feeds.poll(feed, None, kind)]
        return found

    assert len(set(ids(plain, Feed.POLL))) == 1
    assert len(set(ids(plain, Feed.SWEEP))) == 2
    assert len(set(ids(connected(interface, timeless), Feed.POLL))) == 2
    (page,) = feeds.poll(plain, None, Feed.POLL)
    assert page.observed_at == datetime(2026, 5, 1, 10, 0, 20, tzinfo=UTC) - timedelta(seconds=1)


def test_keys_are_those_of_the_records(interface: Interface) -> None:
    interface.answer = paged([result(1), result(2), result(3, agreement="")])
    feed = connected(interface)
    found = feeds.sweep(feed)
    assert ([each.key for each in found.keys], found.complete) == (
        ["Acme Cloud|Gold|||2026-01-01", "Acme Cloud|Gold|||2026-02-01"], True
    )  # fmt: skip
    assert feeds.exists(feed, found.keys[0].key)
    assert not feeds.exists(feed, "Acme Cloud|Gold|||2026-03-01")


def test_a_token_goes_over_https_only() -> None:
    contract = read_contract(Source.VENDOR, shipped(Source.VENDOR)).tool
    with pytest.raises(Refused, match="https"):
        VendorFeed("acme", "http://vendor.example/sla", "t", contract)
    assert "secret" not in repr(VendorFeed("acme", "https://vendor.example/sla", "secret", contract))
