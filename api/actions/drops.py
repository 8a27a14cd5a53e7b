"""Files that people hand over: looked at without writing anything, or loaded with a right, an audit entry and a record.

Decides whether a file is taken: not when more of its rows are rejected than its data contract allows (unless somebody
says that the rest is wanted), not when it holds data of a supplier with whom no agreement holds. File, entry and pages
are one transaction; loading the same file again changes nothing, and a file that is older than what stands replaces
nothing. Refused: BAD_INPUT, INPUT_TOO_LARGE, NO_ACTIVE_AGREEMENT, ACCESS_DENIED.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions import agreements
from api.actions.audit import Log
from api.actions.contracts import in_use
from api.actions.rights import Action, require
from api.contracts import Contract
from api.settings import Settings
from connectors.drain import drain, take_in
from connectors.files import links
from connectors.files.contract import DROPS
from connectors.files.drop import PARTY, Judgement, Reading, judge, pages
from connectors.files.sheet import digest
from connectors.rules import Verdict
from connectors.source import Page
from engine.refusal import Code, Refused
from engine.words import Source
from schema.identity import NAMESPACE, mirror_id
from schema.store import DbRole, Store, Viewer

RIGHT: Mapping[Source, Action] = {
    Source.HRIS: Action.EMPLOYMENT_LOAD, Source.FINANCE: Action.BUDGET_LOAD,
    Source.PAYROLL: Action.PAYROLL_RESULT_LOAD, Source.VENDOR: Action.VENDOR_RESULT_LOAD,
}  # fmt: skip
BATCH_ROWS = 5_000
STANDING = text("""
select case when r.id is null or r.gone_at is not null then 'new'
            when (r.version_no, r.payload_hash) = (n.version_no, n.hash) then 'same'
            when r.version_no > n.version_no then 'older'
            when r.payload_hash = n.hash then 'same' else 'changed' end as how, count(*) as rows
  from unnest(cast(:ids as uuid[]), cast(:versions as bigint[]), cast(:hashes as bytea[])) as n (id, version_no, hash)
  left join mirror.record r on r.tenant_id = (select app.tenant()) and r.id = n.id group by 1
""")
LISTED = text("""
select loaded_at, source, entity, name, sha256, rows, passed, warned, rejected, loaded_by from ops.file_drop
 order by loaded_at desc, id
""")
KEEP = text("""
insert into ops.file_drop (tenant_id, id, source, entity, name, sha256, rows, passed, warned, rejected, loaded_by,
                           loaded_at)
values ((select app.tenant()), :id, :source, :entity, :name, :sha256, :rows, :passed, :warned, :rejected, :by, :now)
on conflict (tenant_id, id) do nothing
""")


@dataclass(frozen=True, slots=True)
class Looked:
    """A file that was judged, and under what."""

    contract: Contract
    reading: Reading
    found: Judgement
    standing: Counter[str]

    def report(self, kind: str) -> dict[str, Any]:
        """Counts first; then what is wrong, row by row in the order of the file."""
        found = self.found
        return {
            "kind": kind, "file": found.sheet.path.name, "sha256": found.sheet.sha256, "contract": self.contract.hash,
            "as_of": self.reading.as_of, "rows": found.rows,
            **{verdict.value: found.verdicts[verdict] for verdict in Verdict},
            "mirror": {how: self.standing[how] for how in ("new", "changed", "same", "older")},
            "codes": dict(sorted(found.codes.items())), "ignored_columns": list(found.sheet.ignored),
            "not_covered": sorted(found.not_covered),
            "faults": [asdict(fault) for fault in sorted(found.faults, key=lambda fault: fault.line)],
            "faults_not_shown": sum(found.codes.values()) - len(found.faults),
        }  # fmt: skip


async def listed(store: Store) -> list[dict[str, Any]]:
    """Every file that was loaded, the newest first."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        return [dict(row) for row in (await connection.execute(LISTED)).mappings()]


async def vendor_fields(store: Store, settings: Settings) -> frozenset[str]:
    """What suppliers may tell us, by the names of our fields: an agreement says which of it they may."""
    contract = await in_use(store, settings, Source.VENDOR)
    return frozenset(field.name for field in contract.tool.fields) - {PARTY}


def source_of(kind: str) -> Source:
    if kind not in DROPS:
        raise Refused(Code.BAD_INPUT, f"{kind!r} is not a kind of file.", f"Use one of: {', '.join(DROPS)}.", ("kind",))
    return DROPS[kind]


async def look(
    store: Store, settings: Settings, kind: str, path: Path, as_of: datetime | None, now: datetime
) -> Looked:
    """Judge a file. Nothing is written."""
    source = source_of(kind)
    at = as_of if as_of is None or as_of.tzinfo else as_of.replace(tzinfo=UTC)
    if at is not None and at > now:
        what = f"The file is said to be as of {at:%Y-%m-%d %H:%M} UTC, which is later than now."
        raise Refused(Code.BAD_INPUT, what, "Give the moment at which it was exported.", ("as_of",))
    contract = await in_use(store, settings, source)
    cover = None
    if source is Source.VENDOR:
        async with store.begin(DbRole.WORKER, read_only=True) as connection:
            cover = agreements.covers(await agreements.in_force(connection), now.date())
    reading = Reading(contract.tool, contract.terms.rules, at, now, cover)
    found = await asyncio.to_thread(judge, path, reading)
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        standing = await _standing(connection, contract, found)
    return Looked(contract, reading, found, standing)


async def _standing(connection: AsyncConnection, contract: Contract, found: Judgement) -> Counter[str]:
    """How the rows that would be taken stand to the mirror."""
    counted: Counter[str] = Counter()
    waiting = iter(found.taken.items())
    while batch := list(islice(waiting, BATCH_ROWS)):
        given = {
            "ids": [mirror_id(contract.source, contract.tool.entity, key) for key, _ in batch],
            "versions": [version for _, (_, _, version, _) in batch],
            "hashes": [hashed for _, (_, hashed, _, _) in batch],
        }
        counted.update({row.how: row.rows for row in await connection.execute(STANDING, given)})
    return counted


async def preview(
    store: Store, settings: Settings, kind: str, path: Path, as_of: datetime | None, now: datetime
) -> dict[str, Any]:
    """What loading the file would do, row by row. Nothing is written."""
    return (await look(store, settings, kind, path, as_of, now)).report(kind)


async def load(
    store: Store, log: Log, viewer: Viewer, settings: Settings, kind: str, path: Path, as_of: datetime | None,
    now: datetime, *, partial: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """Take what can be taken of the file, and mirror it."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, RIGHT[source_of(kind)])
    looked = await look(store, settings, kind, path, as_of, now)
    _acceptable(looked, partial)
    new = await _keep(store, log, viewer, kind, looked, now)
    drained = await drain(store, {looked.contract.source: looked.contract.translator})
    async with store.begin(DbRole.WORKER) as connection:
        await links.join(connection)
        open_links = await _unjoined(connection, looked.contract)
    return {**looked.report(kind), "new": new, "records_moved": drained.heads, "unjoined": open_links}


def _acceptable(looked: Looked, partial: bool) -> None:
    found = looked.found
    if found.without_agreement:
        vendors = ", ".join(sorted(found.without_agreement))
        raise Refused(
            Code.NO_ACTIVE_AGREEMENT,
            f"No data-sharing agreement is active with: {vendors}. Nothing of the file was loaded.",
            "Put one in force (evenhand agreement propose, test, activate), or take these rows out of the file.",
        )
    rejected, most = found.verdicts[Verdict.REJECT], looked.contract.tool.most_rejected
    if not found.taken:
        raise _refused(looked, "No row of it can be taken", "Correct the file; evenhand drop preview lists every row.")
    if rejected and Fraction(rejected, found.rows) > most and not partial:
        what = f"{rejected} of its {found.rows} rows are rejected, and the data contract allows {float(most):.1%}"
        raise _refused(looked, what, "Correct the rows that evenhand drop preview lists, or load the rest: --partial.")


def _refused(looked: Looked, what: str, fix: str) -> Refused:
    first = next((f" (line {f.line}: {f.what})" for f in looked.found.faults if f.verdict is Verdict.REJECT), "")
    return Refused(Code.BAD_INPUT, f"{looked.found.sheet.path.name}: {what}{first}. Nothing was loaded.", fix)


async def _keep(store: Store, log: Log, viewer: Viewer, kind: str, looked: Looked, now: datetime) -> bool:
    """File, entry and pages in one transaction. False when this very file was loaded before."""
    found, contract = looked.found, looked.contract
    as_of = looked.reading.as_of.isoformat() if looked.reading.as_of else "of its rows"
    once = f"drop:{viewer.tenant_id}:{kind}:{found.sheet.sha256}:{as_of}:{contract.hash}"
    counts = {"rows": found.rows, **{verdict.value: found.verdicts[verdict] for verdict in Verdict}}
    row = {
        "id": uuid5(NAMESPACE, once), "source": contract.source, "entity": contract.tool.entity,
        "name": found.sheet.path.name, "sha256": found.sheet.sha256, "rows": found.rows,
        "passed": found.verdicts[Verdict.PASS], "warned": found.verdicts[Verdict.WARN],
        "rejected": found.verdicts[Verdict.REJECT], "by": viewer.person_id, "now": now,
    }  # fmt: skip
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, RIGHT[contract.source])
        new = (await connection.execute(KEEP, row)).rowcount == 1
        if new:
            data = {"kind": kind, "sha256": found.sheet.sha256, "as_of": as_of, "contract": contract.hash, **counts}
            await log.record(
                connection, viewer, ty="file.loaded/v1", object_type="file_drop", object_id=str(row["id"]), at=now,
                data={**data, "not_covered": sorted(found.not_covered)},
            )  # fmt: skip
        waiting = pages(found, looked.reading)
        while (page := await asyncio.to_thread(_next, waiting)) is not None:
            await take_in(connection, [page])
        if await asyncio.to_thread(digest, found.sheet.path) != found.sheet.sha256:
            raise _refused(looked, "It changed while it was read", "Load it again when nobody writes to it.")
    return new


def _next(waiting: Any) -> Page | None:
    return next(waiting, None)


async def _unjoined(connection: AsyncConnection, contract: Contract) -> int:
    """Rows of this source that lead to nobody, or to nothing."""
    found = await connection.scalar(
        text("select count(*) from mirror.data_issue where source = :source and state = 'OPEN' and code = :code"),
        {"source": contract.source, "code": "REFERENCE_MISSING"},
    )
    return int(found or 0)
