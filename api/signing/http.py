"""Signatures over the answer to a payout download: proof of transport, while the file signatures are the record.

Decides: which parts of an answer are covered and how they are spelled (RFC 9421 base, RFC 9530 digests). The target is
the outside URL; the caller builds it from configuration, because a Host header is the word of a stranger.
"""

from base64 import b64encode
from hashlib import sha256
from typing import NamedTuple, Protocol

from api.signing.keys import Purpose

LABEL = "payout"
TAG = "evenhand-payout"
COVERED = (
    '"@status"',
    '"content-digest"',
    '"repr-digest"',
    '"content-type"',
    '"payout-sequence"',
    '"@method";req',
    '"@target-uri";req',
)


class Answer(NamedTuple):
    """What the signature speaks about. `content` is what this answer carries, `whole` the complete file."""

    status: int
    content: bytes
    whole: bytes
    content_type: str
    sequence: int
    method: str
    target_uri: str


class HttpSigner(Protocol):
    """Whoever holds the key for downloads."""

    def sign(self, purpose: Purpose, message: bytes) -> bytes: ...

    def kid(self, purpose: Purpose) -> str: ...


def signed_headers(answer: Answer, signer: HttpSigner, created_seconds: int) -> dict[str, str]:
    base, parameters = signature_base(answer, signer.kid(Purpose.HTTP), created_seconds)
    signature = b64encode(signer.sign(Purpose.HTTP, base.encode())).decode()
    return {
        "content-digest": _digest(answer.content),
        "repr-digest": _digest(answer.whole),
        "payout-sequence": str(answer.sequence),
        "signature-input": f"{LABEL}={parameters}",
        "signature": f"{LABEL}=:{signature}:",
    }


def signature_base(answer: Answer, kid: str, created_seconds: int) -> tuple[str, str]:
    """The text that is signed, and the parameters that name what it covers."""
    values = (
        str(answer.status),
        _digest(answer.content),
        _digest(answer.whole),
        answer.content_type,
        str(answer.sequence),
        answer.method,
        answer.target_uri,
    )
    parameters = f'({" ".join(COVERED)});created={created_seconds};keyid="{kid}";alg="ed25519";tag="{TAG}"'
    lines = [f"{name}: {value}" for name, value in zip(COVERED, values, strict=True)]
    return "\n".join([*lines, f'"@signature-params": {parameters}']), parameters


def _digest(content: bytes) -> str:
    return f"sha-256=:{b64encode(sha256(content).digest()).decode()}:"
