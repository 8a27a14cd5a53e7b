"""Change advisory boards as the tools keep them. An agenda item proves that a change was looked at, never approved."""

from datetime import datetime

from api.graphql.binding import Node, about, bounded, shown, to_one
from api.graphql.scalars import BigInt
from api.graphql.types.organisation import GONE, SOURCE, SOURCE_KEY, Person
from api.graphql.types.tickets import SOURCE_STATE, Change
from engine.words import MeetingState, Source
from schema.tables import boards


@shown(boards.CabBoard, "A change advisory board. For auditors and administrators.")
class CabBoard(Node):
    name: str = about("The name.")
    active: bool | None = about("Whether it still meets; null when the tool does not say.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    manager: Person | None = to_one("Person", "manager_id", "Who leads it; null where the viewer may not see him.")


@shown(boards.CabAgendaItem, "One change on the agenda of one meeting. For auditors and administrators.")
class CabAgendaItem(Node):
    position: int | None = about("Place on the agenda.")
    source_state: str | None = about(SOURCE_STATE)
    source_decision: str | None = about("The tool's word for what was decided; it decides nothing here.")
    allotted_seconds: BigInt | None = about("Seconds that were planned for it.")
    elapsed_seconds: BigInt | None = about("Seconds that it took.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    meeting: "CabMeeting | None" = to_one("CabMeeting", "meeting_id", "The meeting.")
    change: Change | None = to_one("Change", "change_id", "The change.")


@shown(boards.CabMeeting, "One meeting of a board. For auditors and administrators.")
class CabMeeting(Node):
    name: str = about("The name.")
    state: MeetingState | None = about("How far it is; null when the tool's word has no meaning here yet.")
    source_state: str | None = about(SOURCE_STATE)
    starts_at: datetime | None = about("When it begins.")
    ends_at: datetime | None = about("When it ends.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    board: CabBoard | None = to_one("CabBoard", "board_id", "The board that meets.")
    agenda: list[CabAgendaItem] = bounded(
        "CabAgendaItem",
        ("id",),
        lambda c, keys: c.meeting_id == keys[0],
        ("position", "id"),
        100,
        "The changes on its agenda, in their order.",
    )


__all__ = ["CabAgendaItem", "CabBoard", "CabMeeting"]
