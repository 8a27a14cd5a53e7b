"""Rows of files, one by one: what they say, what is wrong with them and where, and that nothing of a text is lost."""

import csv
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.contracts import read_contract
from connectors.files import sheet
from connectors.files.contract import shipped
from connectors.files.drop import Judgement, Reading, judge, pages
from engine.money import CURRENCY_DIGITS, minor_decimal, minor_units
from engine.refusal import Code, Refused
from engine.words import Source

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
EMPLOYED = ["employee_number", "email", "legal_entity", "cost_center", "job", "grade", "full_time_share", "starts_on",
            "ends_on"]  # fmt: skip
VENDOR = ["vendor", "agreement", "period_starts_on", "period_ends_on", "met", "total", "status"]


def reading(source: Source, as_of: datetime | None = AS_OF, swap: tuple[str, str] = ("", ""), **more: Any) -> Reading:
    contract = read_contract(source, shipped(source).replace(*swap))
    return Reading(contract.tool, contract.terms.rules, as_of, NOW, **more)


def written(folder: Path, *rows: Sequence[str], **how: Any) -> Path:
    file = folder / "drop.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out, **how).writerows(rows)
    return file


def said(found: Judgement) -> list[tuple[int, str, str, str]]:
    return [(f.line, f.column, f.code, f.verdict.value) for f in sorted(found.faults, key=lambda f: f.line)]


def counts(found: Judgement) -> dict[str, int]:
    return {verdict.value: count for verdict, count in found.verdicts.items() if count}


def taken(file: Path, how: Reading) -> list[dict[str, Any]]:
    return [record for page in pages(judge(file, how), how) for record in orjson.loads(page.body)]


@pytest.mark.capability("T3.1")
def test_every_row_is_judged_alone_with_its_line_and_column(tmp_path: Path) -> None:
    how = reading(Source.HRIS)
    file = written(
        tmp_path,
        EMPLOYED,
        ["4001", "", "DE", "10", "Dev\nOps", "5", "0.8", "2024-01-01", ""],
        ["4002", "", "DE", "10", "Ops", "5", "80%", "2024-01-01", ""],
        ["4003", "", "DE", "10", "Ops", "5", "1", "2024-01-01", "2023-12-31"],
        ["", "", "DE", "10", "Ops", "5", "1", "2024-01-01", ""],
        ["4004", "", "DE", "10", "Ops", "5", "1", "", ""],
        ["4005", "", "DE"],
        ["", "Ann@Example.com", "DE", "10", "=SUM(A1)", "5", "1", "2024-01-01", ""],
    )
    found = judge(file, how)
    assert (found.rows, counts(found)) == (7, {"PASS": 2, "REJECT": 5})
    assert said(found) == [
        (4, "full_time_share", "MALFORMED", "REJECT"),  # line 2 holds a line break
        (5, "ends_on", "TIME_ORDER", "REJECT"),
        (6, "employee_number", "REQUIRED_FIELD_MISSING", "REJECT"),
        (7, "starts_on", "REQUIRED_FIELD_MISSING", "REJECT"),
        (8, "", "MALFORMED", "REJECT"),
    ]
    assert all(fault.what and fault.fix for fault in found.faults)
    jobs = [record["job"] for record in taken(file, how)]
    assert jobs == ["Dev\nOps", "=SUM(A1)"], "a formula is text and stays what was written"
    assert set(found.taken) == {"employee_number=4001|2024-01-01", "email=ann@example.com|2024-01-01"}


def test_the_same_row_twice_is_taken_once_and_two_of_one_key_not_at_all(tmp_path: Path) -> None:
    how = reading(Source.FINANCE)
    head = ["name", "unit", "period_starts_on", "period_ends_on", "currency", "amount"]
    one = ["Bonus", "IT", "2026-01-01", "2027-01-01", "EUR", "100.00"]
    other = [*one[:-1], "100.01"]
    third = ["Bonus", "HR", "2026-01-01", "2027-01-01", "EUR", "7"]
    found = judge(written(tmp_path, head, one, third, one), how)
    assert counts(found) == {"PASS": 2, "WARN": 1}
    assert said(found) == [(4, "", "DUPLICATE_ROW", "WARN")]
    for order in ([one, one, other, one, third], [other, third, one, one, one]):
        found = judge(written(tmp_path, head, *order), how)
        assert counts(found) == {"PASS": 1, "REJECT": 4}
        assert [record["unit"] for record in taken(written(tmp_path, head, *order), how)] == ["HR"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"\xff\xfee\x00m\x00", "UTF-16"),
        (b"PK\x03\x04rest", "spreadsheet"),
        (b"employee_number;starts_on\n1;2024-01-01\n", "columns are missing"),
        (b"employee_number,starts_on,Starts_On\n", "twice"),
        (b'employee_number,starts_on\n1,2024-01-01\n"2,2024-01-01\n', "From line 3 on"),
        (b"employee_number,starts_on\n1," + b"2" * 200_000, "From line 2 on"),
    ],
)
def test_what_is_no_such_file_is_refused_with_its_place(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "odd.csv"
    file.write_bytes(content)
    with pytest.raises(Refused) as no:
        judge(file, reading(Source.HRIS))
    assert no.value.code is Code.BAD_INPUT
    assert says in no.value.what
    assert no.value.fix


def test_marks_line_ends_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    file.write_bytes(
        b"\xef\xbb\xbfEmployee_Number , starts_on,notes\r\n4001,2024-01-01,x\r\n\r\n"
        b"40\xe902,2024-01-01,x\r\n40\x0003,2024-01-01,x\r\n4004,2024-01-01,x"
    )
    found = judge(file, reading(Source.HRIS))
    assert counts(found) == {"PASS": 2, "REJECT": 2}
    assert [(f.line, f.column) for f in found.faults] == [(4, "Employee_Number"), (5, "Employee_Number")]
    assert ("utf-8" in found.faults[0].what, "NUL" in found.faults[1].what) == (True, True)
    assert "\0" not in found.faults[1].value
    assert found.sheet.ignored == ("notes",), "what no contract names is not read"
    file.write_bytes("employee_number;starts_on;job\n1;2024-01-01;Büro €\n".encode("cp1252"))
    how = reading(Source.HRIS, swap=('utf-8, delimiter: ","', 'windows-1252, delimiter: ";"'))
    assert [record["job"] for record in taken(file, how)] == ["Büro €"]


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "LARGEST_BYTES", 100)
    with pytest.raises(Refused) as no:
        judge(written(tmp_path, ["employee_number", "starts_on"], ["1" * 99, "2024-01-01"]), reading(Source.HRIS))
    assert no.value.code is Code.INPUT_TOO_LARGE


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
                                         max_size=12)] * 3), max_size=8),
       how=st.sampled_from([{}, {"quoting": csv.QUOTE_ALL}]))  # fmt: skip
def test_whatever_pythons_writer_writes_comes_back(
    rows: list[tuple[str, str, str]], how: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    body = [[str(number), *cells, "2024-01-01"] for number, cells in enumerate(rows)]
    folder = tmp_path_factory.mktemp("csv")
    file = written(folder, ["employee_number", "job", "grade", "cost_center", "starts_on"], *body, **how)
    found = taken(file, reading(Source.HRIS))
    told = [{"employee_number": number, "job": a, "grade": b, "cost_center": c} for number, a, b, c, _ in body]
    told = [{name: text for name, text in each.items() if text.strip()} for each in told]
    assert [{name: text for name, text in each.items() if name != "starts_on"} for each in found] == told


@given(minor=st.integers(-(10**17), 10**17), currency=st.sampled_from(sorted(CURRENCY_DIGITS)))
def test_money_comes_back_to_the_last_unit(minor: int, currency: str) -> None:
    assert minor_units(minor_decimal(minor, currency), currency) == minor


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**9, places=3))
def test_money_is_exact_or_refused(amount: Decimal) -> None:
    for currency, digits in (("EUR", 2), ("JPY", 0), ("KWD", 3)):
        exact = Fraction(amount) * 10**digits
        if exact.denominator == 1:
            assert minor_units(f"{amount:f}", currency) == exact
        else:
            with pytest.raises(Refused, match="digits after the point"):
                minor_units(f"{amount:f}", currency)


@pytest.mark.parametrize("amount", ["1,250.50", "1.250,50", "1e3", "EUR 5", ".5", "5.", "١٢", "NaN", "--1", "+1", ""])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(Refused):
        minor_units(amount, "EUR")


@pytest.mark.capability("I6.3")
def test_without_an_agreement_no_row_and_without_cover_no_field_of_a_supplier(tmp_path: Path) -> None:
    covered = frozenset({"agreement", "period_starts_on", "period_ends_on", "met", "total", "status"})
    how = reading(Source.VENDOR, cover=lambda vendor: covered if vendor == "Acme" else None)
    acme = ["Acme", "Gold", "2026-01-01", "2026-02-01", "90", "100", "Final"]
    file = written(tmp_path, [*VENDOR, "metric"], [*acme, "restore"], ["Other", *acme[1:], ""], [*acme[:4], "9", "8",
                   "final", ""])  # fmt: skip
    found = judge(file, how)
    assert said(found) == [
        (2, "metric", "FIELD_NOT_COVERED", "WARN"),
        (3, "vendor", "NO_ACTIVE_AGREEMENT", "REJECT"),
        (4, "met", "MALFORMED", "REJECT"),
    ]
    assert (dict(found.without_agreement), dict(found.not_covered)) == ({"Other": 1}, {"metric": 1})
    (record,) = taken(file, how)
    assert "restore" not in record.values(), "what is not covered is nowhere in what is kept"
    assert record["not_covered"] == ["metric"]


def test_a_moment_of_its_own_later_than_now_or_none_at_all(tmp_path: Path) -> None:
    cover = frozenset(["agreement", "period_starts_on", "period_ends_on", "met", "total", "status"])
    how = reading(Source.VENDOR, None, cover=lambda _: cover)
    rows = [["Acme", str(n), "2026-01-01", "2026-02-01", "1", "1", "final", at]
            for n, at in enumerate(["2026-02-05T10:00:00+01:00", "2026-03-03", "", "soon"])]  # fmt: skip
    found = judge(written(tmp_path, [*VENDOR, "updated_at"], *rows), how)
    assert [f[:3] for f in said(found)] == [
        (3, "as_of", "TIME_ORDER"), (4, "as_of", "REQUIRED_FIELD_MISSING"), (5, "as_of", "MALFORMED")
    ]  # fmt: skip
    ((_, _, version, _),) = found.taken.values()
    assert version == int(datetime(2026, 2, 5, 9, tzinfo=UTC).timestamp()) * 1_000_000


def test_dates_stay_dates() -> None:
    contract = reading(Source.HRIS).contract
    (starts,) = [field for field in contract.fields if field.name == "starts_on"]
    assert starts.read("2024-02-29", {}) == date(2024, 2, 29)


@pytest.mark.parametrize(
    ("swap", "place"),
    [
        (("as: share", "as: percent"), ("fields", "full_time_share", "as")),
        (("job: {", "title: {"), ("fields", "title")),
        (('delimiter: ","', 'delimiter: "#"'), ("file", "delimiter")),
        (("utf-8", "ebcdic"), ("file", "encoding")),
        (("starts_on]", "begins_on]"), ("key", "1")),
        (("most_rejected: 0.02", "most_rejected: 2"), ("file", "most_rejected")),
        (("field: ends_on", "field: stops_on"), ("rules", "EMPLOYMENT", "0", "field")),
    ],
)
def test_a_contract_of_files_that_is_wrong_says_where(swap: tuple[str, str], place: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as no:
        read_contract(Source.HRIS, shipped(Source.HRIS).replace(*swap))
    assert no.value.field == place
