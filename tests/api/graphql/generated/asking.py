"""The organisation in a database, and one way to ask it: as this viewer, in this lane.

Rows are written by the administrator, since no role of ours may write all of them; they are read as the application
role reads them, under row security. `said` is what two answers must share: data with the order of its keys, and errors.
"""

import json
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import Table, insert, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from api.actions.audit import Log
from api.graphql import execution
from api.graphql.context import Context
from api.graphql.reading import Reading
from api.house import House
from api.sealing import open_system_key
from api.settings import Settings
from api.signing.development import DevelopmentSigner
from engine.refusal import Refused
from schema.store import Store, async_url
from schema.tables import audit
from tests.api.graphql.generated.organisation import Organisation, organisation
from tests.api.graphql.generated.results import PARTS, UNSEQUENCED
from tests.api.graphql.generated.wide import everything_else

RAISED = "RAISED"  # our code for what should have been an answer
NOW = datetime(2026, 11, 21, 9, 0, 0, tzinfo=UTC)
WITHOUT_TRIGGERS = text("set local session_replication_role = replica")  # nothing happens: it is as if it had long been


@dataclass(frozen=True)
class Document:
    """An operation as a client sends it. `more` are other variables for the same text; `seed` finds it again."""

    text: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    operation: str | None = None
    seed: int = 0
    more: tuple[Mapping[str, Any], ...] = ()

    @property
    def requests(self) -> "list[Document]":
        """The document with each of its variables."""
        return [replace(self, variables=each, more=()) for each in (self.variables, *self.more)]


@dataclass(frozen=True)
class Said:
    """What an answer says to its reader. `executed` decides the status."""

    executed: bool
    data: str  # JSON, keys in their order
    errors: tuple[str, ...]
    lane: str = field(default="", compare=False)

    @property
    def value(self) -> Any:
        return json.loads(self.data)


@dataclass(frozen=True)
class Place:
    """A house with the organisation in it."""

    house: House
    made: Organisation

    async def ask(self, who: str, document: Document, *, planned: bool) -> Said:
        viewer = self.made.viewers[who]
        request = execution.Request(document.text, dict(document.variables), document.operation)
        async with Reading(self.house.store, viewer) as reading:
            try:
                return said(await execution.answer(request, Context(self.house, reading), planned=planned))
            except Refused as no:  # by the route: nobody we know, or no turn
                return Said(False, "null", (json.dumps(["", None, no.code.value, ""]),))
            except Exception as defect:
                at = traceback.extract_tb(defect.__traceback__)[-1]
                return Said(False, "null", (json.dumps([f"{defect!r} {at.name}:{at.lineno}", None, RAISED, ""]),))


def said(answer: execution.Answer) -> Said:
    body = json.loads(answer.body())
    errors = [_error(each) for each in body.get("errors", ())]
    return Said("data" in body, json.dumps(body.get("data")), tuple(sorted(errors)), answer.lane)


def _error(error: dict[str, Any]) -> str:
    """Message, path and code; where it stands in the text is told by the document, not by the lane."""
    code = error.get("extensions", {}).get("code")
    fix = error.get("extensions", {}).get("fix")
    return json.dumps([error["message"], error.get("path"), code, fix])


@asynccontextmanager
async def opened(url: str, keys: Path, seed: int) -> AsyncIterator[Place]:
    """Fill the empty database behind this URL with the organisation of this seed."""
    made = organisation(seed, (*PARTS, everything_else))
    signer = DevelopmentSigner(keys, environment="test")
    store = Store(url)
    log = Log("dev.invalid/generated/audit", open_system_key(keys), signer)
    await _fill(url, made, log, store)
    settings = Settings(home=keys.parent, public_url="http://generated.test", hosts=("generated.test",))
    try:
        yield Place(House(store, url, log, signer, settings, lambda: NOW), made)
    finally:
        await store.close()


async def _fill(url: str, made: Organisation, log: Log, store: Store) -> None:
    engine = create_async_engine(async_url(url))
    entries = made.here(audit.Entry)
    try:
        async with engine.begin() as connection:
            await connection.execute(WITHOUT_TRIGGERS)
            for table, rows in made.rows.items():
                await _write(connection, table, rows)
            await _queue(connection, entries[:-UNSEQUENCED])
        await log.sequence(store, NOW)
        async with engine.begin() as connection:
            await _queue(connection, entries[-UNSEQUENCED:])
            for table in made.rows:
                made.rows[table] = [dict(row) for row in (await connection.execute(table.select())).mappings()]
    finally:
        await engine.dispose()


async def _write(connection: AsyncConnection, table: Table, rows: list[dict[str, Any]]) -> None:
    """One statement; one for each row where the table numbers them or a constraint does not want them all."""
    if not any(column.identity for column in table.columns):
        with suppress(IntegrityError):
            async with connection.begin_nested():
                await connection.execute(insert(table), rows)
                return
    for row in rows:
        with suppress(IntegrityError):
            async with connection.begin_nested():
                await connection.execute(insert(table).values(**row))


async def _queue(connection: AsyncConnection, entries: list[dict[str, Any]]) -> None:
    rows = [{"tenant_id": e["tenant_id"], "entry_id": e["id"], "leaf_hash": e["leaf_hash"]} for e in entries]
    await connection.execute(insert(audit.Pending), rows)


async def database(administrator: str, name: str, template: str | None = None) -> None:
    connection = await asyncpg.connect(administrator)
    try:
        await connection.execute(f'create database "{name}"' + (f' template "{template}"' if template else ""))
    finally:
        await connection.close()
