"""How the tools are read and how that went: records to read again, sweeps, doubts, limits, calls, registrations."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index
from sqlmodel import Field, SQLModel

from engine.tool_words import RegistrationState, SweepKind, SweepState, ToolState
from engine.words import Source
from schema.tables.columns import Instant, big, instant, maybe_instant, small, words

SCHEMA = {"schema": "ops"}


class Hint(SQLModel, table=True):
    """A record that a webhook or a sweep spoke of and that must be read again. Gone when that has been done."""

    __tablename__ = "hint"
    __table_args__ = (words("source", Source), SCHEMA)
    tenant_id: UUID = Field(primary_key=True)
    source: str = Field(primary_key=True)
    entity: str = Field(primary_key=True)
    source_key: str = Field(primary_key=True)
    why: str
    asked_at: datetime = instant()
    attempts: int = small(0)


class Suspicion(SQLModel, table=True):
    """A record that the tool may not have any more. Confirmed by asking for it by id, twice, a sweep apart."""

    __tablename__ = "suspicion"
    __table_args__ = (words("source", Source), SCHEMA)
    tenant_id: UUID = Field(primary_key=True)
    source: str = Field(primary_key=True)
    entity: str = Field(primary_key=True)
    source_key: str = Field(primary_key=True)
    why: str
    first_at: datetime = instant()
    missed_at: datetime | None = maybe_instant()  # when the tool last said that it has no such record
    misses: int = small(0)


class Sweep(SQLModel, table=True):
    """One comparison of everything that a tool holds with the mirror. Times are the tool's; finished_at is ours."""

    __tablename__ = "sweep"
    __table_args__ = (
        words("source", Source),
        words("kind", SweepKind),
        words("state", SweepState),
        Index("sweep_entity", "tenant_id", "source", "entity", "started_at"),
        Index("sweep_started", "tenant_id", "started_at", "id"),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    source: str
    entity: str
    kind: str
    started_at: datetime = instant()
    finished_at: datetime = instant()
    state: str
    keys: int = big(0)
    mirrored: int = big(0)
    hinted: int = big(0)
    suspected: int = big(0)
    gone: int = big(0)
    note: str | None = None


class Connection(SQLModel, table=True):
    """How a tool stands with us. DEGRADED means: a person must look before anything is deleted."""

    __tablename__ = "connection"
    __table_args__ = (
        words("source", Source),
        words("state", ToolState),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    source: str = Field(primary_key=True)
    state: str
    why: str | None = None
    since: datetime = instant()


class Governor(SQLModel, table=True):
    """What all our processes know of one limit of one account at one tool. `scope` is its rule, or empty for all."""

    __tablename__ = "governor"
    __table_args__ = SCHEMA
    tenant_id: UUID = Field(primary_key=True)
    account: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    open_at: datetime = instant()
    rate_permille: int = 1000
    failures: int = 0
    limit_per_hour: int | None = None
    told_at: datetime = instant()


class Call(SQLModel, table=True):
    """Requests to one tool in one hour, by what they were for."""

    __tablename__ = "call"
    __table_args__ = SCHEMA
    tenant_id: UUID = Field(primary_key=True)
    source: str = Field(primary_key=True)
    purpose: str = Field(primary_key=True)
    hour: datetime = Field(sa_type=Instant, primary_key=True)
    calls: int = big(0)
    limited: int = big(0)  # answered with "too many requests"
    failed: int = big(0)
    waited_ms: int = big(0)


class Registration(SQLModel, table=True):
    """A webhook that we have registered at a tool, and until when it lives."""

    __tablename__ = "registration"
    __table_args__ = (
        words("source", Source),
        words("state", RegistrationState),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    source: str = Field(primary_key=True)
    external_id: str = Field(primary_key=True)
    url: str
    state: str
    expires_at: datetime | None = maybe_instant()
    refreshed_at: datetime = instant()
    healthy_at: datetime = instant()  # up to here nothing can have been missed
    alarm: str | None = None


class FileDrop(SQLModel, table=True):
    """A file that somebody gave us, and what became of its rows."""

    __tablename__ = "file_drop"
    __table_args__ = (words("source", Source), Index("file_drop_loaded", "tenant_id", "loaded_at", "id"), SCHEMA)
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    source: str
    entity: str
    name: str
    sha256: str
    rows: int = big(0)
    passed: int = big(0)
    warned: int = big(0)
    rejected: int = big(0)
    loaded_by: UUID | None = None
    loaded_at: datetime = instant()
