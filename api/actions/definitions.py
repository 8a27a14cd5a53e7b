"""Agreed meanings of words: definitions from proposal to force, and whether the tools use a word for the same thing.

The life of a version is that of every governed document (documents.py). Its test is the conformance report itself:
whoever puts a definition in force has seen what it counts in each source.
"""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions import documents
from api.actions.audit import Log
from api.actions.documents import Document
from engine.refusal import Code, Refused
from engine.words import DocumentKind
from schema.definitions import Definition, conform, mismatch, read_definition
from schema.store import DbRole, Store, Viewer

KIND = DocumentKind.DATA_DEFINITION


async def propose(store: Store, log: Log, viewer: Viewer, body: str, now: datetime) -> Document:
    """Keep a definition as the next version of its word, if it can be read."""
    definition = read_definition(body)
    return await documents.propose(store, log, viewer, KIND, definition.key, body, definition.owner, now)


async def try_on(
    store: Store, log: Log, viewer: Viewer, key: str, version_no: int | None, now: datetime
) -> dict[str, Any]:
    """What a proposed version counts in each source."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        document = await documents.find(connection, KIND, key, version_no)
        report = await _conformance(connection, document)
    await documents.keep_test(store, log, viewer, document, report, now)
    return report


async def activate(store: Store, log: Log, viewer: Viewer, key: str, version_no: int | None, now: datetime) -> Document:
    async with store.begin(DbRole.WORKER, viewer) as connection:
        document = await documents.find(connection, KIND, key, version_no)
        await documents.activate(connection, log, viewer, document, now)
    return document


async def retire(store: Store, log: Log, viewer: Viewer, key: str, now: datetime) -> Document:
    async with store.begin(DbRole.WORKER, viewer) as connection:
        return await documents.retire(connection, log, viewer, KIND, key, now)


async def meaning(connection: AsyncConnection, key: str, version_no: int) -> Definition:
    """The definition that a metric names by its version, whether it is still in force or not."""
    document = await documents.find(connection, KIND, key, version_no)
    if not document.agreed:
        raise Refused(
            Code.STATE_CONFLICT,
            f"{document.called.capitalize()} was never put in force.",
            "Name a version that was: evenhand contract list.",
        )
    return read_definition(document.body)


async def report(store: Store) -> list[dict[str, Any]]:
    """Every definition in force: its counts in each source, and what does not agree."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        ruling = await documents.in_force(connection, KIND)
        return [await _conformance(connection, ruling[key]) for key in sorted(ruling)]


async def _conformance(connection: AsyncConnection, document: Document) -> dict[str, Any]:
    definition = read_definition(document.body)
    counted = await conform(connection, definition)
    wrong = mismatch(definition, counted)
    return {
        "definition": definition.key,
        "version": document.version_no,
        "over": definition.kind.value,
        "compare": definition.compare.value,
        "sources": [
            {"source": each.source.value, "population": each.population, "matched": each.matched,
             "share": None if each.share is None else round(float(each.share), 6)}
            for each in counted
        ],
        "finding": None if wrong is None else {"code": wrong.code, "what": wrong.what, "fix": wrong.fix},
    }  # fmt: skip
