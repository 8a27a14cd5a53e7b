"""What a reading would bring, without bringing it: pages are read and translated, and held against the mirror.

Writes nothing, not even a watermark. Its count of issues is that of single records; what only the whole mirror can tell
(a reference that leads nowhere) is not looked for.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import text

from api.feeds import EVERYTHING, LOG, Say, Scope, Watch, quiet
from api.house import House
from api.sources import connected
from connectors.drain import watermark
from connectors.reading import Delivered, Reading, read_delivery
from engine.words import Source
from schema.identity import mirror_id
from schema.store import DbRole


@dataclass(slots=True)
class Rehearsed:
    """What a reading would bring: records by entity, and how they stand to the mirror."""

    source: Source
    entity: str
    records: int = 0
    new: int = 0
    newer: int = 0
    known: int = 0
    malformed: int = 0
    issues: dict[str, int] = field(default_factory=dict)


STANDS = text("""
select r.version_no, r.version_at from unnest(cast(:ids as uuid[])) with ordinality as w (id, place)
  left join mirror.record r on r.tenant_id = (select app.tenant()) and r.id = w.id order by w.place
""")


async def rehearse(
    house: House, say: Say = LOG.info, scope: Scope = EVERYTHING, watch: Watch = quiet
) -> list[Rehearsed]:
    """Read what a sync would read and say what it would change; nothing is written anywhere."""
    sources = await connected(house.store, house.settings)
    found: dict[tuple[Source, str], Rehearsed] = {}
    for reading in sources.readings:
        if not scope.takes(reading):
            continue
        since = None if scope.whole else scope.since or await watermark(house.store, reading.source, reading.entity)
        pages = await asyncio.to_thread(reading.poll, since, scope.feed, None)
        records = 0
        found[reading.source, reading.entity] = Rehearsed(reading.source, reading.entity)
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            records += page.records if page.entity == reading.entity else 0
            watch(f"{reading.source} {reading.entity}", records, page.total)
            told = found.setdefault((page.source, page.entity), Rehearsed(page.source, page.entity))
            delivered = Delivered(0, page.source, page.entity, page.feed, page.body, page.observed_at)
            await _judge(house, told, read_delivery(delivered, sources.translators[page.source]))
            told.records += page.records
    return list(found.values())


async def _judge(house: House, told: Rehearsed, read: Reading) -> None:
    versions = [sighting.version for sighting in read.sightings]
    told.malformed += len(read.faults)
    found = Counter(issue.code.value for version in versions for issue in version.issues)
    told.issues = dict(Counter(told.issues) + found)
    ids = [mirror_id(version.source, version.entity, version.key) for version in versions]
    async with house.store.begin(DbRole.WORKER, read_only=True) as connection:
        stands = (await connection.execute(STANDS, {"ids": ids})).all()
    for version, row in zip(versions, stands, strict=True):
        newer = row.version_no is None or (version.version_no, version.version_at) > (row.version_no, row.version_at)
        told.new += row.version_no is None
        told.newer += newer and row.version_no is not None
        told.known += not newer
