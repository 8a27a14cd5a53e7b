"""How single values are written by PostgreSQL: the same texts as scalars.py makes in Python."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, case, cast, func, literal_column
from sqlalchemy import Text as SqlText

Sql = ColumnElement[Any]
QUOTE = literal_column("'\"'", SqlText)
MOMENT = literal_column('\'YYYY-MM-DD"T"HH24:MI:SS.US"Z"\'', SqlText)
UTC = literal_column("'UTC'", SqlText)


def literal(text: str) -> Sql:
    """A text of ours, as it stands in the statement."""
    return literal_column("'" + text.replace("'", "''") + "'", SqlText)


def plain(column: Sql) -> Sql:
    return cast(column, SqlText)


def quoted(text: Sql) -> Sql:
    """A text that needs no escaping, as a JSON string."""
    return QUOTE.op("||")(text).op("||")(QUOTE)


def plain_quoted(column: Sql) -> Sql:
    return quoted(plain(column))


def string(text: Sql) -> Sql:
    """Any text as a JSON string."""
    return cast(func.to_json(cast(text, SqlText)), SqlText)


def listed(column: Sql) -> Sql:
    """An array as JSON."""
    return cast(func.to_json(column), SqlText)


def moment(column: Sql) -> Sql:
    return func.to_char(func.timezone(UTC, column), MOMENT)


def moment_quoted(column: Sql) -> Sql:
    return quoted(moment(column))


def translated(column: Sql, words: Mapping[str, str], place: str) -> Sql:
    """One word for another, as a JSON string; a word that is not listed is an error at this place."""
    known = ((column == literal(stored), literal(f'"{shown}"')) for stored, shown in words.items())
    return case((column.is_(None), None), *known, else_=func.app.null_violation(literal(place)))
