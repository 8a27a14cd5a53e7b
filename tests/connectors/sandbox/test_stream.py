"""The instance for loads: every row follows from its number, and our own reader and merge agree with it."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer

import httpx
import orjson
import pytest

from connectors.sandbox.stream import Handler, Instance, row, sys_id
from connectors.servicenow.contract import standard
from connectors.servicenow.instance import ServiceNowConfig
from connectors.servicenow.pull import poll

RECORDS = 2_345


@pytest.fixture
def instance() -> Iterator[tuple[str, Instance]]:
    served = Instance(RECORDS, 1)
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"instance": served})) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", served
        server.shutdown()
        thread.join()


def polled(url: str, since: datetime | None = None) -> list[dict[str, str]]:
    config = ServiceNowConfig(url, standard(), "user", "password", page_size=500)
    return [record for page in poll(config, "incident", since) for record in orjson.loads(page.body)]


def test_our_reader_sees_every_record_once_in_every_round(instance: tuple[str, Instance]) -> None:
    url, served = instance
    for round_no in (1, 2):
        httpx.post(f"{url}/round/{round_no}").raise_for_status()
        found = polled(url)
        assert [one["sys_id"] for one in found] == [sys_id(number, RECORDS) for number in range(RECORDS)]
        assert {one["sys_mod_count"] for one in found} == {str(round_no)}
        wanted = row(1_234, RECORDS, round_no)
        assert found[1_234] == {name: wanted.get(name, "") for name in standard()["incident"].asked}
    assert served.round_no == 2


def test_a_poll_since_a_moment_brings_what_changed_since(instance: tuple[str, Instance]) -> None:
    url, _ = instance
    stamps = sorted(row(number, RECORDS, 1)["sys_updated_on"] for number in range(RECORDS))
    since = datetime.fromisoformat(stamps[-100]).replace(tzinfo=UTC)
    wanted = [stamp for stamp in stamps if stamp >= stamps[-100]]
    assert sorted(one["sys_updated_on"] for one in polled(url, since)) == wanted
    assert polled(url, since + timedelta(hours=1)) == []
    count = httpx.get(f"{url}/api/now/stats/incident", params={"sysparm_query": f"sys_updated_on>={stamps[-100]}"})
    assert count.json()["result"]["stats"]["count"] == str(len(wanted))


def test_links_lead_through_all_pages(instance: tuple[str, Instance]) -> None:
    url, _ = instance
    answer = httpx.get(f"{url}/api/now/v2/table/incident", params={"sysparm_limit": 1_000, "sysparm_fields": "sys_id"})
    found = answer.json()["result"]
    while following := answer.links.get("next"):
        answer = httpx.get(following["url"])
        found += answer.json()["result"]
    assert [one["sys_id"] for one in found] == [sys_id(number, RECORDS) for number in range(RECORDS)]


def test_a_condition_that_it_does_not_know_is_refused(instance: tuple[str, Instance]) -> None:
    url, _ = instance
    assert httpx.get(f"{url}/api/now/v2/table/incident?sysparm_query=active=true").status_code == 400
