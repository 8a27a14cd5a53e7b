"""What stands when a version was denied: the next one that is left may have come before, and is read once more.

The merge (connectors/mirror.py) knows what a batch holds. When a reading of the API denies the version that stood, a
lower one may be left that was stamped too late to be denied by it, as when users go on after an instance was restored.
It is taken from the mirror's own bodies and written again, as if it had come just now. One whose body was dropped, or
that the contract does not know any more, comes when the tool is asked for the record.
"""

from collections.abc import Iterable, Mapping
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.heads import COMMITTED_WITHIN
from connectors.mirror import Written, write_versions
from connectors.replay import read_again
from connectors.source import Translator
from engine.words import Source

LEFT = text("""
select m.id, m.entity, m.source_key, m.gone_at, r.version_no, r.version_at, r.feed, r.delivery_id, r.observed_at, p.body
  from mirror.record m
  join mirror.revision r on r.tenant_id = m.tenant_id and r.record_id = m.id
   and (r.version_no, r.version_at) > (m.version_no, m.version_at)
   and r.version_at > m.shown_at - cast(:within as interval)
  left join mirror.payload p on p.tenant_id = r.tenant_id and p.month = r.month and p.revision_id = r.id
 where m.tenant_id = (select app.tenant()) and m.source = :source and m.id = any(:ids)
 order by m.id, r.version_no, r.version_at
""")


async def recall(
    connection: AsyncConnection, fell: Iterable[UUID], translators: Mapping[Source, Translator]
) -> Written:
    """Let what is left of these records stand again, in the caller's transaction."""
    written, ids = Written(), list(fell)
    for source in COMMITTED_WITHIN.keys() & translators.keys() if ids else ():
        given = {"source": source.value, "ids": ids, "within": COMMITTED_WITHIN[source]}
        rows = (await connection.execute(LEFT, given)).all()
        sightings, _, _ = read_again(source, rows, translators[source], lambda entity, body: (entity, body))
        written += await write_versions(connection, sightings)
    return written
