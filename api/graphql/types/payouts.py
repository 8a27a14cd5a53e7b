"""What lies around an award: what a run proposes, the parts of the pool, lines of payout files, payroll's answers.

A line is for the person who is paid, payroll and auditors: finance sees totals of files and names nobody. Payroll's
answers are shown without their bytes.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from api.graphql.binding import about, shown, to_one
from api.graphql.types.money import Money, money_of
from api.graphql.types.organisation import Person, Service
from api.graphql.types.runs import Run
from engine.words import PayLineKind, PayLineState
from schema.tables import money

BatchType = Annotated["PayoutBatch", strawberry.lazy("api.graphql.types.money")]  # type: ignore[name-defined]  # noqa: F821


@shown(
    money.AwardProposal,
    "What a run found that a person earned; it binds nobody until HR submits it. For HR, finance and auditors.",
    key="person_id",
    unique=("run_id", "person_id"),
)
class AwardProposal:
    factor: Decimal | None = about("The payout factor; 1 pays the target.")
    target: Money = money_of("target_minor", "What a factor of 1 pays.")
    earned: Money = money_of("earned_minor", "What was earned: target x factor, rounded once.")
    person: Person | None = to_one("Person", "person_id", "Who earned it; null where the viewer may not see him.")
    run: Run | None = to_one("Run", "run_id", "The run that found it.")


@shown(
    money.PoolAllocation,
    "A service's part of the pool of a run; the parts sum to the pool. For HR, finance and auditors.",
    key="service_id",
    unique=("run_id", "service_id"),
)
class PoolAllocation:
    amount: Money = money_of("amount_minor", "The part, rounded so that all parts sum to the pool.")
    service: Service | None = to_one("Service", "service_id", "The service.")
    run: Run | None = to_one("Run", "run_id", "The run that split the pool.")


@shown(
    money.Line,
    "One amount for one person in one payout file. For the person, payroll and auditors.",
    key="line_id",
)
class PayoutLine:
    line_id: str = about("Its number; payroll answers with it.")
    award_ref: str = about("The award that is paid, as `Award.awardRef`.")
    part_no: int = about("Which part of the award, from 1.")
    kind: PayLineKind = about("Why it exists.")
    state: PayLineState = about("How far it is.")
    amount: Money = money_of("amount_minor", "The amount; below zero when it is taken back.")
    person: Person | None = to_one("Person", "person_id", "Who is paid; null where the viewer may not see him.")
    batch: BatchType | None = to_one("PayoutBatch", "file_id", "The file; null where the viewer may not see it.")


@shown(
    money.Ack,
    "What payroll said about a file, without its bytes. For payroll, finance and auditors.",
    key="idempotency_key",
    unique=("receiver", "idempotency_key"),
)
class PayoutAcknowledgement:
    receiver: str = about("Which payroll said it.")
    stage: str = about("What it said, such as `accepted` or `paid`.")
    received_at: datetime = about("When it arrived.")


__all__ = ["AwardProposal", "PayoutAcknowledgement", "PayoutLine", "PoolAllocation"]
