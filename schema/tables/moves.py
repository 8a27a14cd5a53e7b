"""What happened to a record between two of its versions: moves of state and of hands, and that somebody wrote.

From audit rows and changelogs, which never change. Durations in a state follow from the moves of one record in order.
Of journal entries only who, when and where is kept; what was written is nobody's business here.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index

from schema.tables.columns import maybe_instant
from schema.tables.revisions import SCHEMA, Mirrored


class StateChange(Mirrored, table=True):
    """One field of one record went from one value to another; both in the tool's words, ids where it has ids."""

    __tablename__ = "state_change"
    __table_args__ = (Index("state_change_task", "tenant_id", "task_id", "changed_at"), SCHEMA)
    task_id: UUID | None = None
    field: str
    old_value: str | None = None
    new_value: str | None = None
    changed_at: datetime | None = maybe_instant()
    changed_by: str | None = None


class JournalEntry(Mirrored, table=True):
    """Somebody wrote a note (`element`: work_notes, comments) on a record."""

    __tablename__ = "journal_entry"
    __table_args__ = (Index("journal_entry_task", "tenant_id", "task_id", "written_at"), SCHEMA)
    task_id: UUID | None = None
    element: str | None = None
    written_at: datetime | None = maybe_instant()
    written_by: str | None = None
