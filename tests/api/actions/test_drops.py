"""Files from hand to mirror: rights, entries, refusals, people found before and after; order decides nothing."""

import csv
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from api import feeds, rhythm
from api.actions import agreements, contracts, drops
from api.data_report import data_report
from api.house import House
from api.settings import Settings
from connectors.files.contract import shipped
from connectors.files.links import join
from engine.refusal import Code, Refused
from engine.sharing import days_left, holds, read_agreement, warning
from engine.words import MirrorKind, Role, Source
from schema.store import DbRole
from tests.api.actions.firm import NOW, Firm, bring_in, grant, organisation, person, refused, version

SETTINGS = Settings()
AS_OF = NOW - timedelta(days=3)
HIRED = ["employee_number", "email", "job", "full_time_share", "starts_on", "ends_on", "shoe_size"]
BUDGET = ["name", "unit", "period_starts_on", "period_ends_on", "currency", "amount"]
PAID = ["line_ref", "employee_number", "currency", "amount", "paid_on", "status"]
VENDOR = ["vendor", "agreement", "service", "period_starts_on", "period_ends_on", "met", "total", "status"]
PEOPLE = """select e.source_key, p.name, e.job, e.full_time_share::text from mirror.employment e
              left join mirror.person p on p.id = e.person_id order by 1"""
ISSUES = "select code, field, value, state from mirror.data_issue order by 1, 2, 3"
AGREEMENT = """
agreement: acme
owner: supplier management
vendor: Acme Cloud
parties: [Example AG, Acme Cloud Ltd]
purpose: Holding the supplier to what it promised.
legal_basis: Clause 9 of the master agreement.
fields: [agreement, period_starts_on, period_ends_on, met, total, status]
from: 2026-01-01
until: 2026-12-31
retention_months: 36
"""


def written(file: Path, *rows: Sequence[str]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(rows)
    return file


async def granted(firm: Firm) -> None:
    for name, role in (("hr", Role.HR), ("finance", Role.FINANCE), ("payroll", Role.PAYROLL),
                       ("itsm-admin", Role.ITSM_ADMIN), ("second-admin", Role.ITSM_ADMIN)):  # fmt: skip
        await grant(firm.store, person(name), role)


@pytest.fixture
async def firm(empty: Firm) -> Firm:
    await granted(empty)
    return empty


async def load(firm: Firm, who: str, kind: str, file: Path, as_of: datetime | None = AS_OF, **more: Any) -> Any:
    return await drops.load(firm.store, firm.log, firm.viewer(who), SETTINGS, kind, file, as_of, NOW, **more)


async def table(firm: Firm, statement: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await firm.rows(statement)]


@pytest.mark.capability("T3.1")
async def test_employment_from_preview_to_people_that_come_later(firm: Firm, tmp_path: Path) -> None:
    file = written(
        tmp_path / "hr.csv", HIRED, ["40000", "", "=cmd|'x'", "0.8", "2024-01-01", "", "43"],
        ["", "BEA@example.com", "Ops", "1", "2025-01-01", "", "38"], ["99999", "", "Ghost", "1", "2025-01-01", "", ""],
    )  # fmt: skip
    before = await firm.fingerprint()
    seen = await drops.preview(firm.store, SETTINGS, "employment", file, AS_OF, NOW)
    assert await firm.fingerprint() == before, "looking writes nothing"
    assert (seen["PASS"], seen["mirror"]) == (3, {"new": 3, "changed": 0, "same": 0, "older": 0})
    assert seen["ignored_columns"] == ["shoe_size"]

    done = await load(firm, "hr", "employment", file)
    assert (done["new"], done["records_moved"], done["unjoined"]) == (True, 3, 3)
    await bring_in(firm.store, organisation())
    async with firm.store.begin(DbRole.WORKER) as connection:
        assert await join(connection) == 2
        assert await join(connection) == 0, "what is joined stays"
    assert await table(firm, PEOPLE) == [
        ("email=bea@example.com|2025-01-01", "bea", "Ops", "1.000000"),
        ("employee_number=40000|2024-01-01", "ann", "=cmd|'x'", "0.800000"),
        ("employee_number=99999|2025-01-01", None, "Ghost", "1.000000"),
    ]
    assert [row[2:] for row in await table(firm, ISSUES) if row[0] == "REFERENCE_MISSING"] == [
        ("40000", "RESOLVED"), ("99999", "OPEN"), ("BEA@example.com", "RESOLVED")
    ]  # fmt: skip
    bodies = await firm.value("select string_agg(convert_from(body, 'UTF8'), '') from mirror.payload")
    assert "43" not in bodies, "a column that no contract names is stored nowhere"
    (row,) = await firm.rows("select * from ops.file_drop")
    digest = sha256(file.read_bytes()).hexdigest()
    assert (row["sha256"], row["rows"], row["passed"], row["loaded_by"]) == (digest, 3, 3, person("hr"))
    (told,) = await firm.payloads("file.loaded/v1")
    assert (told["data"]["sha256"], told["data"]["kind"]) == (digest, "employment")
    found = await data_report(firm.store, SETTINGS, NOW)
    (hris,) = [source for source in found["sources"] if source["source"] == "hris"]
    assert (hris["records"], hris["manual_share"]) == (3, 1.0)

    after = await firm.fingerprint(without=("inbox.delivery_key",))
    again = await load(firm, "hr", "employment", file)
    assert (again["new"], again["records_moved"], again["mirror"]["same"]) == (False, 0, 3)
    assert await firm.fingerprint(without=("inbox.delivery_key",)) == after, "the same file changes nothing"


async def test_two_people_of_one_number_are_nobody_and_one_who_left_is_still_found(firm: Firm, tmp_path: Path) -> None:
    file = written(tmp_path / "hr.csv", HIRED[:5], ["40000", "", "Dev", "1", "2024-01-01"])
    await bring_in(firm.store, organisation())
    await bring_in(firm.store, [version(MirrorKind.PERSON, "twin", name="twin", employee_number="40000", human=True)])
    assert (await load(firm, "hr", "employment", file))["unjoined"] == 1
    await firm.rows("update mirror.person set gone_at = now() where name = 'twin'")
    async with firm.store.begin(DbRole.WORKER) as connection:
        await join(connection)
    assert (await table(firm, PEOPLE))[0][1] == "ann", "who is still there counts before who is gone"
    await firm.rows("delete from mirror.person where name = 'ann'")
    async with firm.store.begin(DbRole.WORKER) as connection:
        await join(connection)
    assert (await table(firm, PEOPLE))[0][1] == "twin"
    await bring_in(firm.store, [version(MirrorKind.PERSON, "third", name="third", employee_number="40000", human=True)])
    await firm.rows("update mirror.person set gone_at = null where name = 'twin'")
    async with firm.store.begin(DbRole.WORKER) as connection:
        await join(connection)
    assert (await table(firm, PEOPLE))[0][1] is None, "what is no longer clear is not kept"


@pytest.mark.capability("T3.1")
async def test_any_order_of_files_ends_the_same(stages: Any, tmp_path: Path) -> None:
    def budget(name: str, *amounts: str) -> Path:
        rows = [[f"B{n}", "IT", "2026-01-01", "2027-01-01", "JPY", a] for n, a in enumerate(amounts) if a]
        return written(tmp_path / name, BUDGET, *rows)

    files = [
        (budget("a.csv", "1", "10", ""), AS_OF),
        (budget("b.csv", "2", "", "7"), AS_OF + timedelta(hours=1)),
        (budget("c.csv", "1", "11", "7"), AS_OF + timedelta(hours=2)),
        (budget("d.csv", "3", "11", ""), AS_OF + timedelta(hours=2)),  # contradicts c
    ]
    ends = set()
    for order in list(itertools.permutations(files))[::5]:
        async with stages.at("") as firm:
            await granted(firm)
            for file, as_of in order:
                await load(firm, "finance", "budgets", file, as_of)
            rows = await table(firm, "select source_key, amount_minor from mirror.budget order by 1")
            stands = await table(firm, "select source_key, version_no, payload_hash from mirror.record order by 1")
            ends.add((tuple(rows), tuple(stands), tuple(await table(firm, ISSUES))))
    ((rows, _, issues),) = ends
    assert [amount for _, amount in rows][1:] == [11, 7]
    assert rows[0][1] in (1, 3)
    assert [issue[0] for issue in issues] == ["VERSION_CONFLICT"], "two files of one moment that contradict are listed"


@pytest.mark.capability("T3.1")
async def test_an_older_file_replaces_nothing_and_a_newer_one_does(firm: Firm, tmp_path: Path) -> None:
    paid = lambda amount, status: ["L-1", "40000", "KWD", amount, "2026-11-30", status]  # noqa: E731
    new = written(tmp_path / "new.csv", PAID, paid("-1.250", "corrected"))
    old = written(tmp_path / "old.csv", PAID, paid("99.999", "paid"))
    await load(firm, "payroll", "payroll-results", new)
    seen = await drops.preview(firm.store, SETTINGS, "payroll-results", old, AS_OF - timedelta(seconds=1), NOW)
    assert seen["mirror"]["older"] == 1
    await load(firm, "payroll", "payroll-results", old, AS_OF - timedelta(seconds=1))
    rows = "select amount_minor, source_status from mirror.payroll_result"
    assert await table(firm, rows) == [(-1250, "corrected")]
    seen = await drops.preview(firm.store, SETTINGS, "payroll-results", old, NOW, NOW)
    assert seen["mirror"]["changed"] == 1
    await load(firm, "payroll", "payroll-results", old, NOW)
    assert await table(firm, rows) == [(99_999, "paid")]


@pytest.mark.capability("P3.4")
async def test_who_may_load_what_and_when_a_file_is_refused_whole(firm: Firm, tmp_path: Path) -> None:
    good = ["Pool", "IT", "2026-01-01", "2027-01-01", "EUR", "1000.50"]
    bad = ["Pool", "HR", "2026-01-01", "2027-01-01", "EUR", "1,000"]
    file = written(tmp_path / "b.csv", BUDGET, good, bad)
    for who in ("hr", "payroll", "itsm-admin", "ann"):
        await refused(firm, Code.ACCESS_DENIED, lambda who=who: load(firm, who, "budgets", file))
    no = await refused(firm, Code.BAD_INPUT, lambda: load(firm, "finance", "budgets", file), "1 of its 2 rows")
    assert "line 3" in no.what
    later = NOW + timedelta(seconds=1)
    await refused(firm, Code.BAD_INPUT, lambda: load(firm, "finance", "budgets", file, later), "later than now")
    none = written(tmp_path / "n.csv", BUDGET, bad)
    await refused(firm, Code.BAD_INPUT, lambda: load(firm, "finance", "budgets", none, partial=True), "No row")
    await refused(firm, Code.BAD_INPUT, lambda: load(firm, "finance", "budgets", file, None), "Nothing was loaded")
    done = await load(firm, "finance", "budgets", file, partial=True)
    assert (done["PASS"], done["REJECT"], done["faults"][0]["line"]) == (1, 1, 3)
    assert await table(firm, "select unit, currency, amount_minor from mirror.budget") == [("IT", "EUR", 100_050)]


async def test_what_a_crash_left_in_the_inbox_the_worker_mirrors_and_joins(
    firm: Firm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: Any) -> None:
        raise KeyboardInterrupt

    await bring_in(firm.store, organisation())
    file = written(tmp_path / "hr.csv", HIRED[:5], ["40001", "", "Dev", "1", "2024-01-01"])
    monkeypatch.setattr(drops, "drain", crash)
    with pytest.raises(KeyboardInterrupt):
        await load(firm, "hr", "employment", file)
    house = House(firm.store, firm.url, firm.log, firm.signer, SETTINGS, lambda: NOW)
    await feeds.drain_all(house)
    await rhythm.tend(house)
    assert [row[1] for row in await table(firm, PEOPLE)] == ["bea"]


@pytest.mark.capability("T3.1")
async def test_another_contract_reads_other_headers(firm: Firm, tmp_path: Path) -> None:
    own = shipped(Source.HRIS).replace("{from: employee_number,", "{from: Personalnummer,")
    author, other = firm.viewer("itsm-admin"), firm.viewer("second-admin")
    await contracts.propose(firm.store, firm.log, author, "hris", own, NOW)
    await contracts.try_on(firm.store, firm.log, author, SETTINGS, "hris", None, NOW)
    await contracts.activate(firm.store, firm.log, other, SETTINGS, "hris", None, NOW)
    file = written(tmp_path / "hr.csv", ["personalnummer", "starts_on"], ["40000", "2024-01-01"])
    assert (await load(firm, "hr", "employment", file))["PASS"] == 1
    assert await firm.value("select employee_number from mirror.employment") == "40000"
    await contracts.replay(firm.store, SETTINGS, lambda _: None, "hris", "", NOW)
    assert await firm.value("select employee_number from mirror.employment") == "40000"


async def agree(firm: Firm, body: str = AGREEMENT) -> None:
    author, other, known = firm.viewer("itsm-admin"), firm.viewer("second-admin"), await known_fields(firm)
    document = await agreements.propose(firm.store, firm.log, author, body, known, NOW)
    await agreements.try_on(firm.store, firm.log, author, document.name, None, known, NOW)
    await agreements.activate(firm.store, firm.log, other, document.name, None, NOW)


async def known_fields(firm: Firm) -> frozenset[str]:
    return await drops.vendor_fields(firm.store, SETTINGS)


@pytest.mark.capability("I6.3")
async def test_a_suppliers_file_needs_an_active_agreement_and_only_covered_fields_stay(
    firm: Firm, tmp_path: Path
) -> None:
    row = ["ACME cloud", "Gold", "Portal", "2026-10-01", "2026-11-01", "95", "100", "provisional"]
    file = written(tmp_path / "v.csv", VENDOR, row)
    vendor = version(MirrorKind.VENDOR, "acme", name="Acme Cloud")
    await bring_in(firm.store, [*organisation(), vendor])
    act = lambda: load(firm, "itsm-admin", "vendor-sla", file)  # noqa: E731
    await refused(firm, Code.NO_ACTIVE_AGREEMENT, act, "ACME cloud")
    author, known = firm.viewer("itsm-admin"), await known_fields(firm)
    await agreements.propose(firm.store, firm.log, author, AGREEMENT, known, NOW)
    await refused(firm, Code.NO_ACTIVE_AGREEMENT, act)
    report = await agreements.try_on(firm.store, firm.log, author, "acme", None, known, NOW)
    assert (report["holds"], report["days_left"], "service" in report["not_covered"]) == (True, 41, True)
    activate = lambda who: agreements.activate(firm.store, firm.log, firm.viewer(who), "acme", None, NOW)  # noqa: E731
    await refused(firm, Code.SOD_VIOLATION, lambda: activate("itsm-admin"))
    await activate("second-admin")
    (listed,) = await agreements.listed(firm.store, NOW)
    assert "ends in 41 days" in listed["warning"]
    done = await act()
    assert (done["WARN"], done["not_covered"], done["codes"]) == (1, ["service"], {"FIELD_NOT_COVERED": 1})
    rows = "select vendor_name, vendor_id is not null, service_id, met, total, status from mirror.vendor_sla_result"
    assert await table(firm, rows) == [("ACME cloud", True, None, 95, 100, "PROVISIONAL")]
    assert ("FIELD_NOT_COVERED", "service", "", "OPEN") in await table(firm, ISSUES)
    held = await firm.value("select string_agg(convert_from(body, 'UTF8'), '') from mirror.payload")
    inbox = await firm.value("select string_agg(convert_from(body, 'UTF8'), '') from inbox.delivery")
    assert '"service":"Portal"' not in held + inbox, "what no agreement covers is stored nowhere"

    stamped = [[*VENDOR, "updated_at"], [*row, "2026-11-19T00:00:00Z"]]
    newer = [[*VENDOR, "updated_at"], [*row, "2026-11-20T00:00:00Z"]]
    await load(firm, "itsm-admin", "vendor-sla", written(tmp_path / "s.csv", *stamped), None)
    seen = await drops.preview(firm.store, SETTINGS, "vendor-sla", written(tmp_path / "t.csv", *newer), None, NOW)
    assert seen["mirror"]["same"] == 1, "said again later, it is the same"

    second = AGREEMENT.replace("agreement: acme", "agreement: acme-two")
    with pytest.raises(Refused, match="acme with Acme Cloud is in force"):
        await agree(firm, second)
    await agreements.retire(firm.store, firm.log, author, "acme", NOW)
    later = written(tmp_path / "w.csv", VENDOR, [*row[:5], "96", *row[6:]])
    with pytest.raises(Refused, match="NO_ACTIVE_AGREEMENT"):
        await load(firm, "itsm-admin", "vendor-sla", later)


@pytest.mark.capability("I6.3")
def test_the_last_day_belongs_to_an_agreement_and_sixty_days_before_it_warns() -> None:
    agreement = read_agreement(AGREEMENT)
    day = lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC).date()  # noqa: E731
    assert [holds(agreement, day(at)) for at in ("2025-12-31", "2026-01-01", "2026-12-31", "2027-01-01")] == [
        False, True, True, False
    ]  # fmt: skip
    assert [days_left(agreement, day(at)) for at in ("2026-12-31", "2027-01-01", "2025-06-01")] == [1, 0, 365]
    assert warning(agreement, day("2026-11-01")) == ""
    assert "60 days" in warning(agreement, day("2026-11-02"))
    assert "has ended" in warning(agreement, day("2027-01-01"))


@pytest.mark.parametrize(
    ("swap", "place"),
    [
        (("until: 2026-12-31", "until: 2025-12-31"), ("until",)),
        (("parties: [Example AG, Acme Cloud Ltd]", "parties: [Example AG]"), ("parties",)),
        (("legal_basis:", "basis:"), ("basis",)),
        (("status]", "salary]"), ("fields",)),
    ],
)
async def test_what_is_no_agreement_is_refused_with_its_place(
    firm: Firm, swap: tuple[str, str], place: tuple[str, ...]
) -> None:
    with pytest.raises(Refused) as no:
        await agree(firm, AGREEMENT.replace(*swap))
    assert no.value.field == place
