"""The report of changes that were implemented without the approval of their board, with what each rests on.

Source: schema/boards.py for the facts, engine/boards.py for the verdicts. It finds; asking the implementer for a
justification, and deciding about it, is a case of its own and not opened here. What is not known is listed apart.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engine.boards import Board, Policy, Skip, Verdict, judge
from schema.boards import Implemented, implemented
from schema.store import DbRole, Store


async def board_report(
    store: Store, policy: Policy, since: datetime | None = None, before: datetime | None = None
) -> dict[str, Any]:
    """Every implemented change of the period judged; those without their approval, and those that are not known."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        found = await implemented(connection, policy, since, before)
    judged = [(each, judge(policy, each.change)) for each in found]
    rows = [_row(each, skip) for each, skip in judged if skip]
    counted = Counter(row["verdict"] for row in rows)
    return {
        "owner": policy.owner,
        "implemented": len(found),
        "counts": {verdict.value: counted[verdict] for verdict in Verdict},
        "skipped": [row for row in rows if row["verdict"] != Verdict.UNKNOWN],
        "unknown": [row for row in rows if row["verdict"] == Verdict.UNKNOWN],
    }


def _row(each: Implemented, skip: Skip) -> dict[str, Any]:
    change, counted = each.change, {approval.key for approval in skip.evidence}
    approvals = [{**approval, "counted": approval["key"] in counted} for approval in each.approvals]
    return {
        "source": change.source.value, "number": change.number, "key": each.key, "revision": each.revision_id,
        "type": change.change_type, "service": each.service, "team": each.team, "implementer": change.implementer,
        "started_at": _iso(change.started_at), "closed_at": _iso(change.closed_at), "verdict": skip.verdict.value,
        "board": None if skip.board is None else Board(skip.board).value, "because": skip.because,
        "justify_by": _iso(skip.due_at), "approvals": approvals, "agenda": list(each.agenda),
    }  # fmt: skip


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def as_lines(found: Mapping[str, Any]) -> list[str]:
    """The same as text."""
    skipped, unknown = found["skipped"], found["unknown"]
    lines = [
        f"{found['implemented']} implemented changes: {len(skipped)} without their approval, {len(unknown)} not known"
    ]
    for row in (*skipped, *unknown):
        who = row["implementer"] or "implementer unknown"
        due = f", justify by {row['justify_by'][:16]} UTC" if row["justify_by"] else ""
        lines.append(f"{row['verdict']:<14} {row['source']} {row['number']} {row['type'] or '-'}: {row['because']}")
        lines.append(f"{'':<14} work began {row['started_at'] or 'at an unknown moment'}, {who}{due}")
        for proof in row["approvals"]:
            at, other = proof["decided_at"] or "moment unknown", "" if proof["counted"] else ", not of this board"
            lines.append(f"{'':<14} - {proof['state'] or '?'} by {proof['by'] or '?'} ({at}) {proof['key']}{other}")
        for item in row["agenda"]:
            lines.append(f"{'':<14} - on the agenda of {item['meeting'] or '?'} ({item['meeting_at'] or '?'})")
    return lines
