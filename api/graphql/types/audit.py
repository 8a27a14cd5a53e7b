"""Audit records with their proofs, and data issues. A proof can be checked by anybody without us (RFC 6962)."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry
from sqlalchemy import bindparam, case, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Uuid

from api.actions import proofs
from api.graphql.binding import Node, about, computed, shown, to_one
from api.graphql.context import Asked, Context
from api.graphql.relations import Text
from api.graphql.scalars import BigInt
from api.graphql.types.organisation import Person
from api.graphql.writing import moment
from api.ids import global_id
from engine.merkle import inclusion_proof
from engine.notes import Proof, parse_checkpoint, parse_note, proof_text
from engine.words import IssueCode, Source
from schema.store import DbRole
from schema.tables import audit, mirror

PLACES = text("select entry_id, idx from audit.seq where log_id = :log_id and entry_id = any(:entries)").bindparams(
    bindparam("entries", type_=ARRAY(Uuid()))
)


@strawberry.type(description="That a record stands in the signed log: follow the path from the leaf to the root.")
class InclusionProof:
    index: BigInt = strawberry.field(description="Position in the log, from 0.")
    tree_size: BigInt = strawberry.field(description="Size of the log under the checkpoint.")
    leaf_hash: str = strawberry.field(description="sha256 of a zero byte and the leaf, base64.")
    path: list[str] = strawberry.field(description="Hashes from the leaf to the root, base64.")
    checkpoint: str = strawberry.field(description="The signed checkpoint, as a note (C2SP tlog-checkpoint).")
    text: str = strawberry.field(description="All of it as one file (C2SP tlog-proof).")


async def proofs_of(context: Context, entries: Sequence[UUID]) -> list[InclusionProof | None]:
    """The proofs of these entries under the newest signed checkpoint; the log is read once for all of them.

    The viewer has seen the entries under his own identity; positions and hashes name nobody.
    """
    log = context.house.log
    async with context.house.store.begin(DbRole.SEQUENCER, context.reading.viewer, read_only=True) as connection:
        note = await proofs.newest_checkpoint(connection, log)
        if note is None:
            return [None for _ in entries]
        size = parse_checkpoint(parse_note(note).text).size
        places = await connection.execute(PLACES, {"log_id": log.log_id, "entries": list(entries)})
        index_of = {row.entry_id: row.idx for row in places}
        parameters = {"log_id": log.log_id, "size": size}
        hashes = (await connection.execute(proofs.HASHES, parameters)).scalars().all()
    return [_proof(note, hashes, index_of.get(entry)) for entry in entries]


def _proof(note: str, hashes: Sequence[bytes], index: int | None) -> InclusionProof | None:
    if index is None or index >= len(hashes):
        return None
    path = inclusion_proof(hashes, index)
    return InclusionProof(
        index=BigInt(index),
        tree_size=BigInt(len(hashes)),
        leaf_hash=_b64(hashes[index]),
        path=[_b64(step) for step in path],
        checkpoint=note,
        text=proof_text(Proof(index, tuple(path), note)),
    )


def _b64(value: bytes) -> str:
    return b64encode(value).decode()


def _leaf(root: Any) -> str:
    return str(root.leaf.decode())


def _subject_id(root: Any) -> strawberry.ID | None:
    return strawberry.ID(global_id("Person", root.subject_id)) if root.subject_id else None


def _subject_sql(c: Any) -> Any:
    return case((c.subject_id.is_not(None), func.app.global_id("Person", c.subject_id)))


async def _inclusion(root: Any, info: Asked) -> InclusionProof | None:
    context = info.context

    async def load(entries: list[UUID]) -> list[InclusionProof | None]:
        return await proofs_of(context, entries)

    found: InclusionProof | None = await context.reading.load("proof", load, root.id)
    return found


@shown(audit.Entry, "One audited act. Auditors see all, everybody those by himself or about himself.")
class AuditRecord(Node):
    recorded_at: datetime = computed("When it was recorded.", "at", sql=Text(lambda c: moment(c.at)))(
        lambda root: root.at
    )
    action: str = computed("What was done, such as `award.granted/v1`.", "ty", sql=Text(lambda c: c.ty))(
        lambda root: root.ty
    )
    object_type: str = about("Kind of the object.")
    object_id: str = about("Reference of the object.")
    actor: Person | None = to_one("Person", "actor_id", "Who did it; null for the system and where not visible.")
    subject_id: strawberry.ID | None = computed("Id of the person it is about.", "subject_id", sql=Text(_subject_sql))(
        _subject_id
    )
    leaf: str = computed(
        "The text whose hash stands in the log. It names nobody.",
        "leaf",
        sql=Text(lambda c: func.convert_from(c.leaf, "UTF8")),
    )(_leaf)
    leaf_hash: str = computed(
        "sha256 of a zero byte and the leaf, base64.",
        "leaf_hash",
        sql=Text(lambda c: func.encode(c.leaf_hash, "base64")),
    )(lambda root: _b64(root.leaf_hash))
    proof: InclusionProof | None = computed("The proof; null until the record is under a signed checkpoint.", "id")(
        _inclusion
    )


@shown(
    mirror.DataIssue,
    "A mirrored value that could not be used, and how to repair it. For ITSM administrators and auditors.",
    key="record_id",
    unique=("record_id", "field", "code"),
)
class DataIssue:
    source: Source = about("The tool.")
    entity: str = about("The tool's table or kind.")
    source_key: str = about("The record's key in the tool.")
    field: str = about("The field.")
    code: IssueCode = about("Why it could not be used.")
    value: str = about("The value as it came.")
    what: str = about("What is wrong.")
    fix: str = about("How to put it right.")
    state: str = about("`OPEN` or `RESOLVED`.")
    revision_id: BigInt = about("The version of the record that brought it.")
