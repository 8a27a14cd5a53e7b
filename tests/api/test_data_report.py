"""The report about the data: figures against targets, the drawings, and what is said where nothing can be said."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from api.data_report import completeness, data_report, entity_report, monthly, source_report
from api.report_page import as_page, as_text, bar, lasting, sparkline
from api.settings import Settings
from connectors.mirror import Sighting, write_versions
from connectors.rules import read_terms
from connectors.source import Version
from engine.words import Feed, MirrorKind, Source
from schema.data_figures import Day, Held, days
from schema.store import DbRole, Store

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TERMS = read_terms("freshness: {minutes: 60}\ncompleteness: 0.99")
HELD = Held("incident", MirrorKind.INCIDENT, 200, 1, 50, NOW)
SWEEP = {"keys": 1000, "hinted": 10, "state": "DONE", "started_at": NOW}
DAYS = [Day(date(2026, 2, 27), 10, 0), Day(date(2026, 2, 28), 10, 5), Day(date(2026, 3, 2), 4, 0)]


def report(**swaps: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"held": HELD, "terms": TERMS, "read_to": NOW - timedelta(minutes=10), "sweep": SWEEP,
                             "issues": {"MALFORMED": 3}, "filled": {"number": 200, "priority": 100, "state": 0},
                             "days": DAYS, "now": NOW} | swaps  # fmt: skip
    return entity_report(**given)


@pytest.mark.capability("I7.6")
def test_an_entity_against_its_contract() -> None:
    found = report()
    assert (found["age_minutes"], found["fresh"], found["freshness_target"]) == (10, True, "60 minutes")
    assert (found["completeness"], found["complete"]) == (0.99, True)
    assert found["attainment"] == [
        {"month": "2026-02", "days": 2, "met": 1, "share": 0.5},
        {"month": "2026-03", "days": 1, "met": 1, "share": 1.0},
    ]
    assert found["coverage"] == {"number": 1.0, "priority": 0.5, "state": 0.0}
    assert (found["never_filled"], found["manual_share"]) == (["state"], 0.25)
    assert report(read_to=NOW - timedelta(minutes=61))["fresh"] is False
    assert report(sweep={**SWEEP, "hinted": 11})["complete"] is False


@pytest.mark.capability("P3.1")
def test_where_nothing_can_be_said_nothing_is_said() -> None:
    found = report(read_to=None, sweep={}, days=[], held=Held("incident", MirrorKind.INCIDENT, 0, 0, 0, None))
    assert (found["age_minutes"], found["fresh"], found["completeness"], found["complete"]) == (None,) * 4
    assert (found["attainment"], found["manual_share"], found["never_filled"]) == ([], None, [])
    assert completeness({**SWEEP, "state": "PARTIAL"}) is None, "a set that is not whole counts for nothing"
    assert monthly([]) == []


@pytest.mark.capability("T3.1")
def test_the_share_entered_by_hand_and_the_calls_of_a_source() -> None:
    march = date(2026, 3, 1)
    calls = [
        {"month": march, "purpose": "poll", "calls": 90, "limited": 2, "failed": 1, "waited_ms": 5},
        {"month": march, "purpose": "sweep", "calls": 10, "limited": 1, "failed": 0, "waited_ms": 0},
    ]
    found = source_report(Source.SERVICENOW, "ab", [report(), report()], calls)
    assert (found["records"], found["manual_share"]) == (400, 0.25)
    assert (found["calls_total"], found["limited_total"], found["calls"][0]["month"]) == (100, 3, "2026-03")


def test_bars_sparklines_and_ages() -> None:
    assert [lasting(minutes) for minutes in (None, 119, 120, 2_879, 2_880)] == ["-", "119 min", "2 h", "47 h", "2 days"]
    assert (bar(0.5, 4), bar(1, 4), bar(None, 4)) == ("██░░", "████", "····")
    assert sparkline([{"changes": 10, "late": 0}, {"changes": 10, "late": 10}, {"changes": 0, "late": 0}]) == "█▁"


def test_the_text_and_the_page_say_the_same_and_the_page_asks_nobody() -> None:
    odd = report(issues={"<b>": 3})
    whole = {"as_of": NOW.isoformat(), "sources": [source_report(Source.JIRA, None, [odd], [])]}
    said = as_text(whole)
    assert "incident (INCIDENT): 200 records" in said
    assert "in time 2026-02 ██████████░░░░░░░░░░ 50.0 % of 2 days" in said
    assert "never filled: state" in said
    page = as_page(whole)
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert not re.search(r"https?:|<script|@import|url\(", page)
    assert page.count("<rect class=late") == len(DAYS)
    assert "2026-02-28: 10 changes, 5 late" in page
    assert "Nothing is mirrored yet" in as_page({"as_of": "now", "sources": []})


def incident(number: int, no: int, version_at: datetime) -> Version:
    values = {"number": f"INC{number}"}
    return Version(Source.SERVICENOW, "incident", f"i{number}", MirrorKind.INCIDENT, no, version_at,
                   f"{number}-{no}-{version_at}".encode(), values)  # fmt: skip


@pytest.mark.capability("I7.6")
async def test_a_day_is_met_when_its_changes_came_in_time(database_url: str) -> None:
    store = Store(database_url)
    monday = datetime(2026, 3, 2, 10, tzinfo=UTC)
    tuesday, minute = monday + timedelta(days=1), timedelta(minutes=1)
    told = [
        (incident(1, 1, monday - timedelta(days=9)), monday),  # before the first reading: nobody could be in time
        (incident(1, 2, monday + 5 * minute), monday + 10 * minute),
        (incident(2, 1, tuesday), tuesday + 60 * minute),
        (incident(3, 1, tuesday), tuesday + 61 * minute),
    ]
    again = incident(1, 2, monday + 5 * minute)
    same = Version(*[getattr(again, name) for name in ("source", "entity", "key", "kind", "version_no", "version_at")],
                   b"more columns", again.values)  # fmt: skip
    async with store.begin(DbRole.WORKER) as connection:
        for version, at in [*told, (same, tuesday + 600 * minute)]:
            await write_versions(connection, [Sighting(version, Feed.POLL, 1, at)])
        base = {
            "connection": connection,
            "source": Source.SERVICENOW,
            "entity": "incident",
            "since": monday - 999 * minute,
        }
        found = await days(**base, minutes=60, days_later=0, by_seconds=0, zone="UTC")
        assert [(day.day.day, day.changes, day.late) for day in found] == [(2, 1, 0), (3, 2, 1)]
        morning = await days(**base, minutes=None, days_later=1, by_seconds=6 * 3600, zone="Europe/Berlin")
        assert [(day.changes, day.late) for day in morning] == [(1, 0), (2, 0)]
    whole = await data_report(store, Settings(), tuesday)
    (entity,) = whole["sources"][0]["entities"]
    assert (entity["records"], entity["coverage"]["number"], entity["coverage"]["priority"]) == (3, 1.0, 0.0)
    assert entity["issues"] == {"VERSION_CONFLICT": 1}
    await store.close()
