"""Audit entries, their order, and the proofs that they are there.

`Log` is handed to every action. `record` writes one entry in the caller's own transaction; `sequence` gives waiting
entries their positions and signs the head; `inclusion` hands out the proof of one entry.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from engine.notes import Checkpoint
from schema.store import Store, Viewer


class Log:
    """The audit log of this installation: its origin, the key that seals payloads, and the signer of its heads."""

    async def record(
        self,
        connection: AsyncConnection,
        viewer: Viewer,
        *,
        ty: str,
        object_type: str,
        object_id: str,
        data: Mapping[str, object],
        at: datetime,
        subject_id: UUID | None = None,
        object_version: int = 1,
        reason: str | None = None,
    ) -> UUID:
        """Write one entry and queue it, in the caller's transaction. Actor is the viewer; no viewer is the system."""
        raise NotImplementedError

    async def sequence(self, store: Store, now: datetime) -> Checkpoint:
        """Give all waiting entries their positions, sign the newest committed head, and return it."""
        raise NotImplementedError

    async def bundle(self, store: Store, entry_id: UUID) -> dict[str, bytes]:
        """Proof files of one sequenced entry: `tlog-proof`, `leaf`, `payload.json`, `salt.hex` -> content."""
        raise NotImplementedError
