"""The audit log as it grows: entries in the transaction of the act, positions by one sequencer, then signed heads.

`Log` is handed to every action. `record` writes one entry in the caller's own transaction, so that no act goes without
its entry and no entry without its act. Positions form one global order; taking them inside business transactions would
let only one of them run at a time, so `sequence` gives them later, in batches, under a lock.
A head is signed only after it is committed: signing first could, after a crash, leave two signed heads of one size.
Refuses: to append or sign when the stored positions no longer lead to the last stored root.
"""

from collections.abc import Mapping
from datetime import datetime
from secrets import token_bytes
from typing import Protocol
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions import proofs
from api.actions.proofs import SYSTEM_ACTOR, pseudonym
from api.sealing import SYSTEM_KEY_ID, bound_to, seal, unseal
from api.signing.checkpoints import SignedLine
from engine.leaf import SALT_BYTES, Leaf, commitment, leaf_bytes, payload_bytes
from engine.merkle import EMPTY_ROOT, Frontier, append, leaf_hash, root
from engine.notes import Checkpoint
from engine.refusal import Code, Refused
from schema.store import SYSTEM, DbRole, Store, Viewer

SEQUENCER_LOCK = 0x61756474
BATCH_ENTRIES = 10_000
FIRST_LOG = 1

# One statement writes both rows: an entry that nobody queues would never get a position.
RECORD = text(
    """with written as (
         insert into audit.entry (tenant_id, id, ty, at, leaf, leaf_hash, sealed, dek_id, actor_id, subject_id,
                                  object_type, object_id, legal_hold)
         values (:tenant_id, :id, :ty, :at, :leaf, :leaf_hash, :sealed, :dek_id, :actor_id, :subject_id,
                 :object_type, :object_id, false))
       insert into audit.pending (tenant_id, entry_id, leaf_hash) values (:tenant_id, :id, :leaf_hash)"""
)
LOCK = text("select pg_advisory_xact_lock(:lock, :log_id)")
NEWEST = text(
    """select size, root, at from audit.tree_head where tenant_id = :tenant and log_id = :log_id
        order by size desc limit 1"""
)
# DELETE has no order of its own; the outer sort gives the earlier commit the smaller position.
TAKE = text(
    """with taken as (
         delete from audit.pending where tenant_id = :tenant and qid in (
           select qid from audit.pending where tenant_id = :tenant order by qid limit :batch)
         returning qid, entry_id, leaf_hash)
       select entry_id, leaf_hash from taken order by qid"""
)
PLACE = text(
    """insert into audit.seq (tenant_id, log_id, idx, entry_id, leaf_hash)
       select :tenant, :log_id, :size + p.n - 1, p.entry_id, p.leaf_hash
         from unnest(cast(:entries as uuid[]), cast(:hashes as bytea[])) with ordinality p (entry_id, leaf_hash, n)"""
)
HEAD = text(
    "insert into audit.tree_head (tenant_id, log_id, size, root, at) values (:tenant, :log_id, :size, :root, :at)"
)
PLACED = text("select coalesce(max(idx) + 1, 0) from audit.seq where tenant_id = :tenant and log_id = :log_id")
HASHES = text("select leaf_hash from audit.seq where tenant_id = :tenant and log_id = :log_id order by idx")
SIGNED_BY = text("select key_id from audit.note_line where tenant_id = :tenant and log_id = :log_id and size = :size")
SIGN = text(
    """insert into audit.note_line (tenant_id, log_id, size, key_name, key_id, line)
       values (:tenant, :log_id, :size, :key_name, :key_id, :line) on conflict do nothing"""
)


class HeadSigner(Protocol):
    """Whoever holds the keys of the log."""

    def sign_head(self, checkpoint: Checkpoint, at: datetime) -> list[SignedLine]: ...


class Log:
    """The audit log of this installation: its origin, the key that seals payloads, and the signer of its heads."""

    def __init__(self, origin: str, sealing_key: bytes, signer: HeadSigner, log_id: int = FIRST_LOG) -> None:
        self.origin = origin
        self.log_id = log_id
        self._sealing_key = sealing_key
        self._signer = signer
        self._edges: dict[UUID, Frontier] = {}  # what the last batch of each tenant left; checked before every use

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
        entry_id, salt, second = uuid4(), token_bytes(SALT_BYTES), at.replace(microsecond=0)
        payload = payload_bytes(
            actor=pseudonym(viewer.person_id) or SYSTEM_ACTOR,
            subject=pseudonym(subject_id),
            object_type=object_type,
            object_id=object_id,
            object_version=object_version,
            data=data,
            reason=reason,
            request=viewer.request_id,
        )
        leaf = leaf_bytes(Leaf(commitment(salt, payload), entry_id, second, ty))
        await connection.execute(
            RECORD,
            {
                "tenant_id": viewer.tenant_id,
                "id": entry_id,
                "ty": ty,
                "at": second,
                "leaf": leaf,
                "leaf_hash": leaf_hash(leaf),
                "sealed": seal(self._sealing_key, salt + payload, _place(entry_id)),
                "dek_id": SYSTEM_KEY_ID,
                "actor_id": viewer.person_id,
                "subject_id": subject_id,
                "object_type": object_type,
                "object_id": object_id,
            },
        )
        return entry_id

    def open_entry(self, entry_id: UUID, sealed: bytes) -> tuple[bytes, bytes]:
        """Salt and payload of a sealed entry."""
        plain = unseal(self._sealing_key, sealed, _place(entry_id))
        return plain[:SALT_BYTES], plain[SALT_BYTES:]

    async def sequence(self, store: Store, now: datetime, viewer: Viewer = SYSTEM) -> Checkpoint:
        """Give all waiting entries their positions, sign the newest committed head, and return it."""
        full = True
        while full:
            async with store.begin(DbRole.SEQUENCER, viewer) as connection:
                full = await self._append(connection, viewer.tenant_id, now.replace(microsecond=0)) == BATCH_ENTRIES
        # Also without new entries: the last head may be of a process that died before it signed.
        return await self._sign_newest(store, viewer)

    async def bundle(self, store: Store, entry_id: UUID, viewer: Viewer = SYSTEM) -> dict[str, bytes]:
        """Proof files of one sequenced entry: `tlog-proof`, `leaf`, `payload.json`, `salt.hex` -> content.

        It sees every entry: who asks on behalf of a person must first have seen the entry as that person."""
        async with store.begin(DbRole.SEQUENCER, viewer, read_only=True) as connection:
            return (await proofs.inclusion(connection, self, entry_id)).files()

    async def _append(self, connection: AsyncConnection, tenant: UUID, at: datetime) -> int:
        """Move one batch from the queue into the log; returns how many entries that were."""
        key = await self._alone(connection, tenant)
        taken = (await connection.execute(TAKE, {"tenant": tenant, "batch": BATCH_ENTRIES})).all()
        if taken:
            old = await self._edge(connection, tenant)
            hashes = [row.leaf_hash for row in taken]
            new = append(old, hashes)
            entries = [row.entry_id for row in taken]
            await connection.execute(PLACE, {**key, "size": old.size, "entries": entries, "hashes": hashes})
            await connection.execute(HEAD, {**key, "size": new.size, "root": root(new), "at": at})
            self._edges[tenant] = new
        return len(taken)

    async def _alone(self, connection: AsyncConnection, tenant: UUID) -> dict[str, object]:
        """Wait until no other process appends or signs; returns what names this log in every statement."""
        await connection.execute(LOCK, {"lock": (SEQUENCER_LOCK + tenant.int) % 2**31, "log_id": self.log_id})
        return {"tenant": tenant, "log_id": self.log_id}

    async def _edge(self, connection: AsyncConnection, tenant: UUID) -> Frontier:
        """The edge of the committed log. Read anew unless what we remember leads to the stored root."""
        key = {"tenant": tenant, "log_id": self.log_id}
        newest = (await connection.execute(NEWEST, key)).one_or_none()
        size, stored = (newest.size, newest.root) if newest else (0, root(Frontier()))
        placed = (await connection.execute(PLACED, key)).scalar_one()
        edge = self._edges.get(tenant, Frontier())
        if (edge.size, root(edge)) != (size, stored):
            edge = append(Frontier(), (await connection.execute(HASHES, key)).scalars().all())
        if (edge.size, root(edge), placed) != (size, stored, size):
            raise Refused(
                Code.PROOF_INVALID,
                f"The positions of the audit log {self.origin} do not lead to its last head of size {size}.",
                "Do not sign anything; compare the database with the checkpoints kept elsewhere.",
            )
        return edge

    async def _sign_newest(self, store: Store, viewer: Viewer) -> Checkpoint:
        async with store.begin(DbRole.SEQUENCER, viewer) as connection:
            key = await self._alone(connection, viewer.tenant_id)
            head = (await connection.execute(NEWEST, key)).one_or_none()
            if head is None:
                return Checkpoint(self.origin, 0, EMPTY_ROOT)
            checkpoint = Checkpoint(self.origin, head.size, head.root)
            if not (await connection.execute(SIGNED_BY, {**key, "size": head.size})).first():
                await self._edge(connection, viewer.tenant_id)
                lines = self._signer.sign_head(checkpoint, head.at)
                rows = [{"key_name": by.name, "key_id": by.key_id, "line": line} for by, line in lines]
                await connection.execute(SIGN, [{**key, "size": head.size, **row} for row in rows])
            return checkpoint


def _place(entry_id: UUID) -> bytes:
    return bound_to("audit.entry", str(entry_id), "sealed", SYSTEM_KEY_ID)
