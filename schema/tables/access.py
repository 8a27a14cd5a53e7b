"""Who may do what: grants with an end, and the reporting line as a closure."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from engine.words import Role, RoleRequestState
from schema.tables.columns import instant, json, maybe_instant, raw, words


class Tenant(SQLModel, table=True):
    __tablename__ = "tenant"
    __table_args__ = {"schema": "access"}
    tenant_id: UUID = Field(primary_key=True)
    name: str
    frame_ancestors: str = Field("")  # exact https origins that may frame our embeds, space separated


class RoleGrant(SQLModel, table=True):
    """A role that a person holds for a time. MANAGER and EMPLOYEE are never granted: they follow from the mirror."""

    __tablename__ = "role_grant"
    __table_args__ = (words("role", Role), {"schema": "access"})
    tenant_id: UUID = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True)
    role: str = Field(primary_key=True)
    granted_by: str
    valid_from: datetime = instant()
    valid_to: datetime | None = maybe_instant()


class RoleRequest(SQLModel, table=True):
    """A role that the identity provider asks for. It is nothing until a second person has approved it."""

    __tablename__ = "role_request"
    __table_args__ = (
        words("role", Role),
        words("state", RoleRequestState),
        {"schema": "access"},
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    person_id: UUID
    role: str
    asked_by: str  # the group of the identity provider
    state: str = Field("REQUESTED")
    asked_at: datetime = instant()
    decided_by: UUID | None = None
    decided_at: datetime | None = maybe_instant()


class ReportingClosure(SQLModel, table=True):
    """Everybody below each manager, with the distance. Rebuilt from the mirrored people when they change."""

    __tablename__ = "reporting_closure"
    __table_args__ = (Index("reporting_closure_person", "tenant_id", "person_id", "manager_id"), {"schema": "access"})
    tenant_id: UUID = Field(primary_key=True)
    manager_id: UUID = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True)
    depth: int


class Bucket(SQLModel, table=True):
    """When a person's bucket of query points will have run empty; full is so far ahead as the bucket takes to drain.

    Unlogged: after a crash every bucket is empty, which lets people ask at once and costs nothing to write.
    """

    __tablename__ = "bucket"
    __table_args__ = {"schema": "access", "prefixes": ["UNLOGGED"]}
    tenant_id: UUID = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True)
    empty_at: datetime = instant()


class ActKey(SQLModel, table=True):
    """An act that a person asked for under a key of his own, and what came of it; kept for a day."""

    __tablename__ = "act_key"
    __table_args__ = {"schema": "access"}
    tenant_id: UUID = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True)
    act_sha256: bytes = raw()
    asked_at: datetime = instant()
    outcome: dict[str, Any] | None = json(nullable=True)
