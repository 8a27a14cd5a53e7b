"""The change advisory board of the made-up company at work: weekly meetings, agendas, attendance, group approvals.

The company has used the board's workbench since October: thirteen Wednesdays before `LIVE_START` and the one to come.
Every normal change that was decided since then stands on an agenda and has a group approval. Chance has a source of its
own, so that nothing else of the company depends on it.
"""

from random import Random

from connectors.sandbox.company_book import Book, Row
from connectors.sandbox.company_changes import Change
from connectors.sandbox.company_hours import DAY, HOUR, LIVE_START, MINUTE, duration, stamp
from connectors.sandbox.company_people import Staff
from connectors.sandbox.servicenow_columns import blank

MEETINGS = 14
FIRST = LIVE_START - 85 * DAY + 10 * HOUR  # Wednesday 2025-10-01 10:00:00
WEEK = 7 * DAY


def meet(book: Book, staff: Staff, changes: list[Change]) -> None:
    rng, board = Random(f"board:{book.seed}"), staff.board
    chair, people = board.manager.sys_id, [board.manager, *board.members]
    definition = {"name": "Weekly board", "description": "", "manager": chair, "board_groups": board.sys_id,
                  "active": "true"}  # fmt: skip
    kind = _put(book, "cab_definition", FIRST - WEEK, definition)
    meetings = []
    for week in range(MEETINGS):
        start = FIRST + week * WEEK
        over, called = start < LIVE_START, min(start, LIVE_START) - DAY
        row = {"name": f"Weekly board {stamp(start)[:10]}", "cab_definition": kind, "manager": chair,
               "board_groups": board.sys_id, "state": "Complete" if over else "Pending", "start": stamp(start),
               "end": stamp(start + HOUR), "auto_add_changes": "true", "pre_approved": "false"}  # fmt: skip
        meetings.append(_put(book, "cab_meeting", called, row))
        for person in people:
            came = "no response" if not over else "attended" if rng.random() < 0.85 else "absent"
            attendee = {"cab_meeting": meetings[-1], "attendee": person.sys_id, "attendance": came}
            _put(book, "cab_attendee", called, attendee)
    agenda = [0] * MEETINGS
    for change in changes:
        asked = change.kind == "normal" and change.skip not in ("absent", "unauthorized")
        if asked and change.created >= FIRST - DAY and change.decided < LIVE_START - HOUR:
            week = min((change.decided - FIRST) // WEEK, MEETINGS - 2)
            agenda[max(week, 0)] += 1
            _discuss(book, change, board.sys_id, meetings[max(week, 0)], agenda[max(week, 0)], rng)


def _discuss(book: Book, change: Change, board: str, meeting: str, place: int, rng: Random) -> None:
    verdict = "rejected" if change.refused or change.skip == "rejected" else "approved"
    item = {"cab_meeting": meeting, "task": change.sys_id, "order": str(100 * place), "state": "complete",
            "decision": verdict, "allotted_time": duration(10 * MINUTE), "short_description": change.service.name,
            "elapsed_time": duration(rng.randrange(MINUTE, 20 * MINUTE))}  # fmt: skip
    _put(book, "cab_agenda_item", change.decided, item)
    number = len(book.tables.get("sysapproval_group", {})) + 1
    approval = {"number": f"GAPRV{50000 + number:07}", "parent": change.sys_id, "assignment_group": board,
                "approval": verdict, "approval_set": stamp(change.decided), "active": "false",
                "short_description": "Approval of the board"}  # fmt: skip
    _put(book, "sysapproval_group", change.decided, approval)


def _put(book: Book, table: str, second: int, row: Row) -> str:
    """One record that has not changed since."""
    sys_id = book.new_id(table)
    book.write(table, sys_id, blank(table) | row, [(second, "flow.engine", {})])
    return sys_id
