"""The payout file and its manifest against the published example, and the values that are refused."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import payfile
from engine.notes import Checkpoint
from engine.payfile import HandOver, PayLine, csv_bytes, read_csv
from engine.refusal import Code, Refused
from engine.words import PayLineKind

DIGITS = {"EUR": 2, "JPY": 0, "KWD": 3}
SCHEMA = json.loads(Path("schema/contracts/payout-manifest.schema.json").read_text())


def line(number: int, employee: str, amount_minor: int, kind: PayLineKind, cost_center: str) -> PayLine:
    return PayLine(
        line_id=f"L{number:06}",
        employee_id=employee,
        company_code="C01",
        earning_code="INC",
        amount_minor=amount_minor,
        currency="EUR",
        effective_date=date(2026, 11, 30),
        cost_center=cost_center,
        award_ref=f"AW-2026-{number:06}",
        part_no=1,
        kind=kind,
    )


LINES = [
    line(1, "00010001", 6_000, PayLineKind.PAYOUT, "CC-001"),
    line(2, "00010002", 12_550, PayLineKind.PAYOUT, "CC-002"),
    line(3, "00010003", -2_500, PayLineKind.CLAWBACK, "CC-001"),
]
CSV = (
    b"line_id,employee_id,company_code,earning_code,amount,currency,effective_date,cost_center,award_ref,part_no,kind\r\n"
    b"L000001,00010001,C01,INC,60.00,EUR,2026-11-30,CC-001,AW-2026-000001,1,payout\r\n"
    b"L000002,00010002,C01,INC,125.50,EUR,2026-11-30,CC-002,AW-2026-000002,1,payout\r\n"
    b"L000003,00010003,C01,INC,-25.00,EUR,2026-11-30,CC-001,AW-2026-000003,1,clawback\r\n"
)
HAND_OVER = HandOver(
    issuer="evenhand.example",
    environment="production",
    receiver="payroll-de-01",
    file_id=UUID("0b9d5c1e-7a44-4a0e-9a3b-51f0c2f0a042"),
    sequence=42,
    previous_manifest_sha256="ab" * 32,
    supersedes=None,
    period_from=date(2026, 11, 1),
    period_to=date(2026, 11, 30),
    pay_date=date(2026, 11, 30),
    created_at=datetime(2026, 11, 21, 9, 5, tzinfo=UTC),
    expires_at=datetime(2026, 12, 15, tzinfo=UTC),
    final=True,
    approvals=(UUID("5d2f0c1a-9f0b-4f57-8a43-2f6f0f3f9d10"), UUID("c1b0a6de-44a3-4f6c-b7a7-6a1c3e5d8e21")),
    checkpoint=Checkpoint(
        "evenhand.example/audit/2026",
        7,
        bytes.fromhex("0b007fb915eb9b2a146f54b1c86ec53b664f8e455b7660b0b6ee13edc0d921c0"),
    ),
)


def vector_manifest() -> bytes:
    return payfile.manifest(HAND_OVER, [payfile.canonical_file(CSV)], LINES, DIGITS)


def test_the_published_lines_byte_for_byte_whatever_their_order() -> None:
    assert csv_bytes(reversed(LINES), DIGITS) == CSV
    assert len(CSV) == 351
    assert sha256(CSV).hexdigest() == "160be33db2479f6a4342ea6e60618d5aa77355a5334b44cfd422e5c6791703d0"
    assert read_csv(CSV, DIGITS) == LINES


def test_the_published_manifest_byte_for_byte() -> None:
    manifest = vector_manifest()
    assert len(manifest) == 1_262
    assert sha256(manifest).hexdigest() == "2f3ee5c557d615a9bb57650388409f76b7a274f63a41f952c03048ed5129574b"


def test_the_manifest_meets_its_contract_and_the_contract_refuses_what_it_does_not_know() -> None:
    checker = jsonschema.Draft202012Validator(SCHEMA)
    checker.check_schema(SCHEMA)
    body = json.loads(vector_manifest())
    assert list(checker.iter_errors(body)) == []
    wrong = [
        body | {"extra": 1},
        body | {"environment": "prod"},
        body | {"sequence": 0},
        body | {"previous_manifest_sha256": "ab"},
        body | {"audit": body["audit"] | {"approvals": body["audit"]["approvals"][:1]}},
        body | {"files": [body["files"][0] | {"name": "../payout.csv"}]},
        {name: value for name, value in body.items() if name != "controls"},
    ]
    assert [checker.is_valid(each) for each in wrong] == [False] * len(wrong)


def test_one_approval_is_not_enough() -> None:
    twice = replace(HAND_OVER, approvals=HAND_OVER.approvals[:1] * 2)
    with pytest.raises(Refused) as no:
        payfile.manifest(twice, [payfile.canonical_file(CSV)], LINES, DIGITS)
    assert no.value.code is Code.SOD_VIOLATION


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("line_id", "L00001"),
        ("line_id", "l000001"),
        ("employee_id", "=1+1"),
        ("employee_id", "+4915112345"),
        ("employee_id", "@SUM(A1)"),
        ("employee_id", "\t1"),
        ("employee_id", ""),
        ("employee_id", "a,b"),
        ("employee_id", "x" * 33),
        ("employee_id", "1\r\n2"),
        ("company_code", "c01"),
        ("earning_code", ""),
        ("currency", "eur"),
        ("cost_center", "-CC1"),
        ("cost_center", 'C"1'),
        ("award_ref", "AW-26-1"),
        ("award_ref", "AW-2026-000001\n"),
    ],
)
def test_a_value_outside_its_pattern_is_refused_with_the_line_and_the_column(column: str, value: str) -> None:
    with pytest.raises(Refused) as no:
        csv_bytes([replace(LINES[0], **{column: value})], DIGITS)  # type: ignore[arg-type]
    assert no.value.field[1] == column
    assert no.value.fix


@pytest.mark.parametrize("value", ["=1", "+1", "-1", "@1", "\t1", "\r1"])
def test_text_that_a_spreadsheet_would_run_is_named_as_such(value: str) -> None:
    with pytest.raises(Refused, match="formula"):
        csv_bytes([replace(LINES[0], cost_center=value)], DIGITS)


def test_amounts_that_say_nothing_or_the_opposite_are_refused() -> None:
    wrong = [
        replace(LINES[0], amount_minor=0),
        replace(LINES[0], amount_minor=-1),
        replace(LINES[2], amount_minor=1),
        replace(LINES[0], part_no=0),
        replace(LINES[0], currency="XXX"),
    ]
    for each in wrong:
        with pytest.raises(Refused):
            csv_bytes([each], DIGITS)


def test_a_line_id_twice_is_refused() -> None:
    with pytest.raises(Refused, match="stands twice"):
        csv_bytes([*LINES, replace(LINES[1], employee_id="9")], DIGITS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"60.00", b"60.0"),
        (b"60.00", b"060.00"),
        (b"60.00", b"60,00"),
        (b"60.00", b"6e1"),
        (b"60.00", b""),
        (b"-25.00", b"-0.00"),
        (b"\r\n", b"\n"),
        (b"line_id,", b"\xef\xbb\xbfline_id,"),
        (b",1,payout", b",01,payout"),
        (b",1,payout", b",1,PAYOUT"),
        (b"2026-11-30", b"20261130"),
        (b"2026-11-30", b"2026-11-31"),
        (b"L000002", b"L000000"),
        (b"L000003", b"L000002"),
        (b"clawback\r\n", b"clawback"),
        (b"00010001", b"\xff"),
        (b"EUR", b"EU"),
        (b"C01", b"C\x0001"),
    ],
)
def test_a_file_in_another_spelling_is_refused(old: bytes, new: bytes) -> None:
    assert old in CSV
    with pytest.raises(Refused):
        read_csv(CSV.replace(old, new, 1), DIGITS)


@pytest.mark.parametrize("content", [b"", b"\r\n", b"\r\n\r\n", CSV[:100], CSV + b"\r\n", CSV + CSV])
def test_a_file_with_too_little_or_too_much_is_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        read_csv(content, DIGITS)


@given(st.integers(-(10**15), 10**15), st.integers(0, 4))
def test_an_amount_is_written_with_exactly_the_digits_of_its_currency(amount_minor: int, exponent: int) -> None:
    text = payfile.amount_text(amount_minor, exponent)
    assert len(text.partition(".")[2]) == exponent
    assert int(text.replace(".", "")) == amount_minor
    assert text.startswith("-") == (amount_minor < 0)


@given(st.lists(st.tuples(st.integers(-(10**9), 10**9).filter(bool), st.sampled_from(sorted(DIGITS))), max_size=12))
@settings(max_examples=60, deadline=None)
def test_totals_follow_from_the_lines_of_any_file(amounts: list[tuple[int, str]]) -> None:
    lines = [
        replace(line(number, f"p{number % 3}", amount_minor, PayLineKind.CORRECTION, ""), currency=currency)
        for number, (amount_minor, currency) in enumerate(amounts)
    ]
    content = csv_bytes(lines, DIGITS)
    assert read_csv(content, DIGITS) == lines
    totals = json.loads(json.dumps(payfile.controls(lines, DIGITS)))
    assert totals["records"] == len(lines) == sum(each["records"] for each in totals["by_currency"])
    for each in totals["by_currency"]:
        net_minor = sum(amount for amount, currency in amounts if currency == each["currency"])
        assert int(each["credit_minor"]) - int(each["debit_minor"]) == int(each["net_minor"]) == net_minor


def test_the_total_over_employees_counts_lines_and_takes_ids_that_are_not_numbers() -> None:
    same_person = [replace(each, employee_id="7") for each in LINES]
    assert payfile.controls(same_person, DIGITS)["employee_hash_total"] == "21"
    assert payfile.controls(same_person, DIGITS)["distinct_employees"] == 1
    named = [replace(LINES[0], employee_id="E7"), LINES[1]]
    expected = sum(int.from_bytes(sha256(x).digest()[:8], "big") for x in (b"E7", b"00010002")) % 2**64
    assert payfile.controls(named, DIGITS)["employee_hash_method"] == "sha256-64"
    assert payfile.controls(named, DIGITS)["employee_hash_total"] == str(expected)
