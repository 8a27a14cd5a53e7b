"""Who decides about changes: groups that approve, boards, their meetings, agendas and attendance.

A group's row is the tool's own sum of its members' answers; only the members' rows (change_approval) are decisions of
people. An agenda item proves that a change was looked at and for how long, never that it was approved.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index

from engine.words import ApprovalState, MeetingState
from schema.tables.columns import big, maybe_instant, words
from schema.tables.revisions import SCHEMA, Mirrored


class GroupApproval(Mirrored, table=True):
    """The approval of one group on one change. `decided_at` is when the tool stamped it."""

    __tablename__ = "group_approval"
    __table_args__ = (
        words("state", ApprovalState),
        Index("group_approval_change", "tenant_id", "change_id"),
        SCHEMA,
    )
    change_id: UUID | None = None
    team_id: UUID | None = None
    state: str | None = None
    source_state: str | None = None
    opened_at: datetime | None = maybe_instant()
    decided_at: datetime | None = maybe_instant()


class CabBoard(Mirrored, table=True):
    """A change advisory board: the definition that its meetings follow."""

    __tablename__ = "cab_board"
    __table_args__ = (SCHEMA,)
    name: str
    manager_id: UUID | None = None
    active: bool | None = None


class CabMeeting(Mirrored, table=True):
    __tablename__ = "cab_meeting"
    __table_args__ = (words("state", MeetingState), SCHEMA)
    name: str
    board_id: UUID | None = None
    manager_id: UUID | None = None
    state: str | None = None
    source_state: str | None = None
    starts_at: datetime | None = maybe_instant()
    ends_at: datetime | None = maybe_instant()


class CabAgendaItem(Mirrored, table=True):
    """One change on the agenda of one meeting. `source_decision` is the tool's word and decides nothing here."""

    __tablename__ = "cab_agenda_item"
    __table_args__ = (Index("cab_agenda_item_change", "tenant_id", "change_id"), SCHEMA)
    meeting_id: UUID | None = None
    change_id: UUID | None = None
    position: int | None = None
    source_state: str | None = None
    source_decision: str | None = None
    allotted_seconds: int | None = big(None)
    elapsed_seconds: int | None = big(None)


class CabAttendee(Mirrored, table=True):
    __tablename__ = "cab_attendee"
    __table_args__ = (Index("cab_attendee_meeting", "tenant_id", "meeting_id"), SCHEMA)
    meeting_id: UUID | None = None
    person_id: UUID | None = None
    source_state: str | None = None
