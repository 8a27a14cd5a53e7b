"""Suppliers in one report: computed from clocks, reported by file and interface, compared, and held against a cycle."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api import feeds, rhythm
from api.actions import agreements, drops
from api.feeds import Scope
from api.house import House
from api.settings import Settings, VendorSettings
from api.sources import governor_of
from api.vendor_report import as_lines, vendor_report
from connectors.source import SourceRefused
from engine.alignment import Period
from engine.words import MirrorKind, Role, Source
from schema.store import DbRole
from schema.vendor_results import computed
from tests.api.actions.firm import NOW, Firm, at, bring_in, grant, person, version
from tests.api.actions.test_drops import AGREEMENT, VENDOR, written
from tests.connectors.vendor.test_vendor_feed import Answer, Interface, paged, result

CYCLE = Period(date(2026, 1, 1), date(2026, 4, 1))
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
SETTINGS = Settings()


def clock(key: str, month: int, **more: Any) -> Any:
    started = FIRST.replace(month=month)
    plain = {"definition_id": at(MirrorKind.SLA_DEFINITION, "uc"), "stage": "COMPLETED", "has_breached": False,
             "started_at": started, "ended_at": started + timedelta(hours=3)}  # fmt: skip
    return version(MirrorKind.TASK_SLA, key, **(plain | more))


def world() -> list[Any]:
    vendor = version(MirrorKind.VENDOR, "acme", name="Acme Cloud")
    agreed = {"sla_type": "UNDERPINNING_CONTRACT", "vendor_id": at(MirrorKind.VENDOR, "acme")}
    definitions = [
        version(MirrorKind.SLA_DEFINITION, "uc", name="Gold", **agreed),
        version(MirrorKind.SLA_DEFINITION, "own", name="Gold", sla_type="SLA"),
    ]
    jira = {"definition_id": None, "sla_type": "UNDERPINNING_CONTRACT", "vendor_id": agreed["vendor_id"]}
    clocks = [
        *(clock(f"j{n}", 1) for n in range(8)), clock("j8", 1, has_breached=True), clock("j9", 1, stage="CANCELLED"),
        *(clock(f"f{n}", 2) for n in range(4)), clock("f4", 2, has_breached=True, stage="IN_PROGRESS"),
        *(clock(f"m{n}", 3) for n in range(3)), clock("m3", 3, has_breached=None),
        clock("own", 1, definition_id=at(MirrorKind.SLA_DEFINITION, "own")),
        clock("jira", 1, target="RESOLUTION", **jira), clock("when", 1, started_at=None, **jira, target="RESPONSE"),
    ]  # fmt: skip
    return [vendor, *definitions, *clocks]


@pytest.fixture
async def firm(empty: Firm) -> Firm:
    for name in ("itsm-admin", "second-admin"):
        await grant(empty.store, person(name), Role.ITSM_ADMIN)
    await bring_in(empty.store, world())
    return empty


async def agree(firm: Firm, body: str) -> None:
    known = await drops.vendor_fields(firm.store, SETTINGS)
    author, other = firm.viewer("itsm-admin"), firm.viewer("second-admin")
    document = await agreements.propose(firm.store, firm.log, author, body, known, NOW)
    await agreements.try_on(firm.store, firm.log, author, document.name, None, known, NOW)
    await agreements.activate(firm.store, firm.log, other, document.name, None, NOW)


async def load(firm: Firm, file: Path) -> None:
    viewer = firm.viewer("itsm-admin")
    await drops.load(firm.store, firm.log, viewer, SETTINGS, "vendor-sla", file, NOW, NOW)


@pytest.mark.capability("I6.1")
async def test_months_follow_from_the_clocks_and_are_final_once_none_runs_or_is_unknown(firm: Firm) -> None:
    async with firm.store.begin(DbRole.WORKER, read_only=True) as connection:
        found = await computed(connection, NOW)
        early = await computed(connection, datetime(2026, 1, 31, 23, tzinfo=UTC))
        east = await computed(connection, datetime(2026, 1, 31, 23, tzinfo=UTC), "Europe/Berlin")
    told = [(each.agreement, each.starts_on and each.starts_on.month, each.met, each.total, each.running, each.unknown,
             each.status.value) for each in found]  # fmt: skip
    assert told == [
        ("Gold", 1, 8, 9, 0, 0, "FINAL"),
        ("Gold", 2, 4, 5, 1, 0, "PROVISIONAL"),
        ("Gold", 3, 3, 3, 0, 1, "PROVISIONAL"),
        ("servicenow resolution", 1, 1, 1, 0, 0, "FINAL"),
        ("servicenow response", None, 1, 1, 0, 0, "PROVISIONAL"),
    ]
    assert {each.vendor for each in found} == {"Acme Cloud"}
    assert (early[0].status.value, east[0].status.value) == ("PROVISIONAL", "FINAL"), "the month ends where they live"


@pytest.mark.capability("I6.1", "I6.3")
async def test_reported_against_computed_and_against_a_cycle(firm: Firm, tmp_path: Path) -> None:
    await agree(firm, AGREEMENT)
    row = ["Acme Cloud", "gold", ""]
    file = written(
        tmp_path / "v.csv", VENDOR, [*row, "2026-01-01", "2026-02-01", "9", "9", "final"],
        [*row, "2026-02-01", "2026-03-01", "5", "5", "final"],
        [*row, "2026-03-01", "2026-04-10", "5", "5", "provisional"],
        ["acme cloud", "servicenow resolution", "", "2026-01-01", "2026-02-01", "1", "1", "final"],
        ["Acme Cloud", "twofold", "", "2026-01-01", "2026-03-01", "1", "1", "final"],
        ["Acme Cloud", "twofolD", "", "2026-02-01", "2026-03-01", "1", "1", "final"],
    )  # fmt: skip
    await load(firm, file)
    found = await vendor_report(firm.store, NOW, cycle=CYCLE)
    january, february, march, other, *twofold = found["reported"]
    assert january["finding"]["code"] == "VENDOR_RESULT_MISMATCH"
    assert "9 of 9 for gold, the clocks in the tools say 8 of 9" in january["finding"]["what"]
    assert february["not_compared"] == "Clocks of this period still run, or are not known."
    assert march["not_compared"] == "Its period is not made of whole months."
    assert (other["finding"], other["not_compared"], other["computed_total"]) == (None, None, 1)
    assert {each["not_compared"] for each in twofold} == {"Several results stand for this agreement and period."}
    gold = [(each["code"], each["what"]) for each in found["alignment"] if each["agreement"] == "gold"]
    assert [code for code, _ in gold] == ["PERIOD_MISMATCH", "VENDOR_RESULT_NOT_FINAL"]
    assert "2026-03-01 to 2026-04-09 reaches beyond" in gold[0][1]
    lines = as_lines(found)
    assert any(line.startswith("WARNING The agreement acme with Acme Cloud ends in 41 days") for line in lines)
    assert any("computed Acme Cloud, Gold 2026-02-01..2026-03-01: 4 of 5 PROVISIONAL, 1 running" in line
               for line in lines)  # fmt: skip
    assert (await vendor_report(firm.store, NOW))["alignment"] == [], "no cycle, nothing to hold it against"

    again = written(tmp_path / "w.csv", [*VENDOR[:5], "attainment", "status"],
                    [*row, "2026-01-01", "2026-02-01", "0.889", "final"])  # fmt: skip
    await agreements.retire(firm.store, firm.log, firm.viewer("itsm-admin"), "acme", NOW)
    await agree(firm, AGREEMENT.replace("status]", "status, attainment]"))
    later = NOW + timedelta(minutes=1)
    await drops.load(firm.store, firm.log, firm.viewer("itsm-admin"), SETTINGS, "vendor-sla", again, later, later)
    (january, *_) = (await vendor_report(firm.store, later, cycle=CYCLE))["reported"]
    assert (january["met"], str(january["attainment"])) == (None, "0.889000")
    assert (january["finding"], january["not_compared"]) == (None, None), "8 of 9, rounded by the supplier"


def dated(hour: int, results: list[dict[str, Any]]) -> Answer:
    """The same at this hour of the supplier's clock."""
    return lambda query: (*paged(results)(query)[:2], {"Date": f"Fri, 01 May 2026 {hour}:00:00 GMT"})


@pytest.fixture
async def interface() -> AsyncIterator[Interface]:
    found = Interface()
    yield found
    found.close()


@pytest.mark.capability("I6.1", "I6.3")
async def test_an_interface_is_polled_swept_and_refused_like_any_tool(firm: Firm, interface: Interface) -> None:
    governor_of.cache_clear()
    settings = Settings(vendors=(VendorSettings("none", interface.url), VendorSettings("acme", interface.url, "t")))
    house = House(firm.store, firm.url, firm.log, firm.signer, settings, lambda: NOW)
    only = Scope(sources=(Source.VENDOR,))
    rows = "select entity, source_key, gone_at is not null from mirror.record where source = 'vendor' order by 2"
    interface.answer = dated(
        10, [result(1, updated_at="2026-05-01T07:00:00Z"), result(2, met=80, updated_at="2026-05-01T07:00:00Z")]
    )
    with pytest.raises(SourceRefused, match="NO_ACTIVE_AGREEMENT"):
        await feeds.poll_all(house, lambda _: None, only)
    assert interface.asked == []

    await agree(firm, AGREEMENT.replace("2026-12-31", "2099-12-31").replace("2026-01-01", "2020-01-01"))
    with pytest.raises(SourceRefused, match="called none"):
        await feeds.poll_all(house, lambda _: None, only)  # those with an agreement are read all the same
    await feeds.drain_all(house)
    await rhythm.tend(house)
    keys = [f"Acme Cloud|Gold|||2026-0{n}-01" for n in (1, 2)]
    assert [tuple(row) for row in await firm.rows(rows)] == [("sla-result/acme", key, False) for key in keys]
    met = "select met, vendor_id is not null from mirror.vendor_sla_result order by source_key"
    assert [tuple(row) for row in await firm.rows(met)] == [(95, True), (80, True)]
    governor_of(interface.url, "acme").flush()

    alone = House(firm.store, firm.url, firm.log, firm.signer, Settings(vendors=settings.vendors[1:]), lambda: NOW)
    for hour in (11, 12):
        interface.answer = dated(hour, [result(2, met=81, updated_at="2026-05-01T08:00:00Z")])
        await feeds.sweep_all(alone, lambda _: None, only, 1)
    assert [row[2] for row in await firm.rows(rows)] == [True, False], "withdrawn by the supplier, twice not there"
    assert [tuple(row) for row in await firm.rows(met)][1] == (81, True), "what it was joined to stays with it"
