"""Fields that only the key opens: AES-256-GCM, bound to the row and column that they stand in.

Decides: the form `0x01 || nonce (12) || ciphertext || tag (16)` and what a blob is bound to. Source: NIST SP 800-38D.
Moving a blob to another row, column or key makes it unreadable. Keys are 32 bytes.
Refuses: blobs of another form, and blobs that were changed or moved.
"""

from pathlib import Path
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.signing.folder import once, open_folder
from engine.refusal import Code, Refused

KEY_BYTES = 32
NONCE_BYTES = 12
SYSTEM_KEY_ID = 1
SYSTEM_KEY_NAME = f"seal-{SYSTEM_KEY_ID}.key"

_FORM = b"\x01"


def open_system_key(folder: Path) -> bytes:
    """The key for what belongs to no person's own key; made at the first start."""
    key = once(open_folder(folder) / SYSTEM_KEY_NAME, lambda: token_bytes(KEY_BYTES))
    if len(key) != KEY_BYTES:
        raise Refused(Code.BAD_INPUT, f"{folder / SYSTEM_KEY_NAME} is not 32 bytes long.", "Restore it from a copy.")
    return key


def bound_to(table: str, row: str, column: str, key_id: int | str) -> bytes:
    """Where a blob stands. Rows are UUIDs or integers, so the bars cannot be confused with their content."""
    return f"evenhand/1|{table}|{row}|{column}|{key_id}".encode()


def seal(key: bytes, text: bytes, place: bytes, nonce: bytes | None = None) -> bytes:
    """`nonce` is random; it is an argument for published vectors only."""
    once_only = nonce or token_bytes(NONCE_BYTES)
    return _FORM + once_only + AESGCM(key).encrypt(once_only, text, place)


def unseal(key: bytes, blob: bytes, place: bytes) -> bytes:
    nonce, sealed = blob[1 : 1 + NONCE_BYTES], blob[1 + NONCE_BYTES :]
    try:
        if blob[:1] != _FORM or len(sealed) < 16:
            raise InvalidTag
        return AESGCM(key).decrypt(nonce, sealed, place)
    except InvalidTag:
        raise Refused(
            Code.PROOF_INVALID,
            f"What stands at {place.decode()} does not open with its key.",
            "Compare the row with a backup; it was changed, moved, or sealed with another key.",
        ) from None
