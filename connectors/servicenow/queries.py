"""Encoded queries for an instance, built from typed literals alone.

Decides which literals may stand in a query: a sys_id, a UTC date and time, a name of a table or column, a stored choice
value. Anything else is refused with BAD_INPUT, since `^` in a value begins another condition and a value can be a
script that the instance runs. Source: Table API reference, operators of encoded queries. Times are UTC.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from connectors.servicenow.columns import SYS_ID
from engine.refusal import Code, Refused

_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")
_PATH = re.compile(r"[a-z][a-z0-9_]{0,79}(\.[a-z][a-z0-9_]{0,79})?")
_WORD = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_ .@-]{0,99}")
_STAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")


def stamp(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise Refused(Code.BAD_INPUT, f"The moment {moment} has no time zone.", "Give times in UTC.")
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def read_stamp(text: str) -> str:
    """A stamp that the instance gave, before it goes back into a query."""
    if not _STAMP.fullmatch(text):
        raise Refused(Code.BAD_INPUT, f"'{text[:40]}' is not a stamp.", "Give it as 2026-03-04 10:15:07.")
    return text


def sys_id(text: str) -> str:
    if not SYS_ID.fullmatch(text):
        raise Refused(Code.BAD_INPUT, f"'{text[:40]}' is not a sys_id.", "Give 32 hexadecimal digits.")
    return text


def name(text: str) -> str:
    """Name of a table or a column."""
    if not _NAME.fullmatch(text):
        raise Refused(Code.BAD_INPUT, f"'{text[:40]}' is not the name of a table.", "Use the table's own name.")
    return text


def one_of(column: str, words: Iterable[str]) -> str:
    """`columnINa,b` for stored choice values."""
    return f"{_column(column)}IN{','.join(_checked(word) for word in words)}"


def none_of(column: str, words: Iterable[str]) -> str:
    return f"{_column(column)}NOT IN{','.join(_checked(word) for word in words)}"


def base(only: Mapping[str, Sequence[str]], without: Mapping[str, Sequence[str]]) -> str:
    """Which records of a table are ours at all; stands before every other condition."""
    parts = [one_of(column, words) for column, words in only.items()]
    parts += [none_of(column, words) for column, words in without.items()]
    return "".join(f"{part}^" for part in parts)


def by_id(filtered: str, after: str) -> str:
    """The next page of one keyset: the order of sys_id never changes, so nothing moves while it is paged."""
    return f"{filtered}sys_id>{sys_id(after)}^ORDERBYsys_id" if after else f"{filtered}ORDERBYsys_id"


def by_time(filtered: str, time: str, after: tuple[str, str] | None) -> str:
    """The next page of a table whose rows are only ever added: those of the same second first, then later ones.

    Two whole filters, because `^OR` would bind to the condition before it alone and lose the newer rows.
    """
    order = f"^ORDERBY{time}^ORDERBYsys_id"
    if after is None:
        return f"{filtered.removesuffix('^')}{order}".removeprefix("^")
    second, last = read_stamp(after[0]), sys_id(after[1])
    return f"{filtered}{time}={second}^sys_id>{last}^NQ{filtered}{time}>{second}{order}"


def _column(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise Refused(Code.BAD_INPUT, f"'{text[:40]}' is not the name of a column.", "Use the column's own name.")
    return text


def _checked(word: str) -> str:
    if not isinstance(word, str) or not _WORD.fullmatch(word):
        raise Refused(Code.BAD_INPUT, f"'{str(word)[:40]}' cannot stand in a query.", "Use a stored choice value.")
    return word
