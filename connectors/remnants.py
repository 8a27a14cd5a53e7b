"""What no longer belongs to a record: sets that a tool tells completely are replaced, never added to.

An approver who was taken off, a clock that was recomputed under other starts: the tool does not delete them, it just no
longer tells them. What a complete answer leaves out, and no later answer has shown, is gone since that answer.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.mirror import mark_gone
from connectors.reading import Reading
from connectors.source import Whole
from engine.words import MirrorKind

# The operators compare bytes, whatever the database's language, and so find the index of what stands below a record.
LEFT_OUT = text("""
select m.id from unnest(cast(:sources as text[]), cast(:entities as text[]), cast(:prefixes as text[]),
                        cast(:keys as text[])) as w (source, entity, prefix, keys)
  join mirror.record m on m.tenant_id = (select app.tenant()) and m.source = w.source and m.entity = w.entity
   and m.source_key ~>=~ w.prefix and m.source_key ~<~ (w.prefix || chr(1114111))
 where m.gone_at is null and m.shown_at < :at and not m.source_key = any(string_to_array(w.keys, chr(10)))
""")


async def let_remnants_go(connection: AsyncConnection, readings: Iterable[Reading]) -> frozenset[MirrorKind]:
    """Mark gone what the complete sets of these deliveries leave out. Returns the kinds of what went."""
    told: dict[datetime, dict[tuple[str, str, str], Whole]] = defaultdict(dict)
    for reading in readings:
        for whole in reading.wholes:
            if reading.observed_at is not None:
                told[reading.observed_at][whole.source, whole.entity, whole.prefix] = whole
    kinds: frozenset[MirrorKind] = frozenset()
    for at, wholes in sorted(told.items(), key=lambda each: each[0]):
        given = {
            "sources": [whole.source.value for whole in wholes.values()],
            "entities": [whole.entity for whole in wholes.values()],
            "prefixes": [whole.prefix for whole in wholes.values()],
            "keys": ["\n".join(sorted(whole.keys)) for whole in wholes.values()],
            "at": at,
        }
        gone = list((await connection.execute(LEFT_OUT, given)).scalars())
        if gone:
            kinds |= await mark_gone(connection, gone, at)
    return kinds
