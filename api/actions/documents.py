"""Documents that rule: proposed, tested, put in force by another person, retired. Their text never changes.

Decides the life of a version: DRAFT, TESTED, ACTIVE, RETIRED. Of one kind and name one version is in force; the next
one retires it in the same transaction. Whoever proposed a version does not put it in force. Only the very text that was
tested can be: the hash of the test's report is compared. What a text must look like is for the caller, who has read it.
A version without a person is one that the installation brought with it; it never stands above one that people agreed.
Refused: NOT_FOUND, STATE_CONFLICT, SOD_VIOLATION, ACCESS_DENIED.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions.audit import Log
from api.actions.rights import Action, require
from engine.refusal import Code, Refused
from engine.words import DocumentKind, DocumentState
from schema.identity import NAMESPACE
from schema.store import DbRole, Store, Viewer

COLUMNS = """id, kind, name, version_no, content_hash, body, state, owner, proposed_by, test_report, activated_by,
             activated_at"""
IN_FORCE = text(f"select {COLUMNS} from ops.document where kind = :kind and state = 'ACTIVE'")  # noqa: S608
HELD = text(f"select {COLUMNS} from ops.document where kind = :kind and name = :name order by version_no for update")  # noqa: S608
KNOWN = text(
    """select kind, name, version_no, content_hash, state, owner, proposed_by, proposed_at, activated_by, activated_at,
              retired_at, test_report
         from ops.document order by kind, name, version_no"""
)
INSERT = text(
    """insert into ops.document (tenant_id, id, kind, name, version_no, content_hash, body, state, owner, proposed_by,
                                 proposed_at, activated_at)
       values ((select app.tenant()), :id, :kind, :name, :version_no, :content_hash, :body, :state, :owner,
               :proposed_by, :now, :activated_at)"""
)
TESTED = text(
    """update ops.document set state = 'TESTED', test_report = cast(:report as jsonb)
        where tenant_id = (select app.tenant()) and id = :id"""
)
RETIRE = text(
    "update ops.document set state = 'RETIRED', retired_at = :now where tenant_id = (select app.tenant()) and id = :id"
)
ACTIVATE = text(
    """update ops.document set state = 'ACTIVE', activated_by = :person, activated_at = :now
        where tenant_id = (select app.tenant()) and id = :id"""
)


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a document as it is stored."""

    id: UUID
    kind: DocumentKind
    name: str
    version_no: int
    content_hash: str
    body: str
    state: DocumentState
    owner: str | None
    proposed_by: UUID | None
    test_report: Mapping[str, Any] | None
    activated_by: UUID | None
    activated_at: datetime | None

    @property
    def agreed(self) -> bool:
        """Did people put it in force? Otherwise it came with the installation."""
        return self.activated_by is not None

    @property
    def called(self) -> str:
        return f"version {self.version_no} of the {self.kind.value.lower().replace('_', ' ')} {self.name}"


@dataclass(frozen=True, slots=True)
class Brought:
    """A text that the installation brings, noted now, and the one before it."""

    document: Document
    before: Document | None


def content_hash(body: str) -> str:
    """Of the text as it was written: a comment is a part of what people agreed on."""
    return sha256(body.encode()).hexdigest()


async def in_force(connection: AsyncConnection, kind: DocumentKind) -> dict[str, Document]:
    """What rules now, by name."""
    return {row.name: _document(row) for row in await connection.execute(IN_FORCE, {"kind": kind})}


async def listed(store: Store) -> list[dict[str, Any]]:
    """Every version of every document, without its text."""
    async with store.begin(DbRole.WORKER, read_only=True) as connection:
        return [dict(row) for row in (await connection.execute(KNOWN)).mappings()]


async def find(connection: AsyncConnection, kind: DocumentKind, name: str, version_no: int | None) -> Document:
    """A version, or the newest one; it and its siblings stay as they are until the transaction ends."""
    versions = await _versions(connection, kind, name)
    chosen = [document for document in versions if version_no in (None, document.version_no)]
    if not chosen:
        which = f"version {version_no}" if version_no else "version"
        raise Refused(
            Code.NOT_FOUND,
            f"There is no {which} of the {kind.value.lower().replace('_', ' ')} {name}.",
            "List what there is: evenhand contract list.",
        )
    return chosen[-1]


async def propose(
    store: Store, log: Log, viewer: Viewer, kind: DocumentKind, name: str, body: str, owner: str, now: datetime
) -> Document:
    """Keep a text that has been read as the next version. The newest text again is the same version."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, Action.DOCUMENT_PROPOSE)
        versions = await _versions(connection, kind, name)
        digest = content_hash(body)
        if versions and versions[-1].content_hash == digest and versions[-1].state is not DocumentState.RETIRED:
            return versions[-1]
        version_no = versions[-1].version_no + 1 if versions else 1
        document = await insert(
            connection, viewer, kind, name, version_no, body, owner, DocumentState.DRAFT, viewer.person_id, now
        )
        await _tell(log, connection, viewer, "document.proposed/v1", document, now)
    return document


async def insert(
    connection: AsyncConnection,
    viewer: Viewer,
    kind: DocumentKind,
    name: str,
    version_no: int,
    body: str,
    owner: str,
    state: DocumentState,
    person: UUID | None,
    now: datetime,
) -> Document:
    row: dict[str, Any] = {
        "id": uuid5(NAMESPACE, f"document:{viewer.tenant_id}:{kind}:{name}:{version_no}"),
        "kind": kind, "name": name, "version_no": version_no, "content_hash": content_hash(body), "body": body,
        "state": state, "owner": owner or None, "proposed_by": person, "now": now,
        "activated_at": now if state is DocumentState.ACTIVE else None,
    }  # fmt: skip
    await connection.execute(INSERT, row)
    kept = {name: value for name, value in row.items() if name not in ("now", "body")}
    return Document(**kept, body=body, test_report=None, activated_by=None)


async def keep_test(
    store: Store, log: Log, viewer: Viewer, document: Document, report: Mapping[str, Any], now: datetime
) -> None:
    """Keep what a test of this very text found."""
    async with store.begin(DbRole.WORKER, viewer) as connection:
        await require(connection, viewer, Action.DOCUMENT_PROPOSE)
        found = await find(connection, document.kind, document.name, document.version_no)
        if found.content_hash != document.content_hash or found.state not in (
            DocumentState.DRAFT,
            DocumentState.TESTED,
        ):
            raise _conflict(found, "DRAFT")
        whole = {**report, "content_hash": found.content_hash, "tested_at": now.isoformat()}
        await connection.execute(TESTED, {"id": found.id, "report": orjson.dumps(whole).decode()})
        await _tell(log, connection, viewer, "document.tested/v1", found, now)


async def activate(
    connection: AsyncConnection, log: Log, viewer: Viewer, document: Document, now: datetime
) -> Document | None:
    """Put a tested version in force, in the caller's transaction. Returns the version that it takes over from."""
    await require(connection, viewer, Action.DOCUMENT_ACTIVATE)
    found = await find(connection, document.kind, document.name, document.version_no)
    tested = (found.test_report or {}).get("content_hash")
    if found.state is not DocumentState.TESTED or tested != found.content_hash:
        raise _conflict(found, "TESTED")
    if found.proposed_by == viewer.person_id:
        raise Refused(
            Code.SOD_VIOLATION,
            f"You proposed {found.called} yourself.",
            "Have another holder of ITSM_ADMIN read its test report and put it in force.",
        )
    before = (await in_force(connection, found.kind)).get(found.name)
    if before is not None:
        await connection.execute(RETIRE, {"id": before.id, "now": now})
    await connection.execute(ACTIVATE, {"id": found.id, "now": now, "person": viewer.person_id})
    await _tell(log, connection, viewer, "document.activated/v1", found, now)
    return before


async def retire(
    connection: AsyncConnection, log: Log, viewer: Viewer, kind: DocumentKind, name: str, now: datetime
) -> Document:
    """End what is in force, in the caller's transaction, with nothing after it."""
    await require(connection, viewer, Action.DOCUMENT_RETIRE)
    await _versions(connection, kind, name)  # locked in one order by everybody
    before = (await in_force(connection, kind)).get(name)
    if before is None or not before.agreed:
        raise Refused(
            Code.NOT_FOUND,
            f"No {kind.value.lower().replace('_', ' ')} called {name} has been put in force.",
            "List what there is: evenhand contract list.",
        )
    await connection.execute(RETIRE, {"id": before.id, "now": now})
    await _tell(log, connection, viewer, "document.retired/v1", before, now)
    return before


async def bring(
    connection: AsyncConnection, viewer: Viewer, kind: DocumentKind, name: str, body: str, owner: str, now: datetime
) -> Brought | None:
    """Note which text the installation itself brings and uses; None when it is noted, or people have agreed on one."""
    versions = await _versions(connection, kind, name)
    before = next((document for document in versions if document.state is DocumentState.ACTIVE), None)
    if before is not None and (before.agreed or before.content_hash == content_hash(body)):
        return None
    if before is not None:
        await connection.execute(RETIRE, {"id": before.id, "now": now})
    number = versions[-1].version_no + 1 if versions else 1
    document = await insert(connection, viewer, kind, name, number, body, owner, DocumentState.ACTIVE, None, now)
    return Brought(document, before)


async def _versions(connection: AsyncConnection, kind: DocumentKind, name: str) -> list[Document]:
    return [_document(row) for row in await connection.execute(HELD, {"kind": kind, "name": name})]


def _document(row: Any) -> Document:
    given = dict(row._mapping)
    return Document(**{**given, "kind": DocumentKind(row.kind), "state": DocumentState(row.state)})


def _conflict(found: Document, needed: str) -> Refused:
    fix = "Propose the text again as a new version." if needed == "DRAFT" else "Test it first: evenhand contract test."
    return Refused(Code.STATE_CONFLICT, f"{found.called.capitalize()} is {found.state}, not {needed}.", fix)


async def _tell(
    log: Log, connection: AsyncConnection, viewer: Viewer, ty: str, document: Document, now: datetime
) -> None:
    await log.record(
        connection, viewer, ty=ty, object_type="document", object_id=str(document.id),
        object_version=document.version_no, at=now,
        data={"kind": document.kind.value, "name": document.name, "content_hash": document.content_hash},
    )  # fmt: skip
