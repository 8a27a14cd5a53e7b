"""Plans, cycles, runs and what they found. A run never changes; new knowledge makes a new run."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from engine.words import AttributionMethod, KpiStatus, RaciRole, ScoreStatus, SubjectKind
from schema.tables.columns import big, instant, json, shown, words

SCHEMA = {"schema": "score"}


class PlanVersion(SQLModel, table=True):
    """A published plan. The text is kept as written; the hash names it."""

    __tablename__ = "plan_version"
    __table_args__ = (UniqueConstraint("tenant_id", "plan_key", "version", name="plan_version_once"), SCHEMA)
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    plan_key: str
    version: int
    title: str
    content_hash: str
    body: str
    published_by: str
    published_at: datetime = instant()


class Cycle(SQLModel, table=True):
    """A period that is scored and paid: [starts_on, ends_before)."""

    __tablename__ = "cycle"
    __table_args__ = (CheckConstraint("starts_on < ends_before", name="cycle_order"), SCHEMA)
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    label: str
    starts_on: date
    ends_before: date


class Run(SQLModel, table=True):
    """Snapshot + plan version + engine version -> findings. The same three give the same result hash."""

    __tablename__ = "run"
    __table_args__ = (
        UniqueConstraint(
            "tenant_id", "cycle_id", "plan_version_id", "snapshot_hash", "engine_version", name="run_once"
        ),
        Index("run_numbered", "tenant_id", "run_no", "id"),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    run_no: int = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    cycle_id: UUID
    plan_version_id: UUID
    snapshot_hash: str
    engine_version: str
    result_hash: str
    signals: list[dict[str, str]] = json()  # what the rules could not decide, for a person
    data_as_of: datetime = instant()
    closed_at: datetime = instant()


class KpiValue(SQLModel, table=True):
    """One metric of one subject in one run: raw value, attainment against target, what it pays, and why."""

    __tablename__ = "kpi_value"
    __table_args__ = (
        words("subject_kind", SubjectKind),
        words("status", KpiStatus),
        Index("kpi_value_subject", "tenant_id", "subject_id", "run_id", "kpi_no", "id"),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    run_id: UUID
    cycle_id: UUID
    kpi_no: int
    component: str
    metric: str
    subject_kind: str
    subject_id: UUID
    subject_label: str
    value: Decimal | None = shown()
    unit: str
    numerator: int | None = big(None)
    denominator: int | None = big(None)
    n: int
    excluded_n: int
    target: Decimal | None = shown()
    attainment: Decimal | None = shown()
    pays: Decimal | None = shown()
    weight: Decimal | None = shown()
    status: str
    trace: dict[str, Any] = json()


class KpiLineage(SQLModel, table=True):
    """The mirrored revision behind a KPI value: what it measured, or why it was left out. Sums back to the value."""

    __tablename__ = "kpi_lineage"
    __table_args__ = (
        words("subject_kind", SubjectKind),
        Index("kpi_lineage_subject", "tenant_id", "subject_id", "run_id", "metric", "number", "record_id"),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    run_id: UUID = Field(primary_key=True)
    metric: str = Field(primary_key=True)
    subject_kind: str = Field(primary_key=True)
    subject_id: UUID = Field(primary_key=True)
    record_id: UUID = Field(primary_key=True)
    revision_id: int = big()
    number: str
    measure: int | None = big(None)
    left_out: str | None = None
    evidence_id: UUID | None = None


class Score(SQLModel, table=True):
    """Composite of one subject in one run. `person_id` is set on a person's score: row security looks at it."""

    __tablename__ = "score"
    __table_args__ = (
        words("subject_kind", SubjectKind),
        words("status", ScoreStatus),
        Index("score_subject", "tenant_id", "subject_id"),
        Index("score_person", "tenant_id", "person_id"),
        Index("score_run", "tenant_id", "run_id", "person_id"),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    run_id: UUID
    cycle_id: UUID
    subject_kind: str
    subject_id: UUID
    subject_label: str
    person_id: UUID | None = None
    value: Decimal | None = shown()
    status: str
    result_hash: str
    data_as_of: datetime = instant()
    trace: dict[str, Any] = json()


class StoredJson(SQLModel, table=True):
    """A part of answers below a score of a closed cycle, as it is written. It may be lost: it is made again."""

    __tablename__ = "stored_json"
    __table_args__ = (words("subject_kind", SubjectKind), SCHEMA)
    tenant_id: UUID = Field(primary_key=True)
    score_id: UUID = Field(primary_key=True)
    fragment_hash: str = Field(primary_key=True)
    subject_kind: str
    subject_id: UUID
    body: str
    result_hash: str


class AttributionSplit(SQLModel, table=True):
    """One person's share of one service's outcome, exact. The shares of a service sum to 1."""

    __tablename__ = "attribution_split"
    __table_args__ = (
        words("method", AttributionMethod),
        words("role", RaciRole),
        CheckConstraint("share_num >= 0 and share_den > 0", name="share_positive"),
        Index("attribution_split_person", "tenant_id", "person_id"),
        Index("attribution_split_service", "tenant_id", "service_id", "person_id", "id"),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    run_id: UUID
    cycle_id: UUID
    service_id: UUID
    person_id: UUID
    method: str
    role: str | None = None
    share_num: int = big()
    share_den: int = big()
    share: Decimal = Field(sa_type=shown().sa_type)
