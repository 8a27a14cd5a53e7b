"""What the mirror keeps of every record, whatever it is: which version stands, since when, and what was wrong with it.

Shown to auditors; to the tools' administrators except for what came from HR, finance and payroll. The bytes of a record
are never shown: they hold columns that nobody asked for.
"""

from datetime import datetime

from api.graphql.binding import Node, about, bounded, shown, to_one
from api.graphql.connections import Connection, connection
from api.graphql.scalars import BigInt
from api.graphql.types.audit import DataIssue
from api.graphql.types.scores import RecordRevision
from api.graphql.types.tickets import Change, Incident
from engine.words import MirrorKind, Source
from schema.tables import revisions


@shown(
    revisions.Standing,
    "A line of the mirror's diary: from then on this version stood, or the record was gone. For auditors and "
    "administrators.",
    key="record_id",
    unique=("no",),
)
class Standing:
    no: BigInt = about("The line; a snapshot goes up to one.")
    at: datetime = about("When.")
    gone: bool = about("Whether the record was found gone.")
    revision: RecordRevision | None = to_one("RecordRevision", "revision_id", "The version that stood; null if hidden.")


@shown(revisions.Record, "A mirrored record as it stands, of whatever kind. For auditors and administrators.")
class MirrorRecord(Node):
    kind: MirrorKind = about("What it is.")
    source: Source = about("The tool.")
    entity: str = about("The tool's table or kind.")
    source_key: str = about("The record's key in the tool.")
    version_no: BigInt = about("The tool's own version that stands.")
    version_at: datetime = about("When the tool changed it last.")
    read_at: datetime = about("When the tool last showed just this content.")
    shown_at: datetime = about("When the tool last showed the record at all.")
    gone_at: datetime | None = about("When the tool was found not to have it any more; null while it is there.")
    incident: Incident | None = to_one("Incident", "id", "The same as an incident; null for other kinds.")
    change: Change | None = to_one("Change", "id", "The same as a change; null for other kinds.")
    revision: RecordRevision | None = to_one("RecordRevision", "revision_id", "The version that stands.")
    revisions: Connection[RecordRevision] = connection(
        "RecordRevision",
        "Every version that was accepted.",
        keys=("id",),
        match=lambda c, keys: c.record_id == keys[0],
    )
    standings: list[Standing] = bounded(
        "Standing",
        ("id",),
        lambda c, keys: c.record_id == keys[0],
        ("no",),
        100,
        "Which of its versions stood from when on, the earliest first.",
    )
    issues: list[DataIssue] = bounded(
        "DataIssue",
        ("id",),
        lambda c, keys: c.record_id == keys[0],
        ("field", "code"),
        50,
        "What could not be used of it.",
    )


@shown(
    revisions.Snapshot,
    "A named moment of the mirror; what came later never changes it. For auditors and administrators.",
)
class Snapshot(Node):
    name: str = about("The name.")
    taken_at: datetime = about("When it was taken.")
    cut_no: BigInt = about("Line of the mirror's diary up to which it goes.")
    records: BigInt = about("Records in it.")
    hash: str = about("sha256 over all versions in it, hex.")
