"""Everything that a tool holds against everything that the mirror holds: misses, silent rights, deletes.

A key set says which records stand in the tool, in which version. What the mirror does not know, or knows older, is read
again. What the mirror has and a complete set has not is only suspected; it is gone when the tool has twice answered a
question for it by id with no, in two different sweeps. Nothing is deleted when too much vanishes at once: more than 50
records, or more than 1 % of them where that is more than ten, or all of them. Then the connection is DEGRADED, and the
sweep HELD, until a person says how many may go: lost rights look just like deletes. Rows, versions and what was paid on
them stay in any case.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.hints import note_hints, note_suspicions
from connectors.mirror import mark_gone
from connectors.reporting import rebuild_reporting_closure
from connectors.source import Hint, KeySet
from engine.words import MirrorKind, Source
from schema.identity import mirror_id
from schema.store import DbRole, Store, copy_rows

MOST_GONE, FEW_GONE, SHARE_GONE = 50, 10, 0.01
MISSES_TO_BE_GONE = 2

STAGE = text(
    "create temp table if not exists stands (key text, version_no bigint, version_at timestamptz) on commit drop"
)
MIRRORED = text("""
select count(*) from mirror.record where source = :source and entity = :entity and gone_at is null
""")
# A record of ours that is gone comes back by being read; one that the tool has older was set back there, and stays.
UNKNOWN_OR_NEWER = text("""
select s.key from stands s left join mirror.record m
    on m.tenant_id = (select app.tenant()) and m.source = :source and m.entity = :entity and m.source_key = s.key
 where m.id is null or m.gone_at is not null or (s.version_no, s.version_at) > (m.version_no, m.version_at)
""")
SET_BACK = text("""
select count(*) from stands s join mirror.record m
    on m.tenant_id = (select app.tenant()) and m.source = :source and m.entity = :entity and m.source_key = s.key
 where (s.version_no, s.version_at) < (m.version_no, m.version_at) and m.version_at < :observed_at
""")
# What was shown or made since the set was begun is not missing from it.
ABSENT = text("""
select m.source_key from mirror.record m
 where m.source = :source and m.entity = :entity and m.gone_at is null
   and m.shown_at < :observed_at and m.version_at < :observed_at
   and not exists (select from stands s where s.key = m.source_key)
""")
THERE_AFTER_ALL = text("""
delete from ops.suspicion p using stands s
 where p.tenant_id = (select app.tenant()) and p.source = :source and p.entity = :entity and p.source_key = s.key
""")
SUSPECTED = text("""
select source_key, misses from ops.suspicion
 where source = :source and entity = :entity and (missed_at is null or missed_at < :observed_at) order by source_key
""")
FOUND = text("delete from ops.suspicion where source = :source and entity = :entity and source_key = any(:keys)")
MISSED = text("""
update ops.suspicion set misses = least(misses + 1, 32767), missed_at = :observed_at
 where tenant_id = (select app.tenant()) and source = :source and entity = :entity and source_key = any(:keys)
returning source_key, misses
""")
BELOW = text("""
select id from mirror.record
 where source = :source and gone_at is null
   and (source_key = :key or (source_key ~>=~ :first and source_key ~<~ :after))
""")
REMEMBER = text("""
insert into ops.sweep (tenant_id, source, entity, kind, started_at, finished_at, state, keys, mirrored, hinted,
                       suspected, gone, note)
values ((select app.tenant()), :source, :entity, 'KEYS', :started_at, clock_timestamp(), :state, :keys, :mirrored,
        :hinted, :suspected, :gone, :note)
""")
SAY_STATE = text("""
insert into ops.connection as here (tenant_id, source, state, why, since)
values ((select app.tenant()), :source, :state, :why, clock_timestamp())
on conflict (tenant_id, source) do update set state = excluded.state, why = excluded.why,
  since = case when here.state = excluded.state then here.since else excluded.since end
""")

Exists = Callable[[str], bool]  # asks the tool for one record by id; raises when it gives neither yes nor no


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found: records to read again, absent ones, and those that are gone for certain."""

    source: Source
    entity: str
    state: str  # DONE, PARTIAL (the set was not complete), HELD (too much is absent)
    keys: int
    mirrored: int
    hinted: int
    suspected: int
    gone: int
    note: str


async def compare(store: Store, found: KeySet, exists: Exists, ask: Callable[..., Any], allowed: int = 0) -> Swept:
    """Compare a key set with the mirror. `ask` runs `exists` off the loop; `allowed` is how many a person lets go.

    The tool is asked between two transactions, so that none of them waits for it.
    """
    scope = {"source": found.source.value, "entity": found.entity, "observed_at": found.observed_at}
    async with store.begin(DbRole.WORKER) as connection:
        mirrored = int(await connection.scalar(MIRRORED, scope) or 0)
        await connection.execute(STAGE)
        await copy_rows(
            connection, "stands", ("key", "version_no", "version_at"),
            ((key.key, key.version_no, key.version_at) for key in found.keys),
        )  # fmt: skip
        wanted = list((await connection.execute(UNKNOWN_OR_NEWER, scope)).scalars())
        await note_hints(
            connection, (Hint(found.source, found.entity, key) for key in wanted), "a sweep found it newer"
        )
        set_back = int(await connection.scalar(SET_BACK, scope) or 0)
        absent = list((await connection.execute(ABSENT, scope)).scalars()) if found.complete else []
        held = too_many(len(absent), mirrored, allowed)
        if not held:
            await connection.execute(THERE_AFTER_ALL, scope)
            suspected = (Hint(found.source, found.entity, key) for key in absent)
            await note_suspicions(connection, suspected, "absent from a sweep")
    note = _note(found, set_back, len(absent), mirrored, held)
    gone = 0
    if found.complete and not held:
        gone = await confirm(store, found, exists, ask)
    state = "HELD" if held else "DONE" if found.complete else "PARTIAL"
    swept = Swept(found.source, found.entity, state, len(found.keys), mirrored, len(wanted), len(absent), gone, note)
    await _remember(store, swept, found.observed_at)
    return swept


def too_many(absent: int, mirrored: int, allowed: int) -> bool:
    """Whether so much is absent that a person must look first."""
    limit = max(allowed, min(MOST_GONE, max(FEW_GONE, int(mirrored * SHARE_GONE))))
    return absent > limit or (absent == mirrored > allowed and mirrored > 1)


async def confirm(store: Store, found: KeySet, exists: Exists, ask: Callable[..., Any]) -> int:
    """Ask for every suspected record by id; what was twice not there is gone. Returns how many went."""
    scope = {"source": found.source.value, "entity": found.entity, "observed_at": found.observed_at}
    async with store.begin(DbRole.WORKER) as connection:
        suspected = list((await connection.execute(SUSPECTED, scope)).scalars())
    answers = {key: await ask(exists, key) for key in suspected}
    there = [key for key, yes in answers.items() if yes]
    missing = [key for key, yes in answers.items() if not yes]
    async with store.begin(DbRole.WORKER) as connection:
        if there:
            await connection.execute(FOUND, scope | {"keys": there})
            await note_hints(
                connection, (Hint(found.source, found.entity, key) for key in there), "it is there after all"
            )
        missed = (await connection.execute(MISSED, scope | {"keys": missing})).all() if missing else []
        certain = [row.source_key for row in missed if row.misses >= MISSES_TO_BE_GONE]
        await let_go(connection, found, certain)
    return len(certain)


async def let_go(connection: AsyncConnection, found: KeySet, keys: Sequence[str]) -> None:
    """Mark these records gone, and what stands below them in the tool (`20417:…` below issue 20417)."""
    if not keys:
        return
    ids = [record_id for key in keys if (record_id := mirror_id(found.source, found.entity, key))]
    if found.source is Source.JIRA:
        for key in keys:
            below = {"source": found.source.value, "key": key, "first": f"{key}:", "after": f"{key};"}
            ids += list((await connection.execute(BELOW, below)).scalars())
    kinds = await mark_gone(connection, ids, found.observed_at)
    await connection.execute(FOUND, {"source": found.source.value, "entity": found.entity, "keys": list(keys)})
    if MirrorKind.PERSON in kinds:
        await rebuild_reporting_closure(connection)


def _note(found: KeySet, set_back: int, absent: int, mirrored: int, held: bool) -> str:
    said = []
    if not found.complete:
        said.append(found.why or "The set is not complete; nothing was compared for deletes.")
    if held:
        said.append(
            f"{absent} of {mirrored} records are absent. Nothing was removed. See whether the integration account has "
            "lost rights; if they were deleted, say how many may go."
        )
    if set_back:
        said.append(f"{set_back} records stand in an older version than ours, as after a restore. Ours stay.")
    return " ".join(said)


async def _remember(store: Store, swept: Swept, started_at: datetime) -> None:
    row = {
        "source": swept.source.value, "entity": swept.entity, "started_at": started_at, "state": swept.state,
        "keys": swept.keys, "mirrored": swept.mirrored, "hinted": swept.hinted, "suspected": swept.suspected,
        "gone": swept.gone, "note": swept.note or None,
    }  # fmt: skip
    async with store.begin(DbRole.WORKER) as connection:
        await connection.execute(REMEMBER, row)
        if swept.state == "HELD":
            why = f"{swept.entity}: {swept.note}"
            await connection.execute(SAY_STATE, {"source": swept.source.value, "state": "DEGRADED", "why": why})
