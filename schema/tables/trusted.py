"""Documents of GraphQL that clients name by their hash, and how often what is shown has changed."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from schema.tables.columns import big, instant, maybe_instant

SCHEMA = {"schema": "ops"}


class TrustedDocument(SQLModel, table=True):
    """A registered document. `id` is the sha256 of its exact text, hex; `computed`: the planner need not answer it."""

    __tablename__ = "trusted_document"
    __table_args__ = SCHEMA
    tenant_id: UUID = Field(primary_key=True)
    id: str = Field(primary_key=True)
    name: str
    body: str
    computed: bool
    registered_by: UUID | None = None
    registered_at: datetime = instant()
    retired_at: datetime | None = maybe_instant()


class DataChange(SQLModel, table=True):
    """A transaction that changed an area of what is shown. Seen by who sees what it wrote, and never before."""

    __tablename__ = "data_change"
    __table_args__ = SCHEMA
    tenant_id: UUID = Field(primary_key=True)
    area: str = Field(primary_key=True)
    transaction: int = Field(primary_key=True, sa_type=big().sa_type)


class DataVersion(SQLModel, table=True):
    """How many such transactions were counted and forgotten."""

    __tablename__ = "data_version"
    __table_args__ = SCHEMA
    tenant_id: UUID = Field(primary_key=True)
    area: str = Field(primary_key=True)
    changes: int = big()
