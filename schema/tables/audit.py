"""The audit log: entries, the queue of the sequencer, positions, heads and signature lines. Nothing is ever edited."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index
from sqlmodel import Field, SQLModel

from schema.tables.columns import big, instant, raw, small

SCHEMA = {"schema": "audit"}


class Entry(SQLModel, table=True):
    """One audited act. The leaf is open and names nobody; `sealed` holds salt and payload, encrypted."""

    __tablename__ = "entry"
    __table_args__ = (
        CheckConstraint("length(leaf) <= 65535", name="leaf_size"),
        CheckConstraint("leaf_hash = sha256('\\x00'::bytea || leaf)", name="leaf_hash_true"),
        Index("entry_object", "tenant_id", "object_type", "object_id"),
        Index("entry_subject", "tenant_id", "subject_id"),
        Index("entry_at", "tenant_id", "at", "id"),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    ty: str
    at: datetime = instant()
    leaf: bytes = raw()
    leaf_hash: bytes = raw()
    sealed: bytes | None = Field(default=None)
    dek_id: int = big()
    actor_id: UUID | None = None
    subject_id: UUID | None = None
    object_type: str
    object_id: str
    legal_hold: bool = Field(False)
    erase_after: date | None = None


class Pending(SQLModel, table=True):
    __tablename__ = "pending"
    __table_args__ = SCHEMA
    tenant_id: UUID = Field(primary_key=True)
    qid: int = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    entry_id: UUID = Field(unique=True)
    leaf_hash: bytes = raw()


class Seq(SQLModel, table=True):
    """Position in the log."""

    __tablename__ = "seq"
    __table_args__ = (CheckConstraint("idx >= 0 and length(leaf_hash) = 32", name="seq_real"), SCHEMA)
    tenant_id: UUID = Field(primary_key=True)
    log_id: int = Field(primary_key=True, sa_type=small().sa_type)
    idx: int = Field(primary_key=True, sa_type=BigInteger)
    entry_id: UUID = Field(unique=True)
    leaf_hash: bytes = raw()


class TreeHead(SQLModel, table=True):
    __tablename__ = "tree_head"
    __table_args__ = (CheckConstraint("length(root) = 32", name="root_size"), SCHEMA)
    tenant_id: UUID = Field(primary_key=True)
    log_id: int = Field(primary_key=True, sa_type=small().sa_type)
    size: int = Field(primary_key=True, sa_type=BigInteger)
    root: bytes = raw()
    at: datetime = instant()


class NoteLine(SQLModel, table=True):
    """A signature line under a head."""

    __tablename__ = "note_line"
    __table_args__ = SCHEMA
    tenant_id: UUID = Field(primary_key=True)
    log_id: int = Field(primary_key=True, sa_type=small().sa_type)
    size: int = Field(primary_key=True, sa_type=BigInteger)
    key_name: str = Field(primary_key=True)
    key_id: bytes = Field(primary_key=True)
    line: str
