"""The books: every act moves what it should and nothing else, and the ledger itself refuses what does not balance."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.actions import awards, books
from engine.ledger import Event, balances, beancount_text
from engine.money import CURRENCY_DIGITS
from schema.store import DbRole
from tests.api.actions.firm import EARNERS, NOW, Firm
from tests.api.actions.test_pulls import signed, tell, words

COST, CLEARING = "Expenses:Incentive:Accrual", "Assets:PayrollClearing"
ESTIMATED, ACCRUED = "Liabilities:Incentive:Estimated", "Liabilities:Incentive:Accrued"
VESTED, IN_PAYROLL = "Liabilities:Incentive:Vested", "Liabilities:Incentive:InPayroll"
OWED = (ACCRUED, VESTED, IN_PAYROLL)


async def held(firm: Firm) -> dict[str, int]:
    """What every account holds, without those that are back to nothing."""
    rows = await firm.rows("select account, sum(amount_minor)::bigint as sum from ledger.posting group by account")
    return {row["account"]: row["sum"] for row in rows if row["sum"]}


async def due(firm: Firm) -> int:
    return int(await firm.value("select sum(earned_minor)::bigint from pay.award_amount"))


async def invariants(firm: Firm) -> None:
    """What is true after every act: journals balance, and each award is owed exactly while it is unpaid."""
    assert await firm.value("select coalesce(sum(amount_minor), 0) from ledger.posting") == 0
    uneven = """select count(*) from (select 1 from ledger.posting group by journal_id, award_ref
                                       having sum(amount_minor) <> 0) x"""
    assert await firm.value(uneven) == 0
    owed = await firm.rows(
        """select a.award_ref, a.state, m.earned_minor,
                  (select coalesce(-sum(p.amount_minor), 0)::bigint from ledger.posting p
                    where p.award_ref = a.award_ref and p.account = any($1)) as owed
             from pay.award a join pay.award_amount m on m.award_id = a.id""",
        list(OWED),
    )
    for row in owed:
        promised = row["state"] in ("APPROVED", "IN_PAYROLL")
        assert row["owed"] == (row["earned_minor"] if promised else 0), dict(row)
    unfounded = """select count(*) from ledger.journal j left join audit.entry e on e.id = j.audit_entry
                    where e.id is null"""
    assert await firm.value(unfounded) == 0


@pytest.mark.capability("G9")
async def test_balances_follow_every_act(submitted: Firm) -> None:
    firm, total = submitted, await due(submitted)
    assert await held(firm) == {}
    await awards.approve_cycle(firm.store, firm.log, firm.viewer("finance"), firm.cycle_id, NOW)
    assert await held(firm) == {COST: total, VESTED: -total}
    await invariants(firm)
    await firm.approve_file("finance")
    await firm.approve_file("second")
    file_id = await firm.release()
    assert await held(firm) == {COST: total, IN_PAYROLL: -total}
    released = """select -sum(p.amount_minor)::bigint from ledger.posting p
                    join ledger.journal j on j.id = p.journal_id where j.file_id = $1 and p.account = $2"""
    net = await firm.value(released, file_id, IN_PAYROLL)
    assert net == await firm.value("select net_minor from pay.file")
    await invariants(firm)
    await firm.rows("update pay.file set state = 'PULLED'")
    await tell(firm, signed(await words(firm, "accepted", ("L000001",))))
    back = await firm.value("select amount_minor from pay.line where line_id = 'L000001'")
    assert await held(firm) == {COST: total, IN_PAYROLL: back - total, VESTED: -back}
    await invariants(firm)
    await tell(firm, signed(await words(firm, "paid")), "k2")
    assert await held(firm) == {COST: total, VESTED: -back, CLEARING: back - total}
    await invariants(firm)
    events = await firm.rows("select event, count(*) from ledger.journal group by event")
    each = len(EARNERS)
    assert {row[0]: row[1] for row in events} == {
        "accrual": each, "award": each, "vest": each, "release": 1, "rejected": 1, "paid": 1,
    }  # fmt: skip


@pytest.mark.capability("G9")
async def test_an_award_of_nothing_books_nothing(submitted: Firm) -> None:
    firm = submitted
    award = awards.Waiting(uuid4(), "AW-2026-000009", uuid4(), uuid4(), 1, uuid4(), uuid4(), "EUR", 0)
    assert awards.promise(award, NOW) == []
    (accrual, granted, vested) = awards.promise(replace(award, earned_minor=1), NOW)
    assert (accrual.event, granted.event, vested.event) == (Event.ACCRUAL, Event.AWARD, Event.VEST)
    assert await held(firm) == {}


@pytest.mark.capability("G9")
async def test_booking_again_books_nothing(pulled: Firm) -> None:
    firm, finance = pulled, pulled.viewer("finance")
    before = await firm.fingerprint()
    async with firm.store.begin(DbRole.PAY, finance) as connection:
        known = await books.read(connection, finance)
        entry = UUID(str(await firm.value("select audit_entry from ledger.journal limit 1")))
        assert await books.book(connection, finance, [(each, entry) for each in known]) == 0
        assert await books.book(connection, finance, []) == 0
    assert await firm.fingerprint() == before
    assert len(known) == 3 * len(EARNERS) + 1
    flat = {account: minor for (account, _), minor in balances(known).items() if minor}
    assert flat == await held(firm)
    assert beancount_text(known, CURRENCY_DIGITS) == beancount_text(known[::-1], CURRENCY_DIGITS)


def sound(**changes: Any) -> list[tuple[str, dict[str, Any]]]:
    """A journal of two postings as SQL, to be spoilt."""
    head = {"id": uuid4(), "key": str(uuid4()), "postings": 2} | changes
    first = {"id": head["id"], "line": 1, "account": COST, "minor": 500, "award": "AW-2026-000001"}
    second = first | {"line": 2, "account": ESTIMATED, "minor": -500}
    return [("journal", head), ("posting", first), ("posting", second)]


SQL = {
    "journal": """insert into ledger.journal (tenant_id, id, booked_on, event, source_key, currency, postings,
                                              audit_entry)
                  values ((select app.tenant()), :id, '2026-11-21', 'accrual', :key, 'EUR', :postings, :id)""",
    "posting": """insert into ledger.posting (tenant_id, journal_id, line, account, amount_minor, award_ref)
                  values ((select app.tenant()), :id, :line, :account, :minor, :award)""",
}


def spoilt(which: int, **changes: Any) -> list[tuple[str, dict[str, Any]]]:
    rows = sound()
    rows[which] = (rows[which][0], rows[which][1] | changes)
    return rows


SPOILT: dict[str, Callable[[], list[tuple[str, dict[str, Any]]]]] = {
    "off by a cent": lambda: spoilt(2, minor=-499),
    "balanced across two awards only": lambda: spoilt(2, award="AW-2026-000002"),
    "one posting missing": lambda: sound()[:2],
    "no postings": lambda: sound()[:1],
    "more declared than booked": lambda: spoilt(0, postings=3),
    "more booked than declared": lambda: [*sound(), *[
        ("posting", sound()[1][1] | {"line": 3}), ("posting", sound()[2][1] | {"line": 4})]],
    "an account that is not in the chart": lambda: spoilt(2, account="Assets:Slush"),
    "a posting of nothing": lambda: spoilt(1, minor=0),
    "a line below one": lambda: spoilt(1, line=0),
    "a posting without its journal": lambda: sound()[1:],
    "one side": lambda: spoilt(0, postings=1)[:2],
}  # fmt: skip


async def write(firm: Firm, rows: list[tuple[str, dict[str, Any]]]) -> None:
    async with firm.store.begin(DbRole.PAY, firm.viewer("finance")) as connection:
        for table, values in rows:
            await connection.execute(text(SQL[table]), values)


@pytest.mark.capability("G9")
async def test_the_ledger_refuses_what_does_not_balance(approved: Firm) -> None:
    before = await approved.fingerprint()
    for name, rows in SPOILT.items():
        with pytest.raises(DBAPIError) as no:
            await write(approved, rows())
        assert getattr(no.value.orig, "sqlstate", "") == "23514", name
    assert await approved.fingerprint() == before
    rows = sound()
    await write(approved, rows)  # so it is the fault that was refused
    full = rows[1][1] | {"line": 3}
    for more in ([("posting", full)], [("posting", full), ("posting", full | {"line": 4, "minor": -500})]):
        with pytest.raises(DBAPIError, match="full"):
            await write(approved, more)
    with pytest.raises(DBAPIError, match="journal_once"):
        await write(approved, sound(key=rows[0][1]["key"]))
