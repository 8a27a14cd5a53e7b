"""What can be followed: one field for each kind of change. Each is what the viewer may see of it.

A field answers with the changes of streams/watch.py as they come; every one of them is then executed as a query of its
own (streams/following.py). Cases do not stand here: there are none yet.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import strawberry
from sqlalchemy import RowMapping
from strawberry.types import Info

from api.graphql import arguments as given
from api.graphql.binding import TYPES, by_key
from api.graphql.context import Context
from api.graphql.narrowing import wanted
from api.graphql.streams.watch import Watch, encoded
from api.graphql.types.changes import AwardChange, PayoutBatchChange, ScoreChange
from api.graphql.types.exports import BulkExport
from api.ids import parsed
from engine.feed_words import BulkState, ChangeKind, ScoreChangeReason
from engine.refusal import Code, Refused
from engine.words import AwardState, PayFileState

UNDER_WAY = (BulkState.QUEUED.value, BulkState.RUNNING.value)
AFTER = "Go on behind this cursor, as after a connection that was lost; from now on when left out."
After = Annotated[str | None, strawberry.argument(description=AFTER)]
# kind -> the type of the row, and the event of a change
SOURCES: dict[ChangeKind, tuple[str, Any]] = {
    ChangeKind.SCORE: ("Score", lambda row, **at: ScoreChange(reason=ScoreChangeReason(row["reason"]), **at)),
    ChangeKind.AWARD: ("Award", lambda row, **at: AwardChange(state=AwardState(row["reason"]), **at)),
    ChangeKind.PAYOUT_BATCH: (
        "PayoutBatch",
        lambda row, **at: PayoutBatchChange(state=PayFileState(row["reason"]), **at),
    ),
}
TARGETS = {
    ScoreChange: "Score",
    AwardChange: "Award",
    PayoutBatchChange: "PayoutBatch",
    BulkExport: "BulkExport",
}


@dataclass(frozen=True, slots=True)
class Watching(Context):
    """What a field of a subscription may reach; `watch` is None where nothing is watched."""

    watch: Watch | None = None


Watched = Info[Watching, None]


async def _changes(info: Watched, kind: ChangeKind, which: Any, after: str | None) -> AsyncGenerator[Any, None]:
    watch = info.context.watch
    assert watch is not None  # noqa: S101 - only streams subscribe, and it watches
    name, event = SOURCES[kind]
    table, place = TYPES[name].table, after if isinstance(after, str) else None
    narrow = [each.sql(table.c) for each in wanted(which)]
    async with aclosing(watch.changes(kind, table, narrow, place)) as rows:
        async for row in rows:
            yield event(row, **_place(kind, row))


def _place(kind: ChangeKind, row: RowMapping) -> dict[str, Any]:
    return {"cursor": encoded(kind, row), "occurred_at": row["at"], "row_id": row["row_id"]}


def target_of(event: Any) -> tuple[str, UUID]:
    """The type and key of the row that an event is about."""
    return TARGETS[type(event)], event.id if isinstance(event, BulkExport) else event.row_id


def followed(description: str) -> Callable[[Callable[..., Any]], Any]:
    """A field whose method answers with one event after the other."""
    return lambda method: strawberry.subscription(resolver=method, description=description)


def _which(about: str) -> Any:
    return strawberry.argument(description=f"Which ones, as they are by now; {{}} means {about}.")


@strawberry.type(description="Everything that can be followed as it happens.")
class Subscription:
    @followed("Scores that a newer run finds to be different, or for the first time; who sees them, see `scores`.")
    async def score_changed(
        self,
        info: Watched,
        filter: Annotated[given.ScoreFilter, _which("all that the viewer may read")],
        after: After = strawberry.UNSET,
    ) -> AsyncGenerator[ScoreChange, None]:
        async for each in _changes(info, ChangeKind.SCORE, filter, after):
            yield each

    @followed("Awards that are submitted, decided, handed over or paid; who sees them, see `awards`.")
    async def award_changed(
        self,
        info: Watched,
        filter: Annotated[given.AwardFilter, _which("all that the viewer may read")],
        after: After = strawberry.UNSET,
    ) -> AsyncGenerator[AwardChange, None]:
        async for each in _changes(info, ChangeKind.AWARD, filter, after):
            yield each

    @followed("Payout files that are made, released, fetched, answered or paid; for HR, finance, payroll and auditors.")
    async def payout_batch_changed(
        self,
        info: Watched,
        filter: Annotated[given.PayoutBatchFilter, _which("all that the viewer may read")],
        after: After = strawberry.UNSET,
    ) -> AsyncGenerator[PayoutBatchChange, None]:
        async for each in _changes(info, ChangeKind.PAYOUT_BATCH, filter, after):
            yield each

    @followed("An export as it goes on: now, whenever more was read, and its end; for its requester and auditors.")
    async def bulk_export_changed(
        self, info: Watched, id: Annotated[strawberry.ID, strawberry.argument(description="Which export.")]
    ) -> AsyncGenerator[BulkExport, None]:
        watch, found = info.context.watch, parsed(id)
        assert watch is not None  # noqa: S101 - only streams subscribe, and it watches
        last: tuple[str, int] | None = None
        while last is None or last[0] in UNDER_WAY:
            rung = watch.bell.rung(watch.viewer.tenant_id, "EXPORT")
            async with watch.reading() as reading:
                key = found[1] if found and found[0] == "BulkExport" else None
                export = await by_key(reading, "BulkExport", key)
            if export is None:
                raise Refused(Code.NOT_FOUND, "There is no such export.", "Take its id from startBulkExport.", ("id",))
            if last != (export.state, export.rows):
                last = (export.state, export.rows)
                yield export
            if last[0] in UNDER_WAY:
                await watch.wait("EXPORT", rung)
