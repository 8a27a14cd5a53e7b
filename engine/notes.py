"""The texts around the audit log: keys, signed notes, checkpoints and proofs that fit in one file.

Decides: how a checkpoint, a signature line, a verification key and a proof are spelled, and which line of a note
belongs to which key. Sources: c2sp.org/signed-note@v1.0.0, c2sp.org/tlog-checkpoint@v1.0.0, c2sp.org/tlog-cosignature
(its ML-DSA-44 part is a draft), c2sp.org/tlog-proof@v1. Units: sizes and indexes count leaves, times are UTC seconds.
Refuses: texts that are not spelled exactly so, a key whose id does not follow from it, and a note in which a line of
the expected key fails or is missing. Cryptography is the caller's: a `Check` says whether a signature is good.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from engine.refusal import Code, Refused

# (public key, signature, message) -> is the signature good?
Check = Callable[[bytes, bytes, bytes], bool]

KEY_ID_BYTES = 4
PROOF_HEADER = "c2sp.org/tlog-proof@v1"

_DASH = "— "  # U+2014 and a space
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
_NAME = re.compile(r"[^\s+\x00-\x1f]+")


class KeyKind(IntEnum):
    """First byte of a published key: what it signs and with which algorithm."""

    ED25519 = 0x01
    COSIGNATURE_ED25519 = 0x04
    ML_DSA_44 = 0x06


@dataclass(frozen=True)
class NoteKey:
    """A published verification key. `name` is the origin for a log's own keys."""

    name: str
    kind: KeyKind
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public_key).digest()[:KEY_ID_BYTES]


@dataclass(frozen=True)
class NoteLine:
    """One signature line: who signed with which key, and the bytes after the key id."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """`text` ends with a newline and is what Ed25519 log keys sign."""

    text: str
    lines: tuple[NoteLine, ...]


@dataclass(frozen=True)
class Checkpoint:
    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class Proof:
    """An inclusion proof together with the checkpoint that it leads to."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str


def vkey_text(key: NoteKey) -> str:
    return f"{key.name}+{key.key_id.hex()}+{b64(bytes([key.kind]) + key.public_key)}"


def parse_vkey(text: str) -> NoteKey:
    # The base64 may itself hold plus signs, so only the first two separate.
    parts = text.strip().split("+", 2)
    if len(parts) != 3 or not _NAME.fullmatch(parts[0]):
        raise _bad("The log key is not of the form name+id+key.")
    body = unb64(parts[2], "The log key")
    if not body or body[0] not in list(KeyKind):
        raise _bad("The log key is of a kind that is not known here.")
    key = NoteKey(parts[0], KeyKind(body[0]), body[1:])
    if key.key_id.hex() != parts[1]:
        raise _bad(f"The id {parts[1]} of the log key does not follow from its name and bytes.")
    return key


def checkpoint_text(checkpoint: Checkpoint) -> str:
    return f"{checkpoint.origin}\n{checkpoint.size}\n{b64(checkpoint.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """The three first lines of a checkpoint; extension lines may follow, are signed, and say nothing here."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or not _NUMBER.fullmatch(lines[1]):
        raise _bad("The checkpoint does not have an origin, a size and a root on its first three lines.")
    return Checkpoint(lines[0], int(lines[1]), _hash(lines[2]))


def cosignature_message(note_text: str, signed_at_seconds: int) -> bytes:
    """What a witness signs with Ed25519. The signature in its line follows 8 bytes of the same time."""
    return f"cosignature/v1\ntime {signed_at_seconds}\n{note_text}".encode()


def subtree_message(name: str, signed_at_seconds: int, checkpoint: Checkpoint) -> bytes:
    """What an ML-DSA-44 key signs: the whole tree of the checkpoint, under the name of the signer."""
    signer, origin = name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\0",
            bytes([len(signer)]) + signer,
            signed_at_seconds.to_bytes(8, "big"),
            bytes([len(origin)]) + origin,
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def signature_line(key: NoteKey, signature: bytes) -> str:
    return f"{_DASH}{key.name} {b64(key.key_id + signature)}\n"


def signed_note(text: str, lines: Sequence[str]) -> str:
    return f"{text}\n{''.join(lines)}"


def parse_note(note: str) -> Note:
    text, gap, tail = note.rpartition("\n\n")
    if not gap or not text or not tail.endswith("\n"):
        raise _bad("The note has no empty line between its text and its signatures.")
    if any(character < " " and character != "\n" for character in note):
        raise _bad("The note holds control characters.")
    return Note(text + "\n", tuple(_parse_line(line) for line in tail[:-1].split("\n")))


def verify_note(note: Note, key: NoteKey, check: Check) -> None:
    """Returns when the note carries a good line of this key; a line of the key that fails refuses the whole note.

    Lines are selected by name and key id, never by their place: a log signs with several keys under one name.
    """
    lines = [line for line in note.lines if (line.name, line.key_id) == (key.name, key.key_id)]
    if not lines:
        raise Refused(
            Code.SIGNATURE_INVALID,
            f"The checkpoint is not signed by the key {key.name}+{key.key_id.hex()}.",
            "Compare the log key with the one that you received over a second channel.",
        )
    for line in lines:
        message, signature = _signed_bytes(note, key, line.signature)
        if not check(key.public_key, signature, message):
            raise Refused(
                Code.SIGNATURE_INVALID,
                f"The signature of {key.name}+{key.key_id.hex()} does not fit the checkpoint.",
                "Do not rely on this checkpoint; ask for it again and report the difference.",
            )


def proof_text(proof: Proof) -> str:
    hashes = "".join(f"{b64(each)}\n" for each in proof.hashes)
    return f"{PROOF_HEADER}\nindex {proof.index}\n{hashes}\n{proof.checkpoint}"


def parse_proof(text: str) -> Proof:
    head, gap, checkpoint = text.partition("\n\n")
    header, *lines = head.split("\n")
    if lines and lines[0].startswith("extra "):  # allowed by the format, authenticated by nothing, used by nobody here
        lines = lines[1:]
    if not gap or header != PROOF_HEADER or not lines or not lines[0].startswith("index "):
        raise _bad(f"The proof does not begin with {PROOF_HEADER!r} and an index.")
    index = lines[0].removeprefix("index ")
    if not _NUMBER.fullmatch(index):
        raise _bad("The index of the proof is not a plain number.")
    return Proof(int(index), tuple(_hash(line) for line in lines[1:]), checkpoint)


def _signed_bytes(note: Note, key: NoteKey, body: bytes) -> tuple[bytes, bytes]:
    """What the line's key signed, and its signature. Two kinds carry 8 bytes of time before the signature."""
    if key.kind is KeyKind.ED25519:
        return note.text.encode(), body
    signed_at_seconds, signature = int.from_bytes(body[:8], "big"), body[8:]
    if key.kind is KeyKind.COSIGNATURE_ED25519:
        return cosignature_message(note.text, signed_at_seconds), signature
    return subtree_message(key.name, signed_at_seconds, parse_checkpoint(note.text)), signature


def _parse_line(line: str) -> NoteLine:
    name, gap, body = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not gap or not _NAME.fullmatch(name):
        raise _bad("A signature line of the note is not of the form '— name signature'.")
    signature = unb64(body, "A signature line")
    if len(signature) <= KEY_ID_BYTES:
        raise _bad("A signature line of the note is too short.")
    return NoteLine(name, signature[:KEY_ID_BYTES], signature[KEY_ID_BYTES:])


def _hash(text: str) -> bytes:
    value = unb64(text, "A hash")
    if len(value) != sha256().digest_size:
        raise _bad("A hash is not 32 bytes long.")
    return value


def b64(value: bytes) -> str:
    return b64encode(value).decode()


def unb64(text: str, what: str) -> bytes:
    try:
        value = b64decode(text, validate=True)
    except (NotBase64, ValueError):
        raise _bad(f"{what} is not base64.") from None
    if b64(value) != text:  # one value has one spelling, or two files with the same meaning differ in their digest
        raise _bad(f"{what} is not base64 in its one canonical spelling.")
    return value


def _bad(what: str) -> Refused:
    return Refused(Code.PROOF_INVALID, what, "Use the file as the log published it, without changing a byte.")
