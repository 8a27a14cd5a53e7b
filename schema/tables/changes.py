"""What changed, for those who follow it: one row for each score, award or payout file that an act changed."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from engine.feed_words import ChangeKind
from schema.tables.columns import big, instant, words

SCHEMA = {"schema": "feed"}


class Change(SQLModel, table=True):
    """A changed row. The number rises from act to act in the order in which they became visible; an act has one."""

    __tablename__ = "change"
    __table_args__ = (words("kind", ChangeKind), SCHEMA)
    tenant_id: UUID = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=big().sa_type)
    row_id: UUID = Field(primary_key=True)
    reason: str  # of a score why it is new, of the others the state that they came to
    subject_kind: str | None = None  # of a score
    subject_id: UUID | None = None  # of a score whom it speaks about, of an award its person
    at: datetime = instant()
