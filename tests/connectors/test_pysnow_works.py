"""pysnow works with today's helpers, whose versions its own metadata forbids.

pysnow 0.7.17 caps pytz, ijson and requests-oauthlib at versions of 2019; pyproject.toml overrides the caps. Here the
real client talks to a real HTTP server, over every path of it that we use: query, stream, create, update.
"""

import importlib.metadata
import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pysnow
import pytest
from packaging.requirements import Requirement
from packaging.version import Version

OVERRIDDEN = ("ijson", "pytz", "requests-oauthlib")


class Table(BaseHTTPRequestHandler):
    """As much of the Table API as the client needs: GET a list, POST, PUT or PATCH one record."""

    records: dict[str, dict[str, Any]]
    seen: list[tuple[str, str, dict[str, list[str]]]]
    address: str

    def answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def body(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return content

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        self.seen.append(("GET", path.path, parse_qs(path.query)))
        wanted = parse_qs(path.query).get("sysparm_query", [""])[0]
        if wanted == "explode":
            return self.answer(400, {"error": {"message": "Invalid query", "detail": "explode"}, "status": "failure"})
        key = wanted.removeprefix("sys_id=") if wanted.startswith("sys_id=") else None
        found = [record for sys_id, record in self.records.items() if key in (None, sys_id)]
        return self.answer(200, {"result": found})

    def do_POST(self) -> None:
        record = {"sys_id": f"id{len(self.records)}"} | self.body()
        self.records[record["sys_id"]] = record
        self.answer(201, {"result": record})

    def change(self) -> None:
        sys_id = self.path.split("?")[0].rsplit("/", 1)[1]
        self.seen.append((self.command, self.path.split("?")[0], {}))
        self.records[sys_id] |= self.body()
        self.answer(200, {"result": self.records[sys_id]})

    do_PUT = change
    do_PATCH = change

    def log_message(self, format: str, *arguments: Any) -> None:
        """The terminal belongs to the tests."""


@pytest.fixture
def table() -> Iterator[type[Table]]:
    records = {f"id{n}": {"sys_id": f"id{n}", "number": f"INC{n:07}", "notes": "ж" * n} for n in range(300)}
    fresh: Any = type("Fresh", (Table,), {"records": records, "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), fresh)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    fresh.address = f"127.0.0.1:{server.server_port}"
    try:
        yield fresh
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def incident(table: Any) -> Iterator[Any]:
    with pysnow.Client(host=table.address, user="robot", password="secret", use_ssl=False) as client:
        yield client.resource(api_path="/table/incident")


def test_the_helpers_are_really_newer_than_the_caps_of_pysnow() -> None:
    caps = {
        (cap := Requirement(line)).name.lower(): cap.specifier for line in importlib.metadata.requires("pysnow") or []
    }
    for name in OVERRIDDEN:
        installed = Version(importlib.metadata.version(name))
        assert installed not in caps[name], f"{name} {installed} is within {caps[name]}: the override is not in force"


def test_a_query_gives_records_and_sends_what_was_asked(incident: Any, table: Any) -> None:
    found = incident.get(query={"sys_id": "id7"}, fields=["sys_id", "number"], limit=50, offset=0).all()
    assert [record["number"] for record in found] == ["INC0000007"]
    method, path, sent = table.seen[0]
    assert (method, path) == ("GET", "/api/now/table/incident")
    assert sent["sysparm_query"] == ["sys_id=id7"]
    assert sent["sysparm_fields"] == ["sys_id,number"]
    assert sent["sysparm_limit"] == ["50"]


def test_the_query_builder_writes_times_with_todays_pytz(incident: Any, table: Any) -> None:
    nine_in_tokyo = datetime(2026, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    query = pysnow.QueryBuilder().field("sys_updated_on").greater_than_or_equal(nine_in_tokyo)
    incident.get(query=query.AND().field("active").equals("true")).all()
    assert table.seen[0][2]["sysparm_query"] == ["sys_updated_on>=2026-01-01 00:00:00^active=true"]


def test_a_stream_is_parsed_record_by_record_with_todays_ijson(incident: Any) -> None:
    assert Version(importlib.metadata.version("ijson")) >= Version("3")
    stream = incident.get(query="active=true", stream=True).all()
    first = next(stream)
    assert first["number"] == "INC0000000"
    rest = list(stream)
    assert len(rest) == 299
    assert rest[-1]["notes"] == "ж" * 299


def test_an_error_inside_a_stream_is_an_error(incident: Any) -> None:
    with pytest.raises(Exception, match="400"):
        list(incident.get(query="explode", stream=True).all())


def test_a_record_is_created_and_changed(incident: Any, table: Any) -> None:
    created = incident.create(payload={"number": "INC1", "score": "0.97", "notes": "größer"}).one()
    assert table.records[created["sys_id"]]["notes"] == "größer"
    changed = incident.update(query={"sys_id": created["sys_id"]}, payload={"score": "0.98"}).one()
    assert changed["score"] == "0.98"
    assert table.seen[-1][:2] == ("PUT", f"/api/now/table/incident/{created['sys_id']}")


def test_a_patch_sends_only_what_changes_without_reading_first(incident: Any, table: Any) -> None:
    answer = incident.request("PATCH", path_append="/id3", data=json.dumps({"score": "1.01"})).one()
    assert (answer["score"], answer["number"]) == ("1.01", "INC0000003")
    assert [method for method, _, _ in table.seen] == ["PATCH"]
