"""What payroll takes and says: pulling a released file, and acknowledging it. Pulling is not paying.

A GET may be repeated as often as one likes; the first one by payroll is remembered. An acknowledgement is signed by the
receiver, counts once for its idempotency key, and changes nothing when its totals are not those of the lines. Who sends
it neither profits from a line nor decided about one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.actions import books
from api.actions.audit import Log
from api.actions.rights import Action, Relation, forbid, require
from engine.ledger import Event, Part, journal
from engine.payfile import CSV_MEDIA_TYPE, CSV_NAME
from engine.refusal import Code, Refused
from schema.store import DbRole, Store, Viewer
from schema.tables.money import Ack

VISIBLE = ("RELEASED", "PULLED", "ACCEPTED", "PARTLY_ACCEPTED", "REJECTED", "PAID")
FILE = text(
    """select id, state, csv, manifest, manifest_sha256 from pay.file
        where tenant_id = :tenant and receiver = :receiver and sequence = :sequence and state = any(:visible)"""
)
LOCK = text("select id from pay.file where tenant_id = :tenant and id = :id for no key update")
PART = text("select media_type, body from pay.file_part where tenant_id = :tenant and file_id = :id and name = :name")
NAMES = text("select name from pay.file_part where tenant_id = :tenant and file_id = :id order by name")
PULLED = text(
    """update pay.file set state = 'PULLED', pulled_at = :now
        where tenant_id = :tenant and id = :id and state = 'RELEASED' and app.granted('PAYROLL')"""
)
FILE_STATE = text("update pay.file set state = :state where tenant_id = :tenant and id = :id")
LINES = text(
    """select l.line_id, l.award_ref, l.person_id, l.currency, l.amount_minor, l.state, a.submitted_by, a.approved_by
         from pay.line l left join pay.award a on a.tenant_id = l.tenant_id and a.award_ref = l.award_ref
        where l.tenant_id = :tenant and l.file_id = :id order by l.line_id"""
)
LINE_STATE = text("update pay.line set state = :state where tenant_id = :tenant and line_id = any(:ids)")
AWARD_STATE = text(
    """update pay.award set state = :state, version = version + 1
        where tenant_id = :tenant and award_ref = any(:refs)"""
)
HEARD = text(
    """select body_sha256, answer from pay.ack
        where tenant_id = :tenant and receiver = :receiver and idempotency_key = :key"""
)
# stage -> (file states in which it may be said, state that follows)
STAGES: Mapping[str, tuple[frozenset[str], str]] = {
    "accepted": (frozenset({"PULLED"}), "ACCEPTED"),
    "rejected": (frozenset({"PULLED"}), "REJECTED"),
    "paid": (frozenset({"ACCEPTED", "PARTLY_ACCEPTED"}), "PAID"),
}
MEMBERS = {
    "v", "type", "receiver", "file_id", "sequence", "manifest_sha256", "stage", "at", "default_status", "exceptions",
    "totals",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Served:
    """One file of a payout, ready to be served."""

    body: bytes
    media_type: str

    @property
    def etag(self) -> str:
        return sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class Address:
    """Which file of which receiver."""

    receiver: str
    sequence: int


async def listing(store: Store, viewer: Viewer, address: Address) -> dict[str, Any]:
    """Which files a payout has and where it stands, for whoever may pull it."""
    async with store.begin(DbRole.PAY, viewer) as connection:
        await require(connection, viewer, Action.PAYOUT_READ)
        file = await the_file(connection, viewer, address)
        parts = (await connection.execute(NAMES, {"tenant": viewer.tenant_id, "id": file.id})).scalars().all()
        return {"files": sorted([CSV_NAME, "manifest.json", *parts]), "state": file.state}


async def pull(store: Store, log: Log, viewer: Viewer, address: Address, name: str, now: datetime) -> Served:
    """The bytes of one file of a released payout. An auditor may read them too; only payroll's reading is a pull."""
    async with store.begin(DbRole.PAY, viewer) as connection:
        await require(connection, viewer, Action.PAYOUT_READ)
        file = await the_file(connection, viewer, address)
        if name == "manifest.json":
            return Served(file.manifest, "application/json")
        if name == CSV_NAME:
            first = await connection.execute(PULLED, {"tenant": viewer.tenant_id, "id": file.id, "now": now})
            if first.rowcount:
                await log.record(
                    connection,
                    viewer,
                    ty="payout.pulled/v1",
                    object_type="payout",
                    object_id=str(file.id),
                    data={"receiver": address.receiver, "sequence": address.sequence},
                    at=now,
                )
            return Served(file.csv, CSV_MEDIA_TYPE)
        scope = {"tenant": viewer.tenant_id, "id": file.id, "name": name}
        part = (await connection.execute(PART, scope)).first()
        if part is None:
            raise Refused(Code.NOT_FOUND, "No such payout file.", "Read the list of names in the manifest's folder.")
        return Served(part.body, part.media_type)


async def the_file(connection: AsyncConnection, viewer: Viewer, address: Address) -> Any:
    scope = {
        "tenant": viewer.tenant_id,
        "receiver": address.receiver,
        "sequence": address.sequence,
        "visible": list(VISIBLE),
    }
    file = (await connection.execute(FILE, scope)).first()
    if file is None:
        raise Refused(Code.NOT_FOUND, "No such payout file.", "Check receiver and sequence number.")
    return file


async def acknowledge(
    store: Store,
    log: Log,
    viewer: Viewer,
    address: Address,
    idempotency_key: str,
    signed: bytes,
    receiver_keys: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """Take a signed acknowledgement (compact JWS by a key of the receiver). Saying it twice is saying it once."""
    digest = sha256(signed).digest()
    async with store.begin(DbRole.PAY, viewer) as connection:
        await require(connection, viewer, Action.PAYOUT_ACKNOWLEDGE)
        file = await the_file(connection, viewer, address)
        await connection.execute(LOCK, {"tenant": viewer.tenant_id, "id": file.id})
        file = await the_file(connection, viewer, address)  # as it is now that nobody else can change it
        scope = {"tenant": viewer.tenant_id, "receiver": address.receiver, "key": idempotency_key}
        heard = (await connection.execute(HEARD, scope)).first()
        if heard is not None:
            if heard.body_sha256 != digest:
                raise Refused(
                    Code.IDEMPOTENCY_CONFLICT,
                    "This idempotency key was used for another acknowledgement.",
                    "Send a new acknowledgement under a new key.",
                )
            return dict(heard.answer)
        said = read_ack(signed, receiver_keys)
        lines = (await connection.execute(LINES, {"tenant": viewer.tenant_id, "id": file.id})).all()
        separate(viewer, lines)
        rejected = fits(said, address, file, lines)
        state = await settle(connection, log, viewer, file, lines, said["stage"], rejected, now)
        answer = {"file_id": str(file.id), "state": state, "rejected_lines": sorted(rejected)}
        row = {
            "tenant_id": viewer.tenant_id,
            "receiver": address.receiver,
            "idempotency_key": idempotency_key,
            "file_id": file.id,
            "stage": said["stage"],
            "body": signed,
            "body_sha256": digest,
            "answer": answer,
            "received_at": now,
        }
        await connection.execute(insert(Ack), [row])
        return answer


def separate(viewer: Viewer, lines: Any) -> None:
    """Whoever says that it was paid neither profits from it nor decided about it."""
    for relation, column in (
        (Relation.BENEFICIARY, "person_id"),
        (Relation.SUBMITTER, "submitted_by"),
        (Relation.APPROVER, "approved_by"),
    ):
        forbid(Action.PAYOUT_ACKNOWLEDGE, relation, sum(getattr(line, column) == viewer.person_id for line in lines))


def read_ack(signed: bytes, receiver_keys: Mapping[str, Any]) -> dict[str, Any]:
    """The acknowledgement, once its signature fits a registered key of the receiver."""
    try:
        keys = KeySet.import_key_set(dict(receiver_keys))  # type: ignore[arg-type]
        token = jws.deserialize_compact(signed.strip(), keys, algorithms=["Ed25519", "ES256"])
        said = orjson.loads(token.payload or b"")
    except (JoseError, ValueError, KeyError, TypeError) as wrong:
        raise Refused(
            Code.SIGNATURE_INVALID,
            f"The acknowledgement cannot be trusted ({type(wrong).__name__}).",
            "Sign its canonical JSON as a compact JWS with the key that was registered for the receiver.",
        ) from None
    if not as_agreed(said):
        raise Refused(
            Code.BAD_INPUT, "The acknowledgement has other members than agreed.", "Send exactly the agreed ones."
        )
    return dict(said)


def as_agreed(said: Any) -> bool:
    """Has it the members of the agreed form? One status for the file, and exceptions that name lines."""
    return (
        isinstance(said, dict)
        and set(said) == MEMBERS
        and (said["v"], said["type"]) == (1, "evenhand-payout-ack/v1")
        and isinstance(said["stage"], str)
        and said["default_status"] == said["stage"]
        and isinstance(said["exceptions"], list)
        and all(is_exception(each) for each in said["exceptions"])
    )


def is_exception(said: Any) -> bool:
    """A line that was not taken. Of another status nobody knows what it would mean for the money."""
    return isinstance(said, dict) and isinstance(said.get("line_id"), str) and said.get("status") == "rejected"


def fits(said: Mapping[str, Any], address: Address, file: Any, lines: Any) -> frozenset[str]:
    """The lines that are rejected, when everything said is about this file and adds up."""
    about = (said["receiver"], said["sequence"], said["file_id"], said["manifest_sha256"])
    if about != (address.receiver, address.sequence, str(file.id), file.manifest_sha256):
        raise Refused(Code.BAD_INPUT, "The acknowledgement is about another file.", "Name the file that was pulled.")
    allowed, _ = STAGES.get(said["stage"], (frozenset(), ""))
    if file.state not in allowed:
        raise Refused(
            Code.STATE_CONFLICT, f"A file that is {file.state} cannot become {said['stage']}.", "Pull it first."
        )
    known = {line.line_id for line in lines}
    rejected = frozenset(each["line_id"] for each in said["exceptions"])
    if not rejected <= known:
        raise Refused(Code.BAD_INPUT, "An exception names a line that is not in the file.", "Name lines of the file.")
    if said["stage"] == "rejected":
        rejected = frozenset(known)
    counted = {line.currency: [0, 0] for line in lines if line.state == "open" and line.line_id not in rejected}
    for line in lines:
        if line.state == "open" and line.line_id not in rejected:
            counted[line.currency][0] += 1
            counted[line.currency][1] += line.amount_minor
    expected = [
        {"currency": currency, "records": records, "net_minor": str(net)}
        for currency, (records, net) in sorted(counted.items())
    ]
    if said["totals"] != expected:
        raise Refused(
            Code.BAD_INPUT,
            f"The totals {said['totals']} are not those of the lines: {expected}.",
            "Nothing was changed. Compare the file with what was read, and send the totals of the lines taken.",
            ("totals",),
        )
    return rejected


async def settle(
    connection: AsyncConnection,
    log: Log,
    viewer: Viewer,
    file: Any,
    lines: Any,
    stage: str,
    rejected: frozenset[str],
    now: datetime,
) -> str:
    """States, books and the audit entry that follow from an acknowledgement."""
    _, state = STAGES[stage]
    if stage == "accepted" and rejected:
        state = "PARTLY_ACCEPTED"
    entry = await log.record(
        connection,
        viewer,
        ty="payout.acked/v1",
        object_type="payout",
        object_id=str(file.id),
        data={"rejected": sorted(rejected), "stage": stage},
        at=now,
    )
    await connection.execute(FILE_STATE, {"tenant": viewer.tenant_id, "id": file.id, "state": state})
    back = [line for line in lines if line.line_id in rejected and line.state == "open"]
    paid = [line for line in lines if line.state == "open" and line.line_id not in rejected] if stage == "paid" else []
    for moved, event, line_state, award_state in (
        (back, Event.REJECTED, "rejected", "APPROVED"),
        (paid, Event.PAID, "paid", "PAID"),
    ):
        if not moved:
            continue
        scope = {"tenant": viewer.tenant_id}
        settled = await connection.execute(LINE_STATE, scope | {"ids": [x.line_id for x in moved], "state": line_state})
        turned = await connection.execute(
            AWARD_STATE, scope | {"refs": [x.award_ref for x in moved], "state": award_state}
        )
        if (settled.rowcount, turned.rowcount) != (len(moved), len(moved)):  # a refused UPDATE is silent
            raise Refused(
                Code.STATE_CONFLICT, "Some awards changed meanwhile.", "Read the file again, and say it anew."
            )
        for currency in sorted({line.currency for line in moved}):
            parts = [Part(x.amount_minor, x.award_ref, x.line_id) for x in moved if x.currency == currency]
            booking = journal(event, f"{file.id}:{stage}", currency, parts, booked_on=now.date())
            await books.book(connection, viewer, [(booking, entry)], UUID(str(file.id)))
    return state
