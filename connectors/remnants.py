"""What no longer belongs to a record: sets that a tool tells completely are replaced, never added to.

An approver who was taken off, a clock that was recomputed under other starts: the tool does not delete them, it just no
longer tells them. What a complete answer leaves out, and no later answer has shown, is gone since that answer.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import cache

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.mirror import mark_gone
from connectors.reading import Reading
from connectors.source import Whole
from engine.words import MirrorKind, Source


@cache
def left_out(source: Source) -> TextClause:
    """What stands below records of this tool and is not among the keys of their sets.

    The operators compare bytes, whatever the database's language. They find the index of what stands below a record
    only where the name of the tool stands in the statement itself: else every page reads all of its table.
    """
    return text(
        f"""select m.id from unnest(cast(:entities as text[]), cast(:prefixes as text[]), cast(:keys as text[]))
                               as w (entity, prefix, keys)
             cross join lateral (
                   select r.id, r.source_key from mirror.record r
                    where r.tenant_id = (select app.tenant()) and r.source = '{source.value}' and r.entity = w.entity
                      and r.source_key ~>=~ w.prefix and r.source_key ~<~ (w.prefix || chr(1114111))
                      and r.gone_at is null and r.shown_at < :at offset 0) m
            where not m.source_key = any(string_to_array(w.keys, chr(10)))"""  # noqa: S608 - one of our own words
    )


async def let_remnants_go(connection: AsyncConnection, readings: Iterable[Reading]) -> frozenset[MirrorKind]:
    """Mark gone what the complete sets of these deliveries leave out. Returns the kinds of what went."""
    told: dict[tuple[datetime, Source], dict[tuple[str, str], Whole]] = defaultdict(dict)
    for reading in readings:
        for whole in reading.wholes:
            if reading.observed_at is not None:
                told[reading.observed_at, whole.source][whole.entity, whole.prefix] = whole
    kinds: frozenset[MirrorKind] = frozenset()
    for (at, source), wholes in sorted(told.items(), key=lambda each: each[0]):
        given = {
            "entities": [whole.entity for whole in wholes.values()],
            "prefixes": [whole.prefix for whole in wholes.values()],
            "keys": ["\n".join(sorted(whole.keys)) for whole in wholes.values()],
            "at": at,
        }
        gone = list((await connection.execute(left_out(source), given)).scalars())
        if gone:
            kinds |= await mark_gone(connection, gone, at)
    return kinds
