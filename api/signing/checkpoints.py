"""Signed heads of the audit log: an Ed25519 line for every verifier, an ML-DSA-44 line where this machine can.

Decides: which lines a checkpoint carries and whether a line is good. The texts are those of `engine.notes`.
Source: c2sp.org/tlog-checkpoint@v1.0.0; the ML-DSA-44 line follows the draft of c2sp.org/tlog-cosignature.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from api.signing.keys import Algorithm, Key, Purpose, verifies_raw
from engine.notes import (
    Check,
    Checkpoint,
    KeyKind,
    NoteKey,
    checkpoint_text,
    signature_line,
    signed_note,
    subtree_message,
)

KINDS = {Purpose.LOG: KeyKind.ED25519, Purpose.LOG_ML_DSA: KeyKind.ML_DSA_44}
ALGORITHM_OF_KIND = {
    KeyKind.ED25519: Algorithm.ED25519,
    KeyKind.COSIGNATURE_ED25519: Algorithm.ED25519,
    KeyKind.ML_DSA_44: Algorithm.ML_DSA_44,
}


class SignedLine(NamedTuple):
    """A signature line and the key that it names."""

    key: NoteKey
    line: str


def note_key(key: Key, origin: str) -> NoteKey:
    """A log's keys are named like the log."""
    return NoteKey(origin, KINDS[key.purpose], key.public_raw)


def sign_head(checkpoint: Checkpoint, at: datetime, keys: Sequence[Key]) -> list[SignedLine]:
    """One line for each key. `at` is the time of the head, so that signing again covers the same bytes."""
    lines = []
    for key in keys:
        named = note_key(key, checkpoint.origin)
        if named.kind is KeyKind.ML_DSA_44:
            seconds = int(at.timestamp())
            signature = seconds.to_bytes(8, "big") + key.sign(
                key.purpose, subtree_message(checkpoint.origin, seconds, checkpoint)
            )
        else:
            signature = key.sign(key.purpose, checkpoint_text(checkpoint).encode())
        lines.append(SignedLine(named, signature_line(named, signature)))
    return lines


def checkpoint_note(checkpoint: Checkpoint, lines: Sequence[str]) -> str:
    return signed_note(checkpoint_text(checkpoint), lines)


def line_check(kind: KeyKind) -> Check:
    """The check that `engine.notes.verify_note` needs for a key of this kind."""
    algorithm = ALGORITHM_OF_KIND[kind]
    return lambda public_raw, signature, message: verifies_raw(algorithm, public_raw, signature, message)
