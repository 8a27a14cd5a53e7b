"""What the mirror keeps of every record, whatever it is: its versions, which of them stands, and since when.

A revision is one accepted version and is never edited. Its body lies apart, by the month in which it was accepted, so
that old bodies can be dropped a month at a time while the hash stays. `standing` is the diary: one line each time
another version of a record came to stand, or the record was found gone or back. A snapshot is a line number in it.
"""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from engine.words import Feed, IssueCode, MirrorKind, Source
from schema.tables.columns import big, instant, maybe_instant, raw, words

SCHEMA = {"schema": "mirror"}


class Revision(SQLModel, table=True):
    """One accepted version of one record. Append-only; typed rows are derived from it and can be rebuilt.

    `echo` marks a version that only says what we ourselves wrote back: it advances the mirror and starts nothing.
    """

    __tablename__ = "revision"
    __table_args__ = (
        words("source", Source),
        words("feed", Feed),
        UniqueConstraint("tenant_id", "record_id", "version_no", "payload_hash", name="revision_once"),
        Index("revision_echo", "tenant_id", "id", postgresql_where=text("echo")),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: int = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    record_id: UUID
    source: str
    entity: str
    source_key: str
    version_no: int = big()
    version_at: datetime = instant()
    month: date  # in which it was accepted: where its body lies
    payload_hash: bytes = raw()
    feed: str
    delivery_id: int = big()
    observed_at: datetime = instant()
    echo: bool = Field(False, sa_column_kwargs={"server_default": "false"})


class Payload(SQLModel, table=True):
    """The body of a revision: the raw record as canonical JSON. A month of them goes at once when retention ends."""

    __tablename__ = "payload"
    __table_args__ = {"schema": "mirror", "postgresql_partition_by": "RANGE (month)"}
    tenant_id: UUID = Field(primary_key=True)
    revision_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    month: date = Field(primary_key=True)
    body: bytes = raw()


class Standing(SQLModel, table=True):
    """The diary of the mirror: from line `no` on, this revision stands for the record, or the record is gone."""

    __tablename__ = "standing"
    __table_args__ = (Index("standing_record", "tenant_id", "record_id", "no"), SCHEMA)
    tenant_id: UUID = Field(primary_key=True)
    no: int = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    record_id: UUID
    revision_id: int = big()
    gone: bool = False
    at: datetime = instant()


class Snapshot(SQLModel, table=True):
    """A named moment of the mirror: every line of the diary up to `cut_no`. What came later never changes it."""

    __tablename__ = "snapshot"
    __table_args__ = (
        UniqueConstraint("tenant_id", "name", name="snapshot_name"),
        Index("snapshot_taken", "tenant_id", "taken_at", "id"),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    name: str
    taken_at: datetime = instant()
    cut_no: int = big()
    records: int = big()
    hash: str


class Record(SQLModel, table=True):
    """The version of each mirrored record that stands: what the typed row shows now.

    `read_at` is when the tool's API last showed just this content, `shown_at` when it last showed the record at all.
    `gone_at` is when the tool was found not to have the record any more; only being shown later brings it back.
    """

    __tablename__ = "record"
    __table_args__ = (
        words("kind", MirrorKind),
        words("source", Source),
        Index("record_entity", "tenant_id", "source", "entity"),
        Index("record_revision", "tenant_id", "revision_id", "id"),
        Index(  # what stands below a record of Jira is found by the beginning of its key
            "record_below",
            "tenant_id",
            "source_key",
            postgresql_ops={"source_key": "text_pattern_ops"},
            postgresql_where=text("source = 'jira'"),
        ),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    source: str
    entity: str
    source_key: str
    kind: str
    version_no: int = big()
    version_at: datetime = instant()
    payload_hash: bytes = raw()
    revision_id: int = big()
    read_at: datetime = instant()
    shown_at: datetime = instant()
    gone_at: datetime | None = maybe_instant()


class DataIssue(SQLModel, table=True):
    """A value of a mirrored record that could not be used, and how to repair it."""

    __tablename__ = "data_issue"
    __table_args__ = (
        words("code", IssueCode),
        CheckConstraint("state in ('OPEN', 'RESOLVED')", name="state_word"),
        Index("data_issue_listed", "tenant_id", "entity", "source_key", "record_id", "field", "code"),
        SCHEMA,
    )
    tenant_id: UUID = Field(primary_key=True)
    record_id: UUID = Field(primary_key=True)
    field: str = Field(primary_key=True)
    code: str = Field(primary_key=True)
    source: str
    entity: str
    source_key: str
    value: str
    what: str
    fix: str
    state: str = Field("OPEN")
    revision_id: int = big()


class Mirrored(SQLModel):
    """Columns that every typed mirror table begins with."""

    tenant_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    source: str
    source_key: str
    revision_id: int = big()
    gone_at: datetime | None = maybe_instant()
