"""Awards and payout batches. An award shows state and factor; its amounts are a thing of their own, perhaps hidden."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import strawberry
from sqlalchemy import Text as SqlText
from sqlalchemy import cast, func

from api.graphql.binding import Node, about, bounded, computed, shown, the_one, to_one
from api.graphql.connections import Connection, connection
from api.graphql.filters import PayoutLineFilter
from api.graphql.relations import Part
from api.graphql.scalars import BigInt
from api.graphql.types.organisation import Person
from api.graphql.types.runs import Cycle, Run
from api.graphql.types.scores import Score
from engine.money import minor_decimal
from engine.words import AwardState, PayFileState
from schema.tables import money

LineType = Annotated["PayoutLine", strawberry.lazy("api.graphql.types.payouts")]  # type: ignore[name-defined]  # noqa: F821
AckType = Annotated["PayoutAcknowledgement", strawberry.lazy("api.graphql.types.payouts")]  # type: ignore[name-defined]  # noqa: F821
PostingType = Annotated["LedgerPosting", strawberry.lazy("api.graphql.types.ledger")]  # type: ignore[name-defined]  # noqa: F821


def _of_award(c: Any, keys: Any) -> Any:
    return c.award_ref == keys[0]


@strawberry.type(description="An amount of money.")
class Money:
    amount: Decimal = strawberry.field(description="In the currency's own unit, with its number of decimals.")
    amount_minor: BigInt = strawberry.field(description="In minor units, such as cents.")
    currency: str = strawberry.field(description="ISO 4217 code.")


def amount(minor: int, currency: str) -> Money:
    return Money(amount=Decimal(minor_decimal(minor, currency)), amount_minor=BigInt(minor), currency=currency)


def money_of(key: str, about: str) -> Any:
    def answer(root: Any) -> Money:
        return amount(getattr(root, key), root.currency)

    parts: Mapping[str, Any] = {
        "amount": lambda c: func.app.amount(c[key], c.currency),
        "amountMinor": lambda c: cast(c[key], SqlText),
        "currency": lambda c: c.currency,
    }

    return computed(about, key, "currency", sql=Part(parts))(answer)


@shown(
    money.AwardAmount,
    "The money of an award. For the person, HR, finance and auditors; payroll has the lines of its files.",
    key="award_id",
)
class AwardAmounts(Node):
    target: Money = money_of("target_minor", "What a factor of 1 pays.")
    earned: Money = money_of("earned_minor", "What was earned: target x factor, rounded once.")


@shown(money.Award, "A promise to one person for one cycle: proposed by HR, decided by finance.")
class Award(Node):
    award_ref: str = about("Its reference, as on the payout file.")
    plan_key: str = about("The plan it follows from.")
    state: AwardState = about("How far it has come.")
    factor: Decimal | None = about("The payout factor; 1 pays the target.")
    version: int = about("Rises with every decision; give it as `expectedVersion`.")
    submitted_at: datetime = about("When it was submitted.")
    approved_at: datetime | None = about("When it was approved.")
    person: Person | None = to_one("Person", "person_id", "Who earns it; null where the viewer may not see him.")
    submitted_by: Person | None = to_one("Person", "submitted_by", "Who submitted it.")
    approved_by: Person | None = to_one("Person", "approved_by", "Who approved it: neither its author nor its earner.")
    cycle: Cycle | None = to_one("Cycle", "cycle_id", "The cycle.")
    run: Run | None = to_one("Run", "run_id", "The run it follows from.")
    amounts: AwardAmounts | None = to_one("AwardAmounts", "id", "The money; null where the viewer may not see it.")
    score: Score | None = the_one(
        "Score",
        ("run_id", "person_id"),
        lambda c, keys: (c.run_id == keys[0]) & (c.person_id == keys[1]),
        "The person's score in the same run.",
    )
    payout_lines: list[LineType] = bounded(
        "PayoutLine", ("award_ref",), _of_award, ("line_id",), 20, "Lines that pay it, for those who may see them."
    )
    postings: list[PostingType] = bounded(
        "LedgerPosting",
        ("award_ref",),
        _of_award,
        ("journal_id", "line"),
        100,
        "What was booked about it; for finance and auditors.",
    )


@shown(money.File, "A payout file as payroll gets it: totals and hashes, no names.")
class PayoutBatch(Node):
    receiver: str = about("Which payroll it is for.")
    environment: str = about("`production`, `test` or `development`.")
    sequence: BigInt = about("Its number; rises by one for each receiver.")
    state: PayFileState = about("How far it has come.")
    line_count: int = about("Lines in the file.")
    net: Money = money_of("net_minor", "Sum of all lines.")
    pay_date: date = about("The day of payment.")
    manifest_sha256: str = about("sha256 of the manifest, hex.")
    previous_manifest_sha256: str = about("sha256 of the manifest before: the files form a chain.")
    created_at: datetime = about("When it was prepared.")
    pulled_at: datetime | None = about("When payroll fetched it first.")
    cycle: Cycle | None = to_one("Cycle", "cycle_id", "The cycle that is paid.")
    lines: Connection[LineType] = connection(
        "PayoutLine",
        "Its lines, for those who may see them.",
        filters=PayoutLineFilter,
        keys=("id",),
        match=lambda c, keys: c.file_id == keys[0],
    )
    acknowledgements: list[AckType] = bounded(
        "PayoutAcknowledgement",
        ("id",),
        lambda c, keys: c.file_id == keys[0],
        ("received_at", "receiver", "idempotency_key"),
        50,
        "What payroll said about it, the earliest first.",
    )
