"""Large reads: what was asked for, how far it has come, and the file that it became."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index
from sqlmodel import Field, SQLModel

from engine.feed_words import BulkState
from schema.tables.columns import big, instant, json, maybe_instant, words

SCHEMA = {"schema": "feed"}


class Export(SQLModel, table=True):
    """One query, read to its end for one person. `bytes` of the file are written and counted; the rest is not yet."""

    __tablename__ = "export"
    __table_args__ = (
        words("state", BulkState),
        CheckConstraint("rows >= 0 and bytes >= 0 and attempt >= 0", name="progress_positive"),
        Index("export_state", "tenant_id", "state", "asked_at", "id"),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    person_id: UUID
    document: str
    variables: dict[str, Any] = json()
    purpose: str
    state: str
    scope_sha256: str | None = None  # the rights under which it was read
    cursor: str | None = None  # the end of the last whole page
    rows: int = big(0)
    bytes: int = big(0)
    sha256: str | None = None
    failure: str | None = None
    attempt: int = 0  # who holds an older one writes nothing any more
    leased_until: datetime | None = maybe_instant()
    asked_at: datetime = instant()
    finished_at: datetime | None = maybe_instant()
    file_ends_at: datetime | None = maybe_instant()
