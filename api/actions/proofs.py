"""What the audit log hands out: the proof of one entry, the checkpoint, and the check of the whole log.

`inclusion` gives everything that an outsider needs to see that an entry stands in the signed log and says what it says.
`verify_log` computes every leaf and every root again and names the first position that differs.
Refuses: entries that do not exist for this connection, and entries whose position is not yet under a signed head.
"""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import orjson
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.leaf import commitment, parse_leaf
from engine.merkle import Frontier, append, inclusion_proof, leaf_hash, root
from engine.notes import Checkpoint, Proof, checkpoint_text, proof_text, signed_note
from engine.refusal import Code, Refused

ENTRY = text(
    """select e.leaf, e.sealed, s.log_id, s.idx from audit.entry e
         left join audit.seq s on s.tenant_id = e.tenant_id and s.entry_id = e.id where e.id = :entry_id"""
)
SIGNED = text(
    """select h.size, h.root, h.at from audit.tree_head h
        where h.log_id = :log_id and h.size > :index
          and exists (select from audit.note_line n
                       where n.tenant_id = h.tenant_id and n.log_id = h.log_id and n.size = h.size)
        order by h.size desc limit 1"""
)
LINES = text("select line from audit.note_line where log_id = :log_id and size = :size order by length(line), line")
HASHES = text("select leaf_hash from audit.seq where log_id = :log_id and idx < :size order by idx")
HEADS = text("select size, root from audit.tree_head where log_id = :log_id order by size")
PLACES = text(
    """select s.idx, s.entry_id, s.leaf_hash, e.leaf, e.sealed, e.ty, e.at, e.actor_id, e.subject_id, e.object_type,
              e.object_id from audit.seq s
         left join audit.entry e on e.tenant_id = s.tenant_id and e.id = s.entry_id
        where s.log_id = :log_id order by s.idx"""
)


SYSTEM_ACTOR = "system"


def pseudonym(person_id: UUID | None) -> str | None:
    """How payloads name a person."""
    return None if person_id is None else f"p-{person_id}"


class OpenLog(Protocol):
    """A log that can be read with its key."""

    origin: str
    log_id: int

    def open_entry(self, entry_id: UUID, sealed: bytes) -> tuple[bytes, bytes]: ...


@dataclass(frozen=True, slots=True)
class Bundle:
    """The proof of one entry. Payload and salt are None once the entry has been erased."""

    index: int
    leaf: bytes
    tlog_proof: str
    payload: bytes | None
    salt: bytes | None

    def files(self) -> dict[str, bytes]:
        """The bundle as files; the folder puts a name in front of each."""
        files = {"tlog-proof": self.tlog_proof.encode(), "leaf": self.leaf}
        if self.payload is not None and self.salt is not None:
            files |= {"payload.json": self.payload, "salt.hex": self.salt.hex().encode() + b"\n"}
        return files


@dataclass(frozen=True, slots=True)
class Verified:
    """What the check of the whole log found: so many good positions, and the first one that is not as it was signed."""

    size: int
    root: bytes
    broken_index: int | None = None
    why: str = ""


async def inclusion(connection: AsyncConnection, log: OpenLog, entry_id: UUID) -> Bundle:
    entry = (await connection.execute(ENTRY, {"entry_id": entry_id})).one_or_none()
    if entry is None:
        raise Refused(Code.NOT_FOUND, f"There is no audit entry {entry_id}.", "Ask for an entry that you may see.")
    note, size = await _checkpoint(connection, log, 0 if entry.idx is None else entry.idx)
    if entry.idx is None or note is None:
        raise Refused(
            Code.STATE_CONFLICT,
            f"The audit entry {entry_id} is not yet under a signed checkpoint.",
            "Ask again in a few seconds.",
        )
    hashes = (await connection.execute(HASHES, {"log_id": entry.log_id, "size": size})).scalars().all()
    proof = Proof(entry.idx, tuple(inclusion_proof(hashes, entry.idx)), note)
    salt, payload = (None, None) if entry.sealed is None else log.open_entry(entry_id, entry.sealed)
    return Bundle(entry.idx, entry.leaf, proof_text(proof), payload, salt)


async def newest_checkpoint(connection: AsyncConnection, log: OpenLog) -> str | None:
    """The newest signed checkpoint; None while nothing has been signed."""
    note, _ = await _checkpoint(connection, log, 0)
    return note


async def verify_log(connection: AsyncConnection, log: OpenLog) -> Verified:
    """Every entry, every position and every stored head, computed again."""
    heads = {row.size: row.root for row in await connection.execute(HEADS, {"log_id": log.log_id})}
    edge = Frontier()
    for index, row in enumerate((await connection.execute(PLACES, {"log_id": log.log_id})).all()):
        good = edge
        why = _broken(log, row) if row.idx == index else "it is missing"
        if not why:
            edge = append(edge, [row.leaf_hash])
            if heads.get(edge.size, root(edge)) != root(edge):
                why = "the leaves up to here do not lead to the stored root"
        if why:
            return Verified(index, root(good), index, why)
    last = max(heads, default=0)
    if last != edge.size:
        return Verified(edge.size, root(edge), min(last, edge.size), f"the newest head has size {last}")
    return Verified(edge.size, root(edge))


def _broken(log: OpenLog, row: "Row[tuple[object, ...]]") -> str:
    """Why an entry is not what its position says; empty when it is."""
    if row.leaf is None:
        return "its entry is gone"
    if leaf_hash(row.leaf) != row.leaf_hash:
        return "its leaf does not have the hash of the position"
    try:
        leaf = parse_leaf(row.leaf)
        if (leaf.entry_id, leaf.ty, leaf.at) != (row.entry_id, row.ty, row.at):
            return "its columns differ from its leaf"
        if row.sealed is not None:
            salt, payload = log.open_entry(row.entry_id, row.sealed)
            if commitment(salt, payload) != leaf.commitment:
                return "its payload does not fit the commitment"
            if _about(payload) != _columns(row):
                return "its columns differ from its payload"
    except Refused as no:
        return no.what
    return ""


def _about(payload: bytes) -> tuple[str, ...]:
    """Who acted, on whom, on what: as the payload says it."""
    said = orjson.loads(payload)
    return said["actor"], said.get("subject"), said["object"]["type"], said["object"]["id"]


def _columns(row: "Row[tuple[object, ...]]") -> tuple[str | None, ...]:
    """The same as the entry's columns say it; approvals are counted by them."""
    return pseudonym(row.actor_id) or SYSTEM_ACTOR, pseudonym(row.subject_id), row.object_type, row.object_id


async def _checkpoint(connection: AsyncConnection, log: OpenLog, index: int) -> tuple[str | None, int]:
    """The newest signed note over more than `index` leaves, and its size."""
    head = (await connection.execute(SIGNED, {"log_id": log.log_id, "index": index})).one_or_none()
    if head is None:
        return None, 0
    lines = (await connection.execute(LINES, {"log_id": log.log_id, "size": head.size})).scalars().all()
    return signed_note(checkpoint_text(Checkpoint(log.origin, head.size, head.root)), lines), head.size
