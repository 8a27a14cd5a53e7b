"""Payout files: from approved awards to signed bytes that payroll may pull, each award once.

Two approvals by different people stand in the audit log before a file may exist. The file, its lines, the postings and
the audit entry are one transaction; signatures are made from committed rows, and only then is the file visible.
Amounts are minor units. Refuses: fewer than two approvers, approvers or releasers who submitted or profit.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions import books, proofs
from api.actions.audit import Log
from api.actions.drafts import Draft, Receiver, draft
from api.actions.rights import Action, Relation, forbid, require
from engine.ledger import Event, Part, journal
from engine.money import CURRENCY_DIGITS
from engine.notes import Checkpoint, parse_checkpoint, parse_note
from engine.payfile import HandOver, PayLine, canonical_file, manifest
from engine.refusal import Code, Refused
from engine.words import PayFileState
from schema.store import DbRole, Store, Viewer
from schema.tables.money import File, FilePart, Line

RELEASE_LOCK = 0x7061796F
EXPIRES_AFTER = timedelta(days=45)

APPROVALS = text(
    """select distinct on (actor_id) id, actor_id from audit.entry
        where tenant_id = :tenant and ty = 'payout.approved/v1' and object_type = 'payout' and object_id = :file_id
        order by actor_id, at"""
)
UNSIGNED = text(
    """select id, receiver, sequence, csv, manifest, release_entry_id from pay.file
        where tenant_id = :tenant and state = 'PREPARED' order by receiver, sequence"""
)
MAKE_VISIBLE = text(
    "update pay.file set state = 'RELEASED' where tenant_id = :tenant and id = :id and state = 'PREPARED'"
)
INTO_PAYROLL = text(
    """update pay.award set state = 'IN_PAYROLL', version = version + 1
        where tenant_id = :tenant and state = 'APPROVED' and award_ref = any(:refs)"""
)


class PayoutSigner(Protocol):
    """What signs payout files; `environment` is what the manifest must say of it."""

    environment: str

    def cms_detached(self, content: bytes) -> bytes: ...

    def jws_detached(self, content: bytes) -> str: ...


def separate(viewer: Viewer, made: Draft, action: Action) -> None:
    forbid(action, Relation.BENEFICIARY, sum(person == viewer.person_id for person in made.person_of.values()))
    forbid(action, Relation.SUBMITTER, int(viewer.person_id in made.submitters))


async def approve(
    store: Store, log: Log, viewer: Viewer, cycle_id: UUID, receiver: Receiver, environment: str, now: datetime
) -> bool:
    """One person approves the next file, byte for byte. False when there is nothing to pay or he did already."""
    async with store.begin(DbRole.PAY, viewer) as connection:
        await require(connection, viewer, Action.PAYOUT_APPROVE)
        made = await draft(connection, viewer, cycle_id, receiver, environment)
        if made is None:
            return False
        separate(viewer, made, Action.PAYOUT_APPROVE)
        if viewer.person_id in {actor for actor, _ in await approvals(connection, viewer, made)}:
            return False
        await log.record(
            connection,
            viewer,
            ty="payout.approved/v1",
            object_type="payout",
            object_id=str(made.file_id),
            data={
                "csv_sha256": sha256(made.csv).hexdigest(),
                "net_minor": {currency: str(minor) for currency, minor in made.net_minor.items()},
                "records": len(made.lines),
            },
            at=now,
        )
        return True


async def approvals(connection: AsyncConnection, viewer: Viewer, made: Draft) -> list[tuple[UUID, UUID]]:
    """Who approved exactly these bytes, and under which audit entry."""
    found = await connection.execute(APPROVALS, {"tenant": viewer.tenant_id, "file_id": str(made.file_id)})
    return [(row.actor_id, row.id) for row in found.all()]


async def release(
    store: Store,
    log: Log,
    signer: PayoutSigner,
    viewer: Viewer,
    cycle_id: UUID,
    receiver: Receiver,
    now: datetime,
) -> UUID | None:
    """Make the approved file, sign it and let payroll see it. None when there is nothing to pay."""
    await log.sequence(store, now, viewer)  # the approvals have their places before the manifest names them
    async with store.begin(DbRole.SEQUENCER, viewer) as connection:
        note = await proofs.newest_checkpoint(connection, log)
    async with store.begin(DbRole.PAY, viewer) as connection:
        await require(connection, viewer, Action.PAYOUT_RELEASE)
        await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": RELEASE_LOCK})
        made = await draft(connection, viewer, cycle_id, receiver, signer.environment)
        if made is not None and note is not None:
            separate(viewer, made, Action.PAYOUT_RELEASE)
            await prepare(connection, log, viewer, made, parse_checkpoint(parse_note(note).text), now)
    await sign(store, log, signer, viewer, now)
    return made.file_id if made else None


async def prepare(
    connection: AsyncConnection, log: Log, viewer: Viewer, made: Draft, checkpoint: Checkpoint, now: datetime
) -> None:
    """The file with its lines, the books, the awards' state and the audit entry, at once or not at all."""
    approved = await approvals(connection, viewer, made)
    hand_over = HandOver(
        issuer=checkpoint.origin.partition("/")[0],
        environment=made.environment,
        receiver=made.receiver.name,
        file_id=made.file_id,
        sequence=made.sequence,
        previous_manifest_sha256=made.previous_manifest_sha256,
        supersedes=None,
        period_from=made.period[0],
        period_to=made.period[1],
        pay_date=made.pay_date,
        created_at=now,
        expires_at=now + EXPIRES_AFTER,
        final=True,
        approvals=tuple(sorted((entry for _, entry in approved), key=str)),
        checkpoint=checkpoint,
    )
    manifest_bytes = manifest(hand_over, [canonical_file(made.csv)], made.lines, CURRENCY_DIGITS)
    manifest_sha256 = sha256(manifest_bytes).hexdigest()
    entry = await log.record(
        connection,
        viewer,
        ty="payout.released/v1",
        object_type="payout",
        object_id=str(made.file_id),
        data={"manifest_sha256": manifest_sha256, "receiver": made.receiver.name, "sequence": made.sequence},
        at=now,
    )
    await connection.execute(insert(File), [file_row(viewer, made, manifest_bytes, manifest_sha256, entry, now)])
    await connection.execute(insert(Line), [line_row(viewer, made, line) for line in made.lines])
    refs = [line.award_ref for line in made.lines]
    moved = await connection.execute(INTO_PAYROLL, {"tenant": viewer.tenant_id, "refs": refs})
    if moved.rowcount != len(refs):
        raise Refused(Code.STATE_CONFLICT, "Some awards changed meanwhile.", "Start the release again.")
    for currency in sorted(made.net_minor):
        parts = [Part(x.amount_minor, x.award_ref, x.line_id) for x in made.lines if x.currency == currency]
        memo = f"file {made.sequence}"
        booking = journal(Event.RELEASE, str(made.file_id), currency, parts, booked_on=now.date(), memo=memo)
        await books.book(connection, viewer, [(booking, entry)], made.file_id)


def file_row(
    viewer: Viewer, made: Draft, manifest_bytes: bytes, manifest_sha256: str, entry: UUID, now: datetime
) -> dict[str, object]:
    ((currency, net_minor),) = made.net_minor.items()  # a draft is of one currency
    return {
        "tenant_id": viewer.tenant_id,
        "id": made.file_id,
        "receiver": made.receiver.name,
        "environment": made.environment,
        "sequence": made.sequence,
        "previous_manifest_sha256": made.previous_manifest_sha256,
        "cycle_id": made.cycle_id,
        "state": PayFileState.PREPARED.value,
        "line_count": len(made.lines),
        "currency": currency,
        "net_minor": net_minor,
        "pay_date": made.pay_date,
        "csv": made.csv,
        "manifest": manifest_bytes,
        "manifest_sha256": manifest_sha256,
        "release_entry_id": entry,
        "prepared_by": viewer.person_id,
        "created_at": now,
    }


def line_row(viewer: Viewer, made: Draft, line: PayLine) -> dict[str, object]:
    return {
        "tenant_id": viewer.tenant_id,
        "line_id": line.line_id,
        "file_id": made.file_id,
        "award_ref": line.award_ref,
        "part_no": line.part_no,
        "kind": line.kind.value,
        "person_id": made.person_of[line.award_ref],
        "currency": line.currency,
        "amount_minor": line.amount_minor,
        "state": "open",
    }


async def sign(store: Store, log: Log, signer: PayoutSigner, viewer: Viewer, now: datetime) -> int:
    """Sign every prepared file from its committed bytes and make it visible. Also mends a release that was cut off."""
    async with store.begin(DbRole.PAY, viewer) as connection:
        waiting = (await connection.execute(UNSIGNED, {"tenant": viewer.tenant_id})).all()
    if not waiting:
        return 0
    await log.sequence(store, now, viewer)
    signed = 0
    for file in waiting:
        async with store.begin(DbRole.SEQUENCER, viewer) as connection:
            bundle = await proofs.inclusion(connection, log, file.release_entry_id)
        proof = {f"release.{name}": body for name, body in bundle.files().items()}
        async with store.begin(DbRole.PAY, viewer) as connection:
            shown = await connection.execute(MAKE_VISIBLE, {"tenant": viewer.tenant_id, "id": file.id})
            if shown.rowcount:  # none: somebody else has just signed it
                await connection.execute(insert(FilePart), signed_parts(viewer, signer, file, proof))
                signed += 1
    return signed


def signed_parts(
    viewer: Viewer, signer: PayoutSigner, file: object, proof: Mapping[str, bytes]
) -> Sequence[dict[str, object]]:
    csv, manifest_bytes, file_id = file.csv, file.manifest, file.id  # type: ignore[attr-defined]
    cms, jose = "application/pkcs7-signature", "application/jose"
    parts = {
        "payout.csv.p7s": (cms, signer.cms_detached(csv)),
        "manifest.json.p7s": (cms, signer.cms_detached(manifest_bytes)),
        "manifest.json.jws": (jose, signer.jws_detached(manifest_bytes).encode()),
        **{name: ("application/octet-stream", body) for name, body in proof.items()},
    }
    return [
        {"tenant_id": viewer.tenant_id, "file_id": file_id, "name": name, "media_type": media_type, "body": body}
        for name, (media_type, body) in parts.items()
    ]
