"""Trusted documents: texts that were registered with this installation, and are asked for by the hash of their bytes.

Decides: which ids are known, by looking into the database again every 30 s. There is no registration over the API
(api/actions/trusted.py registers). An id is no authorisation: price, budget and row security stay as they are.
Refused: an id that is not registered (DOCUMENT_NOT_FOUND).
"""

import re
import time
from hashlib import sha256

from sqlalchemy import text

from engine.refusal import Code, Refused
from schema.store import SYSTEM, DbRole, Store

PREFIX = "sha256:"
ID = re.compile(PREFIX + r"[0-9a-f]{64}")
LOOKED_AT_SECONDS = 30  # how long a retired document may still be answered
BODY = text("select body from ops.trusted_document where id = :id and retired_at is null")


def id_of(body: str) -> str:
    """The id of this exact text; whitespace counts."""
    return PREFIX + sha256(body.encode()).hexdigest()


class Registry:
    """What one process knows of the registered documents."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, tuple[str, float]] = {}

    async def body(self, document_id: str) -> str:
        """The text behind an id."""
        known = self._known.get(document_id)
        if known and time.monotonic() - known[1] < LOOKED_AT_SECONDS:
            return known[0]
        body = await self._read(document_id.removeprefix(PREFIX)) if ID.fullmatch(document_id) else None
        if body is None:
            self._known.pop(document_id, None)
            raise Refused(Code.DOCUMENT_NOT_FOUND, "No document is registered under this id.", "Send the text instead.")
        self._known[document_id] = body, time.monotonic()
        return body

    async def _read(self, key: str) -> str | None:
        async with self._store.begin(DbRole.APP, SYSTEM, read_only=True) as connection:
            body: str | None = (await connection.execute(BODY, {"id": key})).scalar()
            return body
