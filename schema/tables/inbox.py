"""What arrived, byte for byte, before anybody thought about it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, text
from sqlmodel import Field, SQLModel

from engine.words import Feed, Source
from schema.tables.columns import Instant, json, maybe_instant, raw, small, words


class DeliveryKey(SQLModel, table=True):
    """One sender's delivery id and the hash of its body: a repeat is a duplicate, another body is a conflict."""

    __tablename__ = "delivery_key"
    __table_args__ = {"schema": "inbox"}
    tenant_id: UUID = Field(primary_key=True)
    source: str = Field(primary_key=True)
    delivery_id: str = Field(primary_key=True)
    body_sha256: bytes = raw()
    conflicts: int = small(0)
    duplicates: int = Field(0)


class Delivery(SQLModel, table=True):
    """A webhook or a poll page. `state` READY until the mirror has taken it, DEAD when it never can.

    Partitioned by the month in which it was received, so that a month of raw bytes can be dropped at once.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        words("source", Source),
        words("feed", Feed),
        CheckConstraint("state in ('READY', 'DONE', 'DEAD')", name="state_word"),
        Index("delivery_ready", "tenant_id", "id", postgresql_where=text("state = 'READY'")),
        {"schema": "inbox", "postgresql_partition_by": "RANGE (received_at)"},
    )
    tenant_id: UUID = Field(primary_key=True)
    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    received_at: datetime = Field(sa_type=Instant, primary_key=True)
    source: str
    entity: str  # the tool's table for pages; "" for webhooks, whose body says it
    feed: str
    delivery_id: str
    conflict_no: int = small(0)
    body: bytes = raw()
    body_sha256: bytes = raw()
    headers: dict[str, str] = json()
    state: str = Field("READY")
    attempts: int = small(0)
    reason: str | None = None
    done_at: datetime | None = maybe_instant()
