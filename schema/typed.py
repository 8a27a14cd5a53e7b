"""What the typed rows of each kind hold: the columns that a connector fills, and what type each of them has.

Source: the tables themselves (schema/tables). So rules, definitions and reports can name a column and be refused where
there is none, and no name that a person writes ever becomes a part of a statement by itself.
"""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import Table
from sqlmodel.sql.sqltypes import AutoString

from engine.words import MirrorKind
from schema.tables.mirror import TYPED

WRITTEN_BY_THE_MIRROR = frozenset({"tenant_id", "id", "source", "source_key", "revision_id", "gone_at"})


def table_of(kind: MirrorKind) -> Table:
    table: Table = TYPED[kind].__table__  # type: ignore[attr-defined]
    return table


@cache
def columns_of(kind: MirrorKind) -> Mapping[str, type]:
    """Our column -> the Python type of its values, in the order of the table."""
    return {
        column.name: str if isinstance(column.type, AutoString) else column.type.python_type
        for column in table_of(kind).columns
        if column.name not in WRITTEN_BY_THE_MIRROR
    }


def may_be_unknown(kind: MirrorKind, column: str) -> bool:
    return bool(table_of(kind).c[column].nullable)
