"""One entry of the audit log: the secret payload, the salted commitment to it, and the open leaf.

Decides: the bytes that are hashed into the tree. The leaf names the entry, its time, its type and a commitment; only
who holds the salt can test a guess of the payload, so an entry can be erased while the tree stays as it is.
Source: RFC 8785 for bytes, RFC 2104 with SHA-256 for the commitment, RFC 6962 section 2.1 for the leaf hash.
Refuses: salts that are not 32 bytes (HMAC pads short keys with zeros, so two of them would collide), types that are not
`area.verb/vN`, times with a fraction of a second or without a zone, leaves above 65,535 bytes.
"""

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from engine.canonical import canonical_json
from engine.refusal import Code, Refused

SALT_BYTES = 32
LEAF_FORMAT = 1
PAYLOAD_FORMAT = 1
LARGEST_LEAF_BYTES = 65_535

_TYPE = re.compile(r"[a-z_]+\.[a-z_]+/v[1-9][0-9]*")
_UTC_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Leaf:
    """What auditors and witnesses see. `commitment` is 64 hex characters."""

    commitment: str
    entry_id: UUID
    at: datetime
    ty: str


def payload_bytes(
    *,
    actor: str,
    object_type: str,
    object_id: str,
    object_version: int,
    data: Mapping[str, object],
    request: str,
    subject: str | None = None,
    on_behalf_of: str | None = None,
    reason: str | None = None,
    rules_sha256: str | None = None,
    approvals: Sequence[str] | None = None,
) -> bytes:
    """The secret bytes of an entry. Persons are pseudonyms; an absent part is left out, never null."""
    always: dict[str, object] = {
        "v": PAYLOAD_FORMAT,
        "actor": actor,
        "object": {"id": object_id, "type": object_type, "version": object_version},
        "data": data,
        "request": request,
    }
    sometimes = {
        "subject": subject,
        "on_behalf_of": on_behalf_of,
        "reason": reason,
        "rules_sha256": rules_sha256,
        "approvals": approvals,
    }
    return canonical_json(always | {name: value for name, value in sometimes.items() if value is not None})


def commitment(salt: bytes, payload: bytes) -> str:
    if len(salt) != SALT_BYTES:
        raise _bad(f"A salt of {len(salt)} bytes cannot hide a payload.", "Draw 32 random bytes for each entry.")
    return hmac.new(salt, payload, "sha256").hexdigest()


def leaf_bytes(leaf: Leaf) -> bytes:
    if not _TYPE.fullmatch(leaf.ty):
        raise _bad(f"{leaf.ty!r} is not a type of audit entry.", "Write it as area.verb/v1.")
    body = {"c": leaf.commitment, "id": str(leaf.entry_id), "t": utc_text(leaf.at), "ty": leaf.ty, "v": LEAF_FORMAT}
    encoded = canonical_json(body)
    if len(encoded) > LARGEST_LEAF_BYTES:
        raise _bad("The leaf is longer than 65,535 bytes.", "Shorten its type.")
    return encoded


def parse_leaf(encoded: bytes) -> Leaf:
    """The leaf that these exact bytes spell; another spelling of the same values is refused."""
    try:
        body = json.loads(encoded)
        leaf = Leaf(body["c"], UUID(body["id"]), parse_utc(body["t"]), body["ty"])
        same = leaf_bytes(leaf) == encoded and re.fullmatch("[0-9a-f]{64}", leaf.commitment) is not None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        same = False
    if not same:
        raise Refused(
            Code.PROOF_INVALID,
            "The file is not a leaf of the audit log.",
            "Use the leaf as the log published it, without changing a byte.",
        )
    return leaf


def utc_text(at: datetime) -> str:
    if at.tzinfo is None or at.microsecond:
        raise _bad(f"The time {at} is not in whole seconds of a known zone.", "Cut it to seconds in UTC.")
    return at.astimezone(UTC).strftime(_UTC_FORMAT)


def parse_utc(text: str) -> datetime:
    return datetime.strptime(text, _UTC_FORMAT).replace(tzinfo=UTC)


def _bad(what: str, fix: str) -> Refused:
    return Refused(Code.BAD_INPUT, what, fix)
