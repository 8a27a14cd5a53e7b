"""The real client against the imitated instance over real HTTP: everything comes, once, or nothing is believed."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from connectors.servicenow.contract import polled, read_contract, standard
from connectors.servicenow.instance import ServiceNowConfig
from connectors.servicenow.pull import poll, refetch
from connectors.servicenow.translate import translator
from connectors.source import Page, SourceRefused, SourceUnavailable
from engine.refusal import Refused
from tests.connectors.servicenow.imitation import Imitation

CLOCK = datetime(2025, 12, 25, tzinfo=UTC)


def read(pages: Iterable[Page]) -> list[dict[str, str]]:
    return [record for page in pages for record in orjson.loads(page.body)]


def held(instance: Imitation, entity: str) -> dict[str, dict[str, str]]:
    """The rows of a table that the contract calls ours."""
    table, shape = instance.tables.get(entity), standard()[entity]
    return {key: row for key, row in table.rows.items() if shape.is_ours(row)} if table else {}


@pytest.mark.capability("I7.1")
def test_all_twenty_thousand_incidents_come_once_and_as_they_are(instance: Imitation) -> None:
    rows = held(instance, "incident")
    began = len(instance.asked())
    pages = list(poll(instance.config, "incident", None))
    records = read(pages)
    asked = standard()["incident"].asked
    assert len(records) == len(rows) > 19_000
    assert {record["sys_id"]: record for record in records} == {
        key: {column: row.get(column, "") for column in asked} for key, row in rows.items()
    }
    assert {page.observed_at for page in pages} == {CLOCK}
    requests = instance.asked()[began:]
    assert all("sysparm_limit=1000&" in entry["query"] for entry in requests)
    assert len(requests) == len(pages) + 2  # an empty page, and the count that shows it is the end


@pytest.mark.parametrize("entity", sorted(polled(standard())))
def test_every_table_of_the_contract_is_read_and_understood(instance: Imitation, entity: str) -> None:
    translate = translator(standard()).translate
    records = read(poll(instance.config, entity, None))
    versions = [version for record in records for version in translate(entity, record, CLOCK)]
    assert {version.key for version in versions} == set(held(instance, entity))
    known = {"UNMAPPED_SOURCE_VALUE", "EVIDENCE_REQUIRED"} if entity in ("incident", "problem") else set()
    assert {issue.code for version in versions for issue in version.issues} <= known


def test_an_answer_knows_its_incident(instance: Imitation) -> None:
    """Columns of another record come by their dotted names."""
    first = read(poll(instance.config, "asmt_metric_result", None))[0]
    assert first["instance.trigger_table"] == "incident"
    assert first["instance.trigger_id"] in held(instance, "incident")


def test_a_poll_brings_what_changed_since(instance: Imitation) -> None:
    since = datetime(2025, 12, 20, tzinfo=UTC)
    wanted = {key for key, row in held(instance, "incident").items() if row["sys_updated_on"] >= "2025-12-20 00:00:00"}
    assert {record["sys_id"] for record in read(poll(instance.config, "incident", since))} == wanted
    assert 0 < len(wanted) < 10_000


def test_the_same_page_has_the_same_id(instance: Imitation) -> None:
    first, second = (list(poll(instance.config, "sys_user", None)) for _ in range(2))
    assert [page.page_id for page in first] == [page.page_id for page in second]


def test_refetch_brings_these_records_and_no_others(instance: Imitation) -> None:
    wanted = sorted(held(instance, "task_sla"))[:250]
    assert [record["sys_id"] for record in read(refetch(instance.config, "task_sla", wanted + wanted[:3]))] == wanted
    assert list(refetch(instance.config, "task_sla", ["0" * 32])) == []


@pytest.mark.parametrize("sys_id", ["", "x", "javascript:gs.sleep(9)", "0" * 31 + "^", "0" * 32 + "^NQactive=true"])
def test_a_query_holds_nothing_but_typed_literals(instance: Imitation, sys_id: str) -> None:
    with pytest.raises(Refused, match="sys_id"):
        list(refetch(instance.config, "incident", [sys_id]))
    with pytest.raises(Refused, match="time zone"):
        list(poll(instance.config, "incident", datetime(2025, 1, 1)))  # noqa: DTZ001
    with pytest.raises(Refused, match="contract"):
        list(poll(instance.config, "sys_properties", None))


# ---- broken answers


def whole(instance: Imitation, **changes: Any) -> bool:
    """Whether a reading of all problems is complete, and nothing in it twice."""
    records = read(poll(instance.configured(**changes), "problem", None))
    return sorted(record["sys_id"] for record in records) == sorted(held(instance, "problem"))


@pytest.mark.parametrize("shape", ["error", "rows", "strings"])
def test_a_cancelled_answer_is_no_answer_and_halves_the_page(instance: Imitation, shape: str) -> None:
    instance.break_down("transaction_cancelled", times=2, shape=shape)
    began = len(instance.asked())
    assert whole(instance)
    limits = [int(entry["query"].split("sysparm_limit=")[1].split("&")[0]) for entry in instance.asked()[began:]]
    assert limits[:3] == [1000, 500, 250]


@pytest.mark.parametrize("wrong_length", [True, False])
def test_a_cut_answer_is_no_answer(instance: Imitation, wrong_length: bool) -> None:
    instance.break_down("truncate", times=2, bytes=30_000, wrong_length=wrong_length)
    assert whole(instance)


def test_when_even_small_pages_are_cut_nothing_more_is_read(instance: Imitation) -> None:
    instance.break_down("truncate", times=100, bytes=40)
    with pytest.raises(SourceUnavailable, match="10 rows"):
        whole(instance)


def test_a_short_page_is_not_the_end(instance: Imitation) -> None:
    instance.break_down("row_cap", times=100, rows=7)
    assert whole(instance)


def test_an_empty_page_with_rows_behind_it_is_not_the_end(instance: Imitation) -> None:
    """The limit is applied before rows are hidden: a whole page may be hidden while later ones are not."""
    instance.break_down("row_cap", times=3, rows=0)
    records = read(poll(instance.configured(page_size=100), "problem", None))
    assert [record["sys_id"] for record in records] == sorted(held(instance, "problem"))[300:]


def test_the_tool_says_for_how_long_to_wait(instance: Imitation) -> None:
    instance.break_down("rate_limit", times=1, retry_after=17)
    assert whole(instance)
    assert instance.naps == [pytest.approx(17 * 1.05)]


def test_a_tool_that_is_down_is_asked_again_ever_later_and_not_for_ever(instance: Imitation) -> None:
    instance.break_down("http_error", times=3, status=503)
    assert whole(instance)
    assert instance.naps == [5, 10, 20]
    instance.break_down("http_error", times=100, status=502)
    began = len(instance.asked())
    with pytest.raises(SourceUnavailable, match="5 attempts"):
        whole(instance)
    assert len(instance.asked()) - began == 5


@pytest.mark.parametrize("status", [200, 302])
def test_a_login_page_is_a_refusal_that_says_what_to_do(instance: Imitation, status: int) -> None:
    instance.break_down("html_login", status=status)
    with pytest.raises(SourceRefused, match="single sign-on"):
        whole(instance)


def test_wrong_credentials_are_a_refusal_and_are_not_repeated(instance: Imitation) -> None:
    began = len(instance.asked())
    with pytest.raises(SourceRefused, match="password"):
        whole(instance, password="wrong")
    assert len(instance.asked()) == began + 1


def test_a_forbidden_table_is_a_refusal(instance: Imitation) -> None:
    instance.break_down("http_error", status=403)
    with pytest.raises(SourceRefused, match="read rights"):
        whole(instance)


def test_nothing_is_read_where_nobody_listens() -> None:
    nobody = ServiceNowConfig("http://127.0.0.1:9", standard(), "u", "p")
    nobody.governor.sleep = lambda seconds: None
    nobody.governor.clock = iter(range(0, 10**9, 10**6)).__next__
    with pytest.raises(SourceUnavailable, match="did not answer"):
        list(poll(nobody, "problem", None))


def test_a_column_that_the_instance_does_not_give_is_named(instance: Imitation) -> None:
    document = """
    entities:
      problem:
        kind: PROBLEM
        fields: {number: {from: number, as: text}, root_cause: {from: u_cause_class, as: text}}
    """
    with pytest.raises(SourceRefused, match=r"u_cause_class of problem.*contract\.yaml"):
        whole(instance, contract=read_contract(document))


# ---- who we are


@pytest.mark.parametrize(
    ("url", "login"),
    [
        ("http://example.service-now.com", {"user": "u", "password": "p"}),
        ("ftp://127.0.0.1", {"user": "u", "password": "p"}),
        ("https://u:p@example.service-now.com", {"user": "u", "password": "p"}),
        ("https://example.service-now.com/api", {"user": "u", "password": "p"}),
        ("https://", {"user": "u", "password": "p"}),
        ("https://example.service-now.com", {"user": "u"}),
        ("https://example.service-now.com", {}),
    ],
)
def test_a_connection_that_cannot_be_right_is_refused(url: str, login: dict[str, str]) -> None:
    with pytest.raises(Refused):
        ServiceNowConfig(url, standard(), **login)


def test_a_password_does_not_show() -> None:
    config = ServiceNowConfig("https://example.service-now.com", standard(), "u", "hush", "c", "hush")
    assert "hush" not in repr(config)


def test_reading_is_quick(instance: Imitation) -> None:
    """The instance, which shares our core, is most of it."""
    began = time.perf_counter()
    records = read(poll(instance.config, "task_sla", None))
    assert len(records) / (time.perf_counter() - began) > 3_000
