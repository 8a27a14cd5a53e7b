"""The typed row of each record that moved: the columns of its kind, as the version that now stands gives them.

Decides what such a row keeps of before: what was counted beside the versions stays while all that it follows from does.
A record that became one of another kind leaves its row there as gone. Source: the temporary table `head` of the merge
(connectors/mirror.py) and the versions of the batch; every name in these statements is one of our own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.heads import Newest
from engine.words import MirrorKind
from schema.store import copy_rows
from schema.tables.mirror import TYPED

KEY_COLUMNS = ("id", "source", "source_key")
# Column that is filled beside the versions (schema/facts.py, connectors/files/links.py) -> what it follows from.
COUNTED_BESIDE: Mapping[MirrorKind, Mapping[str, tuple[str, ...]]] = {
    MirrorKind.INCIDENT: {
        "resolve_business_seconds": ("opened_at", "resolved_at"),
        "calendar_hash": ("opened_at", "resolved_at"),
    },
    **{kind: {"person_id": ("employee_number",)} for kind in (MirrorKind.EMPLOYMENT, MirrorKind.PAYROLL_RESULT)},
    MirrorKind.VENDOR_SLA_RESULT: {"vendor_id": ("vendor_name",), "service_id": ("vendor_name",)},
}


@cache
def typed_columns(kind: MirrorKind) -> tuple[str, ...]:
    """What a version gives to the typed row; the mirror itself adds the rest."""
    written = {"tenant_id", "revision_id", "gone_at", *KEY_COLUMNS}
    return tuple(name for name in TYPED[kind].model_fields if name not in written)


async def write_typed(connection: AsyncConnection, kind: MirrorKind, newest: Newest) -> None:
    """Rewrite the typed rows whose record moved to the version in this batch."""
    stage, keep = _typed_statements(kind)
    columns = typed_columns(kind)
    await connection.execute(stage)
    await connection.execute(text(f"truncate {_staging(kind)}"))
    await copy_rows(connection, _staging(kind), (*KEY_COLUMNS, *columns), _typed_rows(kind, columns, newest))
    await connection.execute(keep)


@cache
def _go(kind: MirrorKind) -> TextClause:
    table = f"mirror.{TYPED[kind].__tablename__}"
    return text(
        f"""update {table} set gone_at = cast(:at as timestamptz)
             where tenant_id = (select app.tenant()) and id = any(:ids)"""  # noqa: S608
    )


@cache
def leave(kind: MirrorKind) -> TextClause:
    """What the record was is gone, once its newest version is something else."""
    table = f"mirror.{TYPED[kind].__tablename__}"
    return text(
        f"""update {table} t set gone_at = r.version_at
              from head h join mirror.record r on r.tenant_id = (select app.tenant()) and r.id = h.id
             where h.id = :id and h.kind <> '{kind.value}' and t.tenant_id = r.tenant_id and t.id = h.id"""  # noqa: S608
    )


def _staging(kind: MirrorKind) -> str:
    return f"typed_{TYPED[kind].__tablename__}"


def _kept(kind: MirrorKind, column: str) -> str:
    """What a column becomes: what was counted beside the record stays while all that it follows from does."""
    causes = COUNTED_BESIDE.get(kind, {}).get(column)
    if causes is None:
        return f"excluded.{column}"
    same = " and ".join(f"here.{cause} is not distinct from excluded.{cause}" for cause in causes)
    return f"case when {same} then here.{column} end"


@cache
def _typed_statements(kind: MirrorKind) -> tuple[TextClause, TextClause]:
    """Make the temporary table of a kind; merge it. Every name in them is one of our own tables or columns."""
    table, columns = f"mirror.{TYPED[kind].__tablename__}", typed_columns(kind)
    listed = ", ".join((*KEY_COLUMNS, *columns))
    given = ", ".join(f"t.{column}" for column in (*KEY_COLUMNS, *columns))
    updated = ", ".join(f"{column} = {_kept(kind, column)}" for column in ("revision_id", "gone_at", *columns))
    stage = f"""create temp table if not exists {_staging(kind)} on commit delete rows as
                select {listed} from {table} with no data"""  # noqa: S608
    keep = f"""insert into {table} as here (tenant_id, {listed}, revision_id, gone_at)
               select (select app.tenant()), {given}, h.revision_id, h.gone_at
                 from head h join {_staging(kind)} t on t.id = h.id order by t.id
               on conflict (tenant_id, id) do update set {updated}"""  # noqa: S608
    return text(stage), text(keep)


def _typed_rows(kind: MirrorKind, columns: Iterable[str], newest: Newest) -> Iterator[tuple[Any, ...]]:
    names = tuple(columns)
    for record_id, version in newest:
        if version.kind is kind:
            get = version.values.get
            yield (record_id, version.source, version.key, *[get(name) for name in names])


async def typed_gone(connection: AsyncConnection, rows: Sequence[Any], at: datetime | None) -> frozenset[MirrorKind]:
    """What the records (id, kind) are called in the typed tables goes or comes back with them."""
    kinds = frozenset(MirrorKind(row.kind) for row in rows)
    for kind in sorted(kinds):
        await connection.execute(_go(kind), {"ids": [row.id for row in rows if row.kind == kind], "at": at})
    return kinds
