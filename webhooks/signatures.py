"""Is this body from a sender who knows our secret? Decided over the raw bytes, before anything is parsed.

Two proofs: Standard Webhooks 1.0 (`webhook-id`, `webhook-timestamp`, `webhook-signature`; HMAC-SHA256 in base64 over
`id.timestamp.body`, at most 300 seconds from `now`), and Jira Cloud's `X-Hub-Signature: sha256=<hex>` over the body.
Hostile input never raises: the answer is `Genuine` or a `Reason`. All active secrets are tried, in constant time.
Refuses at start: secrets that are missing, empty, or for Standard Webhooks not of 24 to 64 bytes.
"""

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from engine.refusal import Code, Refused
from webhooks.reasons import Reason

Headers = Sequence[tuple[bytes, bytes]]  # as ASGI hands them over: names in lower case, repeats kept

STANDARD_HEADERS = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
HUB_SIGNATURE = b"x-hub-signature"
ATLASSIAN_IDENTIFIER = b"x-atlassian-webhook-identifier"
WINDOW_SECONDS = 300
SIGNATURES_MAX = 10
SIGNATURES_MAX_BYTES = 4096
# No dot: dots separate the signed parts, so an id with a dot could be read in two ways.
STANDARD_ID = re.compile(rb"[A-Za-z0-9_-]{1,128}")
TIMESTAMP = re.compile(rb"[0-9]{1,12}")
ATLASSIAN_ID = re.compile(rb"[!-~]{1,200}")


@dataclass(frozen=True, slots=True)
class Genuine:
    """The body is the sender's. `secret_no` says which secret he used: it shows when he has moved to a new one."""

    delivery_id: str
    secret_no: int


def standard_webhook(headers: Headers, body: bytes, secrets: Sequence[bytes], now: datetime) -> Genuine | Reason:
    found = once(headers, STANDARD_HEADERS)
    if isinstance(found, Reason):
        return found
    if len(found) < len(STANDARD_HEADERS):
        return Reason.HEADER_MISSING
    delivery_id, timestamp, signatures = (found[name] for name in STANDARD_HEADERS)
    if not STANDARD_ID.fullmatch(delivery_id):
        return Reason.ID_MALFORMED
    if not TIMESTAMP.fullmatch(timestamp):
        return Reason.TIMESTAMP_MALFORMED
    if abs(now.timestamp() - int(timestamp)) > WINDOW_SECONDS:
        return Reason.OUTSIDE_WINDOW
    entries = signatures.split(b" ")
    if len(signatures) > SIGNATURES_MAX_BYTES or len(entries) > SIGNATURES_MAX:
        return Reason.SIGNATURES_TOO_MANY
    signed = b"%b.%b.%b" % (delivery_id, timestamp, body)
    # Compared as base64 text: what is malformed matches nothing, and other versions than v1 are passed over.
    wanted = [b"v1," + b64encode(hmac.digest(secret, signed, sha256)) for secret in secrets]
    return judge(delivery_id.decode(), wanted, entries)


def hub_signature(headers: Headers, body: bytes, secrets: Sequence[bytes], now: datetime) -> Genuine | Reason:
    """Jira signs neither time nor identifier: a captured delivery can be sent anew, and only has an issue read again.

    The identifier is the same over retries. Where a Jira sends none, the same body again is the same delivery.
    """
    found = once(headers, (HUB_SIGNATURE, ATLASSIAN_IDENTIFIER))
    if isinstance(found, Reason):
        return found
    if HUB_SIGNATURE not in found:
        return Reason.HEADER_MISSING
    identifier = found.get(ATLASSIAN_IDENTIFIER)
    if identifier is None:
        identifier = b"sha256:" + sha256(body).hexdigest().encode()
    if not ATLASSIAN_ID.fullmatch(identifier):
        return Reason.ID_MALFORMED
    wanted = [b"sha256=" + hmac.digest(secret, body, sha256).hex().encode() for secret in secrets]
    return judge(identifier.decode(), wanted, [found[HUB_SIGNATURE]])


def once(headers: Headers, names: Sequence[bytes]) -> dict[bytes, bytes] | Reason:
    """Those of the named headers that are there, none of them twice: of two, a proxy may have checked the other one."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in names:
            if name in found:
                return Reason.HEADER_REPEATED
            found[name] = value
    return found


def judge(delivery_id: str, wanted: Sequence[bytes], entries: Sequence[bytes]) -> Genuine | Reason:
    matches = [sum(hmac.compare_digest(want, entry) for entry in entries) > 0 for want in wanted]  # all are compared
    return Genuine(delivery_id, matches.index(True)) if True in matches else Reason.NO_MATCH


def standard_secrets(texts: Sequence[str]) -> tuple[bytes, ...]:
    """Active secrets of one sender, `whsec_` and base64 each, as Standard Webhooks writes them."""
    secrets = []
    for text in required(texts):
        try:
            secret = b64decode(text.removeprefix("whsec_"), validate=True) if text.startswith("whsec_") else b""
        except (binascii.Error, ValueError):
            secret = b""
        if not 24 <= len(secret) <= 64:
            raise Refused(
                Code.BAD_INPUT,
                "A webhook secret is not `whsec_` followed by the base64 of 24 to 64 bytes.",
                "Make one: python3 -c \"import base64,os;print('whsec_'+base64.b64encode(os.urandom(32)).decode())\"",
            )
        secrets.append(secret)
    return tuple(secrets)


def plain_secrets(texts: Sequence[str]) -> tuple[bytes, ...]:
    """Active secrets of one sender, as typed into the sender's administration page."""
    return tuple(text.encode() for text in required(texts))


def required(texts: Sequence[str]) -> Sequence[str]:
    if not texts or not all(text.strip() for text in texts):
        raise Refused(
            Code.BAD_INPUT,
            "A webhook sender has no secret, or an empty one: anybody could sign for it.",
            "Give the sender a secret, or leave the sender out.",
        )
    return texts
