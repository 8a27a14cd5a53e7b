"""The books: accounts, entries and their postings. For finance and auditors.

Debit is positive, credit negative, in minor units of the entry's currency. Every entry balances, for each award too,
and names the audit record of the act that it books.
"""

from datetime import date
from typing import Annotated

import strawberry

from api.graphql.binding import Node, about, bounded, shown, to_one
from api.graphql.scalars import BigInt
from schema.tables import money

BatchType = Annotated["PayoutBatch", strawberry.lazy("api.graphql.types.money")]  # type: ignore[name-defined]  # noqa: F821
AuditType = Annotated["AuditRecord", strawberry.lazy("api.graphql.types.audit")]  # type: ignore[name-defined]  # noqa: F821


@shown(money.Account, "An account of the ledger. For finance and auditors.", key="code")
class LedgerAccount:
    code: str = about("Its code.")
    kind: str = about("`asset`, `liability`, `income` or `expense`.")


@shown(
    money.Posting,
    "One side of an entry. For finance and auditors.",
    key="journal_id",
    unique=("journal_id", "line"),
)
class LedgerPosting:
    line: int = about("Its place in the entry, from 1.")
    amount_minor: BigInt = about("Minor units of the entry's currency: debit above zero, credit below.")
    award_ref: str | None = about("The award that it is about, as `Award.awardRef`.")
    line_id: str | None = about("The payout line that it is about, as `PayoutLine.lineId`.")
    account: LedgerAccount | None = to_one("LedgerAccount", "account", "The account.")
    entry: "LedgerEntry | None" = to_one("LedgerEntry", "journal_id", "The entry.")


@shown(money.Journal, "One event, booked once; its postings sum to zero. For finance and auditors.")
class LedgerEntry(Node):
    booked_on: date = about("The day of the booking.")
    event: str = about("What was booked, such as `award` or `paid`.")
    source_key: str = about("What it follows from, such as the reference of an award.")
    currency: str = about("ISO 4217 code.")
    postings: list[LedgerPosting] = bounded(
        "LedgerPosting", ("id",), lambda c, keys: c.journal_id == keys[0], ("line",), 200, "Its two sides or more."
    )
    batch: BatchType | None = to_one("PayoutBatch", "file_id", "The payout file that it books; null for other events.")
    audit_record: AuditType | None = to_one(
        "AuditRecord", "audit_entry", "The audited act that it books; null where the viewer may not see it."
    )
