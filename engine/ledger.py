"""The books of variable pay: which event moves which accounts, and exports that outside programs check.

Decides: the postings of each event, as data in `RULES`. Double entry, balanced per currency and per award.
Units: whole minor units; debit is positive, credit is negative. A booking is never edited; a reversal is a new one.
The exports follow the plain-text formats of beancount and hledger; they hold the whole ledger and the same entries give
the same bytes. Outside: employer on-costs, tax, exchange differences. Vendor credits never net with pay.
Refuses: amounts of zero, an amount whose sign the event does not allow, journals that do not balance.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from engine.payfile import amount_text
from engine.refusal import Code, Refused

ACCRUAL_COST = "Expenses:Incentive:Accrual"
TRUE_UP_COST = "Expenses:Incentive:TrueUp"
MALUS = "Expenses:Incentive:Malus"
FORFEITED = "Expenses:Incentive:Forfeited"
CLAWBACK = "Expenses:Incentive:Clawback"
WRITTEN_OFF = "Expenses:Incentive:WrittenOff"
ESTIMATED = "Liabilities:Incentive:Estimated"
ACCRUED = "Liabilities:Incentive:Accrued"
VESTED = "Liabilities:Incentive:Vested"
IN_PAYROLL = "Liabilities:Incentive:InPayroll"
CLEARING = "Assets:PayrollClearing"
RECEIVABLE = "Assets:Incentive:ClawbackReceivable"
VENDOR_RECEIVABLE = "Assets:Vendor:CreditReceivable"
VENDOR_PAYABLE = "Liabilities:Vendor:Payable"
SERVICE_CREDIT = "Income:Vendor:ServiceCredit"


class Event(StrEnum):
    ACCRUAL = "accrual"
    AWARD = "award"
    TRUE_UP = "true-up"
    VEST = "vest"
    MALUS_BEFORE_VEST = "malus-before-vest"
    MALUS_AFTER_VEST = "malus-after-vest"
    FORFEITURE = "forfeiture"
    RELEASE = "release"
    PAID = "paid"
    REJECTED = "rejected"
    CLAWBACK_DECIDED = "clawback-decided"
    CLAWBACK_WAIVED = "clawback-waived"
    VENDOR_CREDIT_CLAIMED = "vendor-credit-claimed"
    VENDOR_CREDIT_NOTE = "vendor-credit-note"
    REVERSAL = "reversal"


class Rule(NamedTuple):
    """Debit and credit account of a positive amount; `negative` are those of a negative one, if it may be."""

    debit: str
    credit: str
    negative: tuple[str, str] | None = None


# A negative line of a payout file takes money back: it moves the receivable of a clawback, not the vested award.
RULES: Mapping[Event, Rule] = {
    Event.ACCRUAL: Rule(ACCRUAL_COST, ESTIMATED),
    Event.AWARD: Rule(ESTIMATED, ACCRUED),
    Event.TRUE_UP: Rule(TRUE_UP_COST, ESTIMATED, negative=(ESTIMATED, TRUE_UP_COST)),
    Event.VEST: Rule(ACCRUED, VESTED),
    Event.MALUS_BEFORE_VEST: Rule(ACCRUED, MALUS),
    Event.MALUS_AFTER_VEST: Rule(VESTED, MALUS),
    Event.FORFEITURE: Rule(ACCRUED, FORFEITED),
    Event.RELEASE: Rule(VESTED, IN_PAYROLL, negative=(IN_PAYROLL, RECEIVABLE)),
    Event.PAID: Rule(IN_PAYROLL, CLEARING, negative=(CLEARING, IN_PAYROLL)),
    Event.REJECTED: Rule(IN_PAYROLL, VESTED, negative=(RECEIVABLE, IN_PAYROLL)),
    Event.CLAWBACK_DECIDED: Rule(RECEIVABLE, CLAWBACK),
    Event.CLAWBACK_WAIVED: Rule(WRITTEN_OFF, RECEIVABLE),
    Event.VENDOR_CREDIT_CLAIMED: Rule(VENDOR_RECEIVABLE, SERVICE_CREDIT),
    Event.VENDOR_CREDIT_NOTE: Rule(VENDOR_PAYABLE, VENDOR_RECEIVABLE),
}

ACCOUNTS = tuple(sorted({account for rule in RULES.values() for account in (rule.debit, rule.credit)}))
ACCOUNT_KINDS = {"Assets": "asset", "Liabilities": "liability", "Income": "income", "Expenses": "expense"}


@dataclass(frozen=True)
class Part:
    """One amount of an event. In a payout file it is one line, with the sign that the line has."""

    amount_minor: int
    award_ref: str | None = None
    line_id: str | None = None


@dataclass(frozen=True)
class Posting:
    account: str
    amount_minor: int
    award_ref: str | None
    line_id: str | None


@dataclass(frozen=True)
class Journal:
    """One booked event in one currency. `(event, source_key, currency)` is unique, so booking twice changes nothing."""

    booked_on: date
    event: Event
    source_key: str
    currency: str
    postings: tuple[Posting, ...]
    memo: str = ""
    audit_index: int | None = None


def journal(
    event: Event, source_key: str, currency: str, parts: Sequence[Part], *, booked_on: date, memo: str = ""
) -> Journal:
    """The postings of an event; two for each part, in the order of the parts."""
    postings = tuple(posting for part in parts for posting in _postings(event, part))
    return require_balanced(Journal(booked_on, event, source_key, currency, postings, memo))


def reversal(of: Journal, source_key: str, *, booked_on: date, memo: str = "") -> Journal:
    """The booking that takes back another one; the original stays."""
    back = tuple(Posting(each.account, -each.amount_minor, each.award_ref, each.line_id) for each in of.postings)
    return require_balanced(Journal(booked_on, Event.REVERSAL, source_key, of.currency, back, memo))


def require_balanced(entry: Journal) -> Journal:
    """The journal itself; refused unless every award in it sums to nothing and it says something."""
    if len(entry.postings) < 2:
        raise _bad(entry, "has fewer than two postings", "Book an event with at least one part.")
    sums: dict[str | None, int] = {}
    for each in entry.postings:
        if each.account not in ACCOUNTS:
            raise _bad(entry, f"uses the unknown account {each.account}", "Use an account of the chart.")
        if each.amount_minor == 0:
            raise _bad(entry, "has a posting of zero", "Leave the part out.")
        sums[each.award_ref] = sums.get(each.award_ref, 0) + each.amount_minor
    for award_ref, off_minor in sums.items():
        if off_minor:
            raise _bad(entry, f"is off by {off_minor} for {award_ref or 'no award'}", "Book both sides of each part.")
    return entry


def balances(entries: Iterable[Journal]) -> dict[tuple[str, str], int]:
    """Minor units by account and currency, including accounts that have come back to zero."""
    totals: dict[tuple[str, str], int] = {}
    for entry in entries:
        for each in entry.postings:
            key = (each.account, entry.currency)
            totals[key] = totals.get(key, 0) + each.amount_minor
    return dict(sorted(totals.items()))


def beancount_text(entries: Sequence[Journal], exponents: Mapping[str, int]) -> str:
    """The ledger for `bean-check`: accounts, one transaction per line or award, then what each account must hold."""
    ordered = _ordered(entries)
    if not ordered:
        return ""
    opened, closed = ordered[0].booked_on, ordered[-1].booked_on + timedelta(days=1)
    held = balances(ordered)
    text = [f"{opened} open {account}" for account in sorted({account for account, _ in held})]
    for entry in ordered:
        for what, award_ref, postings in _transactions(entry):
            link = f" ^{award_ref}" if award_ref else ""
            text += ["", f'{entry.booked_on} * "{entry.event}" "{what}"{link}', f'  source_key: "{entry.source_key}"']
            if entry.audit_index is not None:
                text.append(f'  audit_index: "{entry.audit_index}"')
            text += [f"  {each.account}  {_amount(each.amount_minor, entry.currency, exponents)}" for each in postings]
    # A balance holds at the start of its day, so it stands on the day after the last booking. Without `~ 0` beancount
    # would tolerate one unit of the last digit.
    text += ["", *(f"{closed} balance {a}  {_exactly(minor, c, exponents)}" for (a, c), minor in held.items())]
    return "\n".join(text) + "\n"


def hledger_text(entries: Sequence[Journal], exponents: Mapping[str, int]) -> str:
    """The ledger for `hledger check -s`, which wants every account and commodity declared."""
    ordered = _ordered(entries)
    held = balances(ordered)
    text = [f"commodity {_amount(1_000 * 10 ** exponents[c], c, exponents, '.')}" for c in sorted({c for _, c in held})]
    text += [f"account {account}" for account in sorted({account for account, _ in held})]
    for entry in ordered:
        for what, award_ref, postings in _transactions(entry):
            tags = f"source_key: {entry.source_key}" + (f", award: {award_ref}" if award_ref else "")
            text += ["", f"{entry.booked_on} * {entry.event} | {what}  ; {tags}"]
            text += [
                f"    {each.account}  {_amount(each.amount_minor, entry.currency, exponents)}" for each in postings
            ]
    return "\n".join(text) + "\n"


_PLAIN = re.compile(r"[A-Za-z0-9 ._:/()-]{0,200}")


def _postings(event: Event, part: Part) -> tuple[Posting, Posting]:
    rule = RULES.get(event)
    accounts = None if rule is None else (rule.debit, rule.credit) if part.amount_minor > 0 else rule.negative
    if accounts is None:
        raise Refused(
            Code.LEDGER_UNBALANCED,
            f"The event {event} cannot book {part.amount_minor} for {part.award_ref or part.line_id or 'no award'}.",
            "Pass the size of the amount under the event that says its direction; reverse a booking with `reversal`.",
        )
    size_minor = abs(part.amount_minor)
    return (
        Posting(accounts[0], size_minor, part.award_ref, part.line_id),
        Posting(accounts[1], -size_minor, part.award_ref, part.line_id),
    )


def _ordered(entries: Iterable[Journal]) -> list[Journal]:
    order = list(Event)
    return sorted(entries, key=lambda each: (each.booked_on, order.index(each.event), each.source_key, each.currency))


def _transactions(entry: Journal) -> list[tuple[str, str | None, list[Posting]]]:
    """One per line or award: what to call it, its award, its postings."""
    named = sorted(entry.postings, key=lambda each: (each.line_id or "", each.award_ref or ""))
    found = []
    for (line_id, award_ref), postings in groupby(named, key=lambda each: (each.line_id, each.award_ref)):
        what = (line_id or award_ref or entry.source_key) + (f" in {entry.memo}" if entry.memo else "")
        if not _PLAIN.fullmatch(what) or not _PLAIN.fullmatch(entry.source_key):
            raise _bad(entry, "has a name that an export cannot carry", "Use letters, digits, spaces and ._:/()-.")
        found.append((what, award_ref, list(postings)))
    return found


def _amount(amount_minor: int, currency: str, exponents: Mapping[str, int], end: str = "") -> str:
    number = amount_text(amount_minor, exponents[currency])
    return f"{number}{'' if '.' in number else end} {currency}"


def _exactly(amount_minor: int, currency: str, exponents: Mapping[str, int]) -> str:
    return f"{amount_text(amount_minor, exponents[currency])} ~ 0 {currency}"


def _bad(entry: Journal, what: str, fix: str) -> Refused:
    return Refused(Code.LEDGER_UNBALANCED, f"The booking {entry.event} {entry.source_key} {what}.", fix)
