"""Documents that rule: versioned, hashed, tested, put in force by another person than their author."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from engine.words import DocumentKind, DocumentState
from schema.tables.columns import Json, instant, maybe_instant, words


class Document(SQLModel, table=True):
    """One version of one document. Its text never changes; its state goes DRAFT, TESTED, ACTIVE, RETIRED."""

    __tablename__ = "document"
    __table_args__ = (
        words("kind", DocumentKind),
        words("state", DocumentState),
        UniqueConstraint("tenant_id", "kind", "name", "version_no", name="document_version"),
        Index("document_in_force", "tenant_id", "kind", "name", unique=True, postgresql_where=text("state = 'ACTIVE'")),
        {"schema": "ops"},
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    kind: str
    name: str
    version_no: int
    content_hash: str
    body: str
    state: str = Field("DRAFT")
    owner: str | None = None
    proposed_by: UUID | None = None
    proposed_at: datetime = instant()
    test_report: dict[str, Any] | None = Field(default=None, sa_type=Json, nullable=True)
    activated_by: UUID | None = None
    activated_at: datetime | None = maybe_instant()
    retired_at: datetime | None = maybe_instant()
