"""The folder of development keys: made once, private to its owner, the same keys at every later start.

Decides: file names, modes (0700 for the folder, 0600 for each file) and that of two starters the first one wins.
Refuses: a key file that others may read, or that cannot be read as a key.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from api.signing.keys import ALGORITHMS, Key, Purpose, generate
from engine.refusal import Code, Refused

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def open_folder(folder: Path) -> Path:
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    folder.chmod(FOLDER_MODE)
    return folder


def open_key(folder: Path, purpose: Purpose) -> Key:
    """The key for this purpose, made if the folder has none."""

    def fresh() -> bytes:
        private = generate(ALGORITHMS[purpose])
        return bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    path = folder / f"{purpose}.key.pem"
    pem = once(path, fresh)
    try:
        return Key(purpose, load_pem_private_key(pem, password=None))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused(
            Code.BAD_INPUT,
            f"{path} is not a private key.",
            "Restore the file from a copy, or remove the folder to start anew.",
        ) from None


def once(path: Path, fresh: Callable[[], bytes]) -> bytes:
    """The content of the file; written from `fresh` when it does not exist, whole or not at all."""
    if not path.exists():
        draft = path.with_name(f".{path.name}.{token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(fresh())
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(draft, path)  # unlike a rename, a link never replaces what another starter has just made
        finally:
            draft.unlink()
    _require_private(path)
    return path.read_bytes()


def _require_private(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise Refused(
            Code.ACCESS_DENIED,
            f"{path} may be read by others (mode {mode:o}).",
            f"Run `chmod 600 {path}`, and consider the key known to whoever could read it.",
        )
