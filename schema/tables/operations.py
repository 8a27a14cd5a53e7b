"""What the workers remember: how far each feed has read, and what still has to be written back."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from engine.tool_words import WriteBackState
from schema.tables.columns import big, instant, json, maybe_instant, small, words

SCHEMA = {"schema": "ops"}


class Watermark(SQLModel, table=True):
    """How far a feed has read an entity: the server clock at the start of the last whole drain, minus the overlap."""

    __tablename__ = "watermark"
    __table_args__ = SCHEMA
    tenant_id: UUID = Field(primary_key=True)
    source: str = Field(primary_key=True)
    entity: str = Field(primary_key=True)
    feed: str = Field(primary_key=True)
    read_to: datetime = instant()


class Reading(SQLModel, table=True):
    """A long first reading that is under way: where to go on after a crash. Gone when its watermark moves."""

    __tablename__ = "reading"
    __table_args__ = SCHEMA
    tenant_id: UUID = Field(primary_key=True)
    source: str = Field(primary_key=True)
    entity: str = Field(primary_key=True)
    feed: str = Field(primary_key=True)
    began_at: datetime = instant()  # the tool's clock at its first page
    cursor: str


class Outbox(SQLModel, table=True):
    """A write-back to a tool. The target record and the content hash make it idempotent."""

    __tablename__ = "outbox"
    __table_args__ = (
        words("state", WriteBackState),
        Index("outbox_ready", "tenant_id", "created_at", postgresql_where=text("state in ('READY', 'UNKNOWN')")),
        Index("outbox_listed", "tenant_id", "created_at", "id"),
        Index("outbox_record", "tenant_id", "target", "record", "created_at"),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)  # from target, record and content: the same write is the same row
    target: str  # "servicenow" or "jira"
    operation: str
    record: str  # serialises writes to one record
    body: dict[str, Any] = json()
    state: str = Field("READY")
    attempts: int = small(0)
    reason: str | None = None
    premise: int | None = big(None)  # the record's version that the write rests on, where the target has one
    created_at: datetime = instant()
    next_at: datetime | None = maybe_instant()  # not before then
    done_at: datetime | None = maybe_instant()
