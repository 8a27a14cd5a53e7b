"""Rows for every table that nobody filled by hand: values of each column's type, its words, NULL where it may be NULL.

Which of them a constraint refuses is left out when they are written; what stands in the end is read back.
"""

import re
from collections.abc import Callable, Mapping
from random import Random
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import SQLModel

import schema.tables as _  # noqa: F401 - all tables are known once they are imported
from engine.words import Feed, Source
from schema.tables import mirror, money, scores
from tests.api.graphql.generated.organisation import Organisation
from tests.api.graphql.generated.values import BIGS, CURRENCIES, DAYS, DECIMALS, INTS, MOMENTS, TEXTS, fresh

SCHEMAS = ("access", "feed", "ledger", "mirror", "ops", "pay", "score")
LEFT_EMPTY = ("bucket", "payload", "security_digest", "tenant")
WORDS = re.compile(r"(\w+) in \(('[^)]*')\)")
ROWS = 12
KNOWN: Mapping[str, Any] = {
    "service": mirror.Service, "team": mirror.Team, "run": scores.Run, "cycle": scores.Cycle, "award": money.Award,
    "file": money.File, "vendor": mirror.Vendor, "problem": mirror.Problem, "incident": mirror.Incident,
    "change": mirror.Change, "task": mirror.Incident, "definition": mirror.SlaDefinition,
}  # fmt: skip
OURS = {"source": Source, "feed": Feed}  # words of ours, also where no CHECK says so
VALUES: tuple[tuple[type[Any], Callable[[Random], Any]], ...] = (
    (sa.Boolean, lambda rng: rng.random() < 0.5),
    (sa.SmallInteger, lambda rng: rng.choice([1, 2, 3, 4, 5, 0, -1, 2**15 - 1])),
    (sa.BigInteger, lambda rng: rng.choice([*BIGS, 7, 8, 9])),
    (sa.Integer, lambda rng: rng.choice([1, 2, 3, *INTS])),
    (sa.Numeric, lambda rng: rng.choice(DECIMALS)),
    (sa.DateTime, lambda rng: rng.choice(MOMENTS)),
    (sa.Date, lambda rng: rng.choice(DAYS)),
    (sa.LargeBinary, lambda rng: rng.choice([b"", b"x", b"\x00\xff" * 16])),
    (sa.JSON, lambda rng: rng.choice([{}, {"a": "b"}, []])),
)


def everything_else(made: Organisation) -> None:
    """Parents before children, as far as names tell, so that references find something."""
    filled = set(made.rows)
    for table in SQLModel.metadata.sorted_tables:
        if table.schema in SCHEMAS and table not in filled and table.name not in LEFT_EMPTY:
            words = _words(table)
            rows = max([ROWS, *(len(each) for each in words.values())])
            made.add(table, *(_row(made, table, words, number) for number in range(rows)))


def _words(table: sa.Table) -> dict[str, list[str]]:
    """What a CHECK allows in a text column."""
    texts = [str(each.sqltext) for each in table.constraints if isinstance(each, sa.CheckConstraint)]
    return {column: re.findall(r"'([^']*)'", listed) for text in texts for column, listed in WORDS.findall(text)}


def _row(made: Organisation, table: sa.Table, words: dict[str, list[str]], number: int) -> dict[str, Any]:
    wanted = [each for each in table.columns if each.name != "tenant_id" and not each.identity]
    return {each.name: _value(made, table, each, words, number) for each in wanted}


def _value(
    made: Organisation, table: sa.Table, column: sa.Column[Any], words: dict[str, list[str]], number: int
) -> Any:
    rng = made.rng
    if column.nullable and rng.random() < (0.1 if column.name in words else 0.3):
        return None
    if column.name in words:
        return words[column.name][number % len(words[column.name])]
    if isinstance(column.type, sa.Uuid):
        return _reference(made, table, column)
    for kind, value in VALUES:
        if isinstance(column.type, kind):
            return value(rng)
    if column.name in OURS:
        return rng.choice(list(OURS[column.name])).value
    if column.name == "currency":
        return rng.choice(CURRENCIES)
    return f"{number}" if column.primary_key else rng.choice(TEXTS)


def _reference(made: Organisation, table: sa.Table, column: sa.Column[Any]) -> UUID:
    rng = made.rng
    if column.name == "id" or rng.random() < 0.1:
        return fresh(rng)
    kind = column.name.removesuffix("_id").split("_")[-1]
    there = [row["id"] for row in made.here(KNOWN.get(kind, mirror.Person)) if "id" in row]
    return rng.choice(there) if there else fresh(rng)
