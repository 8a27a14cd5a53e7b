"""The worked example of a quarter balances here and in two outside bookkeeping programs, and one cent off does not."""

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import ledger
from engine.ledger import Event, Journal, Part, Posting
from engine.refusal import Code, Refused

DIGITS = {"EUR": 2, "JPY": 0}
FIRST, SECOND, TAKEN_BACK = "AW-2026-000001", "AW-2026-000002", "AW-2026-000003"


def book(month: int, day: int, event: Event, source_key: str, *parts: Part, memo: str = "") -> Journal:
    return ledger.journal(event, source_key, "EUR", parts, booked_on=date(2026, month, day), memo=memo)


def quarter() -> list[Journal]:
    lines = (Part(6_000, FIRST, "L000001"), Part(12_550, SECOND, "L000002"), Part(-2_500, TAKEN_BACK, "L000003"))
    return [
        book(10, 31, Event.ACCRUAL, "2026-Q4", Part(30_000)),
        book(11, 5, Event.AWARD, FIRST, Part(20_000, FIRST)),
        book(11, 5, Event.AWARD, SECOND, Part(12_550, SECOND)),
        book(11, 10, Event.VEST, f"{FIRST}/1", Part(12_000, FIRST)),
        book(11, 10, Event.VEST, f"{SECOND}/1", Part(12_550, SECOND)),
        book(11, 12, Event.MALUS_AFTER_VEST, f"{FIRST}/1", Part(6_000, FIRST)),
        book(11, 15, Event.CLAWBACK_DECIDED, TAKEN_BACK, Part(2_500, TAKEN_BACK)),
        book(11, 18, Event.FORFEITURE, f"{FIRST}/2", Part(8_000, FIRST)),
        book(11, 21, Event.RELEASE, "file 42", *lines, memo="file 42"),
        book(11, 22, Event.VENDOR_CREDIT_CLAIMED, "claim-7", Part(100_000)),
        book(11, 28, Event.VENDOR_CREDIT_NOTE, "note-7", Part(100_000)),
        book(11, 30, Event.PAID, "ack 42", *lines, memo="file 42"),
        book(11, 30, Event.TRUE_UP, "2026-11", Part(2_550)),
    ]


def test_the_worked_example_ends_in_its_balances() -> None:
    held = {account: minor for (account, _), minor in ledger.balances(quarter()).items()}
    assert held == {
        ledger.ACCRUAL_COST: 30_000,
        ledger.TRUE_UP_COST: 2_550,
        ledger.MALUS: -6_000,
        ledger.FORFEITED: -8_000,
        ledger.CLAWBACK: -2_500,
        ledger.CLEARING: -16_050,
        ledger.ESTIMATED: 0,
        ledger.ACCRUED: 0,
        ledger.VESTED: 0,
        ledger.IN_PAYROLL: 0,
        ledger.RECEIVABLE: 0,
        ledger.VENDOR_RECEIVABLE: 0,
        ledger.VENDOR_PAYABLE: 100_000,
        ledger.SERVICE_CREDIT: -100_000,
    }
    assert sum(held.values()) == 0


def test_after_release_and_before_the_acknowledgement_payroll_holds_the_net_of_the_file() -> None:
    released = [entry for entry in quarter() if entry.booked_on <= date(2026, 11, 21)]
    assert ledger.balances(released)[(ledger.IN_PAYROLL, "EUR")] == -16_050


def test_a_rejected_file_gives_back_what_its_release_took() -> None:
    lines = (Part(6_000, FIRST, "L000001"), Part(-2_500, TAKEN_BACK, "L000003"))
    both = [book(11, 21, Event.RELEASE, "file 1", *lines), book(11, 22, Event.REJECTED, "ack 1", *lines)]
    assert set(ledger.balances(both).values()) == {0}


def test_a_reversal_takes_back_every_event() -> None:
    for entry in quarter():
        back = ledger.reversal(entry, f"undo {entry.source_key}", booked_on=date(2026, 12, 1))
        assert set(ledger.balances([entry, back]).values()) == {0}


def test_a_negative_true_up_books_the_other_way_round() -> None:
    down = book(11, 30, Event.TRUE_UP, "2026-11", Part(-100))
    assert ledger.balances([down]) == {(ledger.TRUE_UP_COST, "EUR"): -100, (ledger.ESTIMATED, "EUR"): 100}


@pytest.mark.parametrize("event", [event for event, rule in ledger.RULES.items() if rule.negative is None])
def test_an_amount_below_zero_is_refused_where_the_event_gives_it_no_meaning(event: Event) -> None:
    with pytest.raises(Refused) as no:
        book(11, 1, event, "x", Part(-1, FIRST))
    assert no.value.code is Code.LEDGER_UNBALANCED


def test_every_event_has_a_rule_and_every_account_a_kind() -> None:
    assert set(ledger.RULES) | {Event.REVERSAL} == set(Event)
    assert {account.split(":")[0] for account in ledger.ACCOUNTS} == set(ledger.ACCOUNT_KINDS)


def journal_of(*postings: tuple[str, int, str | None]) -> Journal:
    return Journal(
        date(2026, 1, 1), Event.VEST, "x", "EUR", tuple(Posting(a, minor, award, None) for a, minor, award in postings)
    )


@pytest.mark.parametrize(
    "wrong",
    [
        journal_of((ledger.ACCRUED, 100, FIRST), (ledger.VESTED, -99, FIRST)),
        journal_of((ledger.ACCRUED, 100, FIRST), (ledger.VESTED, -100, SECOND)),
        journal_of((ledger.ACCRUED, 0, FIRST), (ledger.VESTED, 0, FIRST)),
        journal_of(("Assets:Pocket", 1, FIRST), (ledger.VESTED, -1, FIRST)),
        journal_of(),
    ],
)
def test_a_journal_that_does_not_balance_for_each_award_is_refused(wrong: Journal) -> None:
    with pytest.raises(Refused):
        ledger.require_balanced(wrong)


def test_no_parts_zero_parts_and_direct_reversals_are_refused() -> None:
    for event, parts in ((Event.VEST, ()), (Event.RELEASE, (Part(0, FIRST),)), (Event.REVERSAL, (Part(1),))):
        with pytest.raises(Refused):
            book(11, 1, event, "x", *parts)


def test_the_order_of_the_entries_does_not_change_the_export() -> None:
    for export in (ledger.beancount_text, ledger.hledger_text):
        assert export(quarter()[::-1], DIGITS) == export(quarter(), DIGITS)
    assert (
        '2026-11-21 * "release" "L000001 in file 42" ^AW-2026-000001\n'
        '  source_key: "file 42"\n'
        "  Liabilities:Incentive:Vested  60.00 EUR\n"
        "  Liabilities:Incentive:InPayroll  -60.00 EUR\n"
    ) in ledger.beancount_text(quarter(), DIGITS)
    assert "2026-12-01 balance Assets:PayrollClearing  -160.50 ~ 0 EUR\n" in ledger.beancount_text(quarter(), DIGITS)


@pytest.mark.parametrize("name", ['a"b', "a\nb", "a;b", "a|b", "ä", "x" * 201])
def test_a_name_that_would_break_an_export_is_refused(name: str) -> None:
    with pytest.raises(Refused):
        ledger.beancount_text([book(11, 1, Event.ACCRUAL, name, Part(1))], DIGITS)


BEAN_CHECK = Path(sys.executable).parent / "bean-check"


def bean_check(text: str, folder: Path) -> int:
    (folder / "books.beancount").write_text(text)
    return subprocess.run([BEAN_CHECK, "--no-cache", folder / "books.beancount"], capture_output=True).returncode


def test_beancount_accepts_the_export_and_refuses_it_one_cent_off(tmp_path: Path) -> None:
    text = ledger.beancount_text(quarter(), DIGITS)
    assert bean_check(text, tmp_path) == 0
    assert bean_check(text.replace("InPayroll  -60.00", "InPayroll  -60.01"), tmp_path) != 0
    assert bean_check(text.replace("PayrollClearing  -160.50", "PayrollClearing  -160.49"), tmp_path) != 0


def test_beancount_accepts_a_currency_without_cents(tmp_path: Path) -> None:
    yen = ledger.journal(Event.ACCRUAL, "2026-Q4", "JPY", [Part(30_000)], booked_on=date(2026, 10, 31))
    assert bean_check(ledger.beancount_text([*quarter(), yen], DIGITS), tmp_path) == 0


@pytest.mark.skipif(shutil.which("hledger") is None, reason="hledger is not installed; beancount checks the same books")
def test_hledger_accepts_the_export_and_refuses_it_one_cent_off(tmp_path: Path) -> None:
    yen = ledger.journal(Event.ACCRUAL, "2026-Q4", "JPY", [Part(30_000)], booked_on=date(2026, 10, 31))
    text = ledger.hledger_text([*quarter(), yen], DIGITS)

    def check(journal: str) -> int:
        (tmp_path / "books.journal").write_text(journal)
        run = ["hledger", "-f", str(tmp_path / "books.journal"), "check", "-s"]
        return subprocess.run(run, capture_output=True).returncode

    assert check(text) == 0
    assert check(text.replace("InPayroll  -60.00", "InPayroll  -60.01")) != 0


@given(st.lists(st.tuples(st.sampled_from(sorted(ledger.RULES)), st.integers(1, 10**12)), min_size=1, max_size=20))
def test_any_history_of_events_sums_to_zero(history: list[tuple[Event, int]]) -> None:
    entries = [book(11, 1, event, f"k{i}", Part(minor, FIRST)) for i, (event, minor) in enumerate(history)]
    assert sum(ledger.balances(entries).values()) == 0
