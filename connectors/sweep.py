"""Everything that a tool holds against everything that the mirror holds: misses, silent rights, deletes.

A key set says which records stand in the tool, in which version. What the mirror does not know, or knows older, is read
again; so is what it knows newer than can be (connectors/heads.py), as after a rollback or a restore. What the mirror
has and a complete set has not is only suspected; it is gone when the tool has twice answered a question for it by id
with no, in two different sweeps. Nothing is deleted when too much vanishes at once: more than 50 records, or more than
1 % of them where that is more than ten, or all of them. Then the connection is DEGRADED, and the sweep HELD, until a
person says how many may go: lost rights look just like deletes. What a person let go counts no more against later
sweeps; the connection is OK again when no table is held. Rows, versions and what was paid on them stay in any case. A
record that cannot be asked for waits for the next sweep, and keeps no other from going.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.heads import COMMITTED_WITHIN
from connectors.hints import note_hints, note_suspicions
from connectors.mirror import mark_gone
from connectors.reporting import rebuild_reporting_closure
from connectors.source import Hint, KeySet, SourceRefused, SourceUnavailable
from engine.refusal import Refused
from engine.words import MirrorKind, Source
from schema.identity import mirror_id
from schema.store import DbRole, Store, copy_rows

MOST_GONE, FEW_GONE, SHARE_GONE = 50, 10, 0.01
MISSES_TO_BE_GONE = 2
LET_GO = "a person let it go"

STAGE = text(
    "create temp table if not exists stands (key text, version_no bigint, version_at timestamptz) on commit drop"
)
MIRRORED = text("""
select count(*) from mirror.record where source = :source and entity = :entity and gone_at is null
""")
# A record of ours that is gone comes back by being read.
UNKNOWN_OR_NEWER = text("""
select s.key from stands s left join mirror.record m
    on m.tenant_id = (select app.tenant()) and m.source = :source and m.entity = :entity and m.source_key = s.key
 where m.id is null or m.gone_at is not null or (s.version_no, s.version_at) > (m.version_no, m.version_at)
""")
# One that the tool has older, though ours has been committed for long, was set back there.
SET_BACK = text("""
select s.key from stands s join mirror.record m
    on m.tenant_id = (select app.tenant()) and m.source = :source and m.entity = :entity and m.source_key = s.key
 where (s.version_no, s.version_at) < (m.version_no, m.version_at) and m.version_at <= :settled_at
   and m.gone_at is null
""")
# What was shown or made since the set was begun is not missing from it.
ABSENT = text("""
select m.source_key, exists (select from ops.suspicion p where p.source = m.source and p.entity = m.entity
                                and p.source_key = m.source_key and p.why = :let_go) as let_go
  from mirror.record m
 where m.source = :source and m.entity = :entity and m.gone_at is null
   and m.shown_at < :observed_at and m.version_at < :observed_at
   and not exists (select from stands s where s.key = m.source_key)
""")
LET = text("""
update ops.suspicion set why = :let_go
 where tenant_id = (select app.tenant()) and source = :source and entity = :entity and source_key = any(:keys)
""")
THERE_AFTER_ALL = text("""
delete from ops.suspicion p using stands s
 where p.tenant_id = (select app.tenant()) and p.source = :source and p.entity = :entity and p.source_key = s.key
""")
# A no from before it was last shown says nothing: it begins to count anew.
SHOWN_SINCE = text("""
update ops.suspicion p set misses = 0, missed_at = null from mirror.record m
 where p.tenant_id = (select app.tenant()) and p.source = :source and p.entity = :entity
   and m.tenant_id = p.tenant_id and m.source = p.source and m.entity = p.entity and m.source_key = p.source_key
   and m.shown_at > p.missed_at
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

# What each table's last sweep said that could say anything. One with gaps takes nothing back.
STILL_HELD = text("""
select string_agg(entity || ': ' || coalesce(note, ''), ' ' order by entity)
  from (select distinct on (entity) entity, state, note from ops.sweep
         where source = :source and kind = 'KEYS' and state <> 'PARTIAL' order by entity, id desc) last
 where state = 'HELD'
""")
WELL_AGAIN = text("""
update ops.connection set state = 'OK', why = null, since = clock_timestamp()
 where tenant_id = (select app.tenant()) and source = :source and state <> 'OK'
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
        wanted, set_back = await _to_read_again(connection, found, scope)
        missing = (await connection.execute(ABSENT, scope | {"let_go": LET_GO})).all() if found.complete else []
        absent, fresh = [row.source_key for row in missing], [row.source_key for row in missing if not row.let_go]
        held = too_many(len(fresh), mirrored, allowed)
        if not held:
            await connection.execute(THERE_AFTER_ALL, scope)
            await connection.execute(SHOWN_SINCE, scope)
            suspected = (Hint(found.source, found.entity, key) for key in absent)
            await note_suspicions(connection, suspected, "absent from a sweep")
            if too_many(len(fresh), mirrored, 0):
                await connection.execute(LET, scope | {"keys": fresh, "let_go": LET_GO})
    note = _note(found, len(set_back), len(absent), mirrored, held)
    gone, unanswered = 0, ""
    if found.complete and not held:
        gone, unanswered = await confirm(store, found, exists, ask)
        note = f"{note} {unanswered}".strip()
    state = "HELD" if held else "DONE" if found.complete and not unanswered else "PARTIAL"
    swept = Swept(found.source, found.entity, state, len(found.keys), mirrored, wanted, len(absent), gone, note)
    await _remember(store, swept, found.observed_at)
    return swept


async def _to_read_again(
    connection: AsyncConnection, found: KeySet, scope: Mapping[str, Any]
) -> tuple[int, Sequence[str]]:
    """Note what is to be read again; how many records, and those that were set back in the tool."""
    newer = (await connection.execute(UNKNOWN_OR_NEWER, scope)).scalars().all()
    within = COMMITTED_WITHIN.get(found.source)
    settled_at = found.observed_at - (within or timedelta())
    set_back = (await connection.execute(SET_BACK, {**scope, "settled_at": settled_at})).scalars().all()
    again = {"a sweep found it newer": newer, "a sweep found it older": set_back if within else ()}
    for why, keys in again.items():
        await note_hints(connection, (Hint(found.source, found.entity, key) for key in keys), why)
    return sum(map(len, again.values())), set_back


async def could_not(store: Store, source: Source, entity: str, failed: Exception, at: datetime) -> Swept:
    """Remember that a table could not be swept, and why. Its turn comes again with that of the others."""
    swept = Swept(source, entity, "PARTIAL", 0, 0, 0, 0, 0, str(failed))
    await _remember(store, swept, at)
    return swept


def too_many(absent: int, mirrored: int, allowed: int) -> bool:
    """Whether so much is absent that a person must look first."""
    limit = max(allowed, min(MOST_GONE, max(FEW_GONE, int(mirrored * SHARE_GONE))))
    return absent > limit or (absent == mirrored > allowed and mirrored > 1)


async def confirm(store: Store, found: KeySet, exists: Exists, ask: Callable[..., Any]) -> tuple[int, str]:
    """Ask for every suspected record by id; what was twice not there is gone.

    Returns how many went, and what of them could not be asked for.
    """
    scope = {"source": found.source.value, "entity": found.entity, "observed_at": found.observed_at}
    async with store.begin(DbRole.WORKER) as connection:
        suspected = list((await connection.execute(SUSPECTED, scope)).scalars())
    answers: dict[str, bool] = {}
    unanswered: list[str] = []
    for key in suspected:
        try:
            answers[key] = await ask(exists, key)
        except (SourceRefused, SourceUnavailable, Refused) as failed:
            unanswered.append(str(failed))
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
    why = f"{len(unanswered)} records could not be asked for: {unanswered[0]}" if unanswered else ""
    return len(certain), why


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
        then = "They are read again." if found.source in COMMITTED_WITHIN else "Ours stay."
        said.append(f"{set_back} records stand in an older version than ours, as after a restore. {then}")
    return " ".join(said)


async def _remember(store: Store, swept: Swept, started_at: datetime) -> None:
    row = {
        "source": swept.source.value, "entity": swept.entity, "started_at": started_at, "state": swept.state,
        "keys": swept.keys, "mirrored": swept.mirrored, "hinted": swept.hinted, "suspected": swept.suspected,
        "gone": swept.gone, "note": swept.note or None,
    }  # fmt: skip
    async with store.begin(DbRole.WORKER) as connection:
        await connection.execute(REMEMBER, row)
        why = await connection.scalar(STILL_HELD, row)
        if why is not None:
            await connection.execute(SAY_STATE, {"source": swept.source.value, "state": "DEGRADED", "why": why})
        else:
            await connection.execute(WELL_AGAIN, row)
