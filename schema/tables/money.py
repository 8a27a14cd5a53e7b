"""Awards, payout files and the ledger. Minor units, ISO 4217, balanced, never edited."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from engine.words import AwardState, PayFileState, PayLineState
from schema.tables.columns import big, instant, json, maybe_instant, raw, shown, small, words

PAY = {"schema": "pay"}
LEDGER = {"schema": "ledger"}


class PoolAllocation(SQLModel, table=True):
    """A service's part of the pool of a run. The parts sum to the pool."""

    __tablename__ = "pool_allocation"
    __table_args__ = (CheckConstraint("amount_minor >= 0", name="amount_positive"), PAY)
    tenant_id: UUID = Field(primary_key=True)
    run_id: UUID = Field(primary_key=True)
    service_id: UUID = Field(primary_key=True)
    currency: str = Field(max_length=3)
    amount_minor: int = big()


class AwardProposal(SQLModel, table=True):
    """What a run found that a person earned. A proposal binds nobody until somebody submits it as an award."""

    __tablename__ = "award_proposal"
    __table_args__ = (CheckConstraint("target_minor >= 0 and earned_minor >= 0", name="amount_positive"), PAY)
    tenant_id: UUID = Field(primary_key=True)
    run_id: UUID = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True)
    currency: str = Field(max_length=3)
    target_minor: int = big()
    earned_minor: int = big()
    factor: Decimal | None = shown()
    trace: dict[str, Any] = json()


class Award(SQLModel, table=True):
    """A promise to one person for one cycle. Factors only; amounts stand in award_amount, where rows decide."""

    __tablename__ = "award"
    __table_args__ = (
        words("state", AwardState),
        CheckConstraint("submitted_by <> person_id", name="author_is_not_beneficiary"),
        CheckConstraint("approved_by <> submitted_by and approved_by <> person_id", name="approver_is_a_third"),
        CheckConstraint(
            "(state in ('SUBMITTED', 'REJECTED')) or (approved_by is not null and approved_at is not null)",
            name="approved_by_somebody",
        ),
        UniqueConstraint("tenant_id", "plan_key", "cycle_id", "person_id", name="award_once"),
        UniqueConstraint("tenant_id", "award_ref", name="award_ref_once"),
        Index("award_person", "tenant_id", "person_id"),
        Index("award_reference", "tenant_id", "award_ref", "id"),
        Index("award_run", "tenant_id", "run_id", "person_id"),
        Index("award_submitted", "tenant_id", "submitted_at", "id"),
        PAY,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    award_ref: str
    plan_key: str
    cycle_id: UUID
    run_id: UUID
    person_id: UUID
    state: str
    factor: Decimal | None = shown()
    version: int = 1
    submitted_by: UUID
    submitted_at: datetime = instant()
    approved_by: UUID | None = None
    approved_at: datetime | None = maybe_instant()


class AwardAmount(SQLModel, table=True):
    """The money of an award: `earned = target x factor`, rounded once, with its trace."""

    __tablename__ = "award_amount"
    __table_args__ = (CheckConstraint("target_minor >= 0 and earned_minor >= 0", name="amount_positive"), PAY)
    tenant_id: UUID = Field(primary_key=True)
    award_id: UUID = Field(primary_key=True)
    person_id: UUID
    currency: str = Field(max_length=3)
    target_minor: int = big()
    earned_minor: int = big()
    trace: dict[str, Any] = json()


class File(SQLModel, table=True):
    """A payout batch as payroll gets it. Immutable once released; the number rises by one per receiver."""

    __tablename__ = "file"
    __table_args__ = (
        words("state", PayFileState),
        UniqueConstraint("tenant_id", "receiver", "environment", "sequence", name="file_sequence"),
        UniqueConstraint("tenant_id", "receiver", "environment", "previous_manifest_sha256", name="file_chain"),
        CheckConstraint("manifest_sha256 = encode(sha256(manifest), 'hex')", name="manifest_hash"),
        PAY,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    receiver: str
    environment: str
    sequence: int = big()
    previous_manifest_sha256: str
    cycle_id: UUID
    state: str
    line_count: int
    currency: str = Field(max_length=3)
    net_minor: int = big()
    pay_date: date
    csv: bytes = raw()
    manifest: bytes = raw()
    manifest_sha256: str
    release_entry_id: UUID
    prepared_by: UUID
    created_at: datetime = instant()
    pulled_at: datetime | None = maybe_instant()


class FilePart(SQLModel, table=True):
    """A signed companion of a payout file (signatures, proof), stored when it was made."""

    __tablename__ = "file_part"
    __table_args__ = PAY
    tenant_id: UUID = Field(primary_key=True)
    file_id: UUID = Field(primary_key=True)
    name: str = Field(primary_key=True)
    media_type: str
    body: bytes = raw()


class Line(SQLModel, table=True):
    """One amount for one person in one file. One live line per award part, for ever."""

    __tablename__ = "line"
    __table_args__ = (
        words("state", PayLineState),
        CheckConstraint("amount_minor <> 0", name="amount_not_zero"),
        CheckConstraint("kind in ('payout', 'clawback', 'correction')", name="kind_word"),
        Index(
            "one_live_line", "tenant_id", "award_ref", "kind", "part_no", unique=True,
            postgresql_where=text("state in ('open', 'paid')"),
        ),
        Index("line_file", "tenant_id", "file_id", "line_id"),
        Index("line_award", "tenant_id", "award_ref", "line_id"),
        PAY,
    )  # fmt: skip
    tenant_id: UUID = Field(primary_key=True)
    line_id: str = Field(primary_key=True)
    file_id: UUID
    award_ref: str
    part_no: int = small()
    kind: str
    person_id: UUID
    currency: str = Field(max_length=3)
    amount_minor: int = big()
    state: str = Field("open")


class Ack(SQLModel, table=True):
    """What the receiver said about a file, once per idempotency key."""

    __tablename__ = "ack"
    __table_args__ = PAY
    tenant_id: UUID = Field(primary_key=True)
    receiver: str = Field(primary_key=True)
    idempotency_key: str = Field(primary_key=True)
    file_id: UUID
    stage: str
    body: bytes = raw()
    body_sha256: bytes = raw()
    answer: dict[str, Any] = json()
    received_at: datetime = instant()


class Account(SQLModel, table=True):
    __tablename__ = "account"
    __table_args__ = (CheckConstraint("kind in ('asset', 'liability', 'income', 'expense')", name="kind_word"), LEDGER)
    tenant_id: UUID = Field(primary_key=True)
    code: str = Field(primary_key=True)
    kind: str


class Journal(SQLModel, table=True):
    """One business event, once. The deferred trigger refuses a journal that does not balance or is incomplete."""

    __tablename__ = "journal"
    __table_args__ = (
        UniqueConstraint("tenant_id", "event", "source_key", "currency", name="journal_once"),
        CheckConstraint("postings >= 2", name="two_sides"),
        Index("journal_booked", "tenant_id", "booked_on", "id"),
        LEDGER,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    booked_on: date
    event: str
    source_key: str
    file_id: UUID | None = None
    currency: str = Field(max_length=3)
    postings: int
    audit_entry: UUID


class Posting(SQLModel, table=True):
    """Debit positive, credit negative, minor units."""

    __tablename__ = "posting"
    __table_args__ = (
        CheckConstraint("amount_minor <> 0 and line >= 1", name="posting_real"),
        Index("posting_award", "tenant_id", "award_ref", "journal_id", "line"),
        LEDGER,
    )
    tenant_id: UUID = Field(primary_key=True)
    journal_id: UUID = Field(primary_key=True)
    line: int = Field(primary_key=True)
    account: str
    amount_minor: int = big()
    award_ref: str | None = None
    line_id: str | None = None
