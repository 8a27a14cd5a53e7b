"""Sealed fields against the published vectors; a blob opens only where it was put."""

import stat
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sealing import bound_to, open_system_key, seal, unseal
from engine.refusal import Refused
from tests.engine.test_leaf import SALT, vector_payload

DEK, NONCE, KEK = bytes(range(0x40, 0x60)), bytes(range(0x60, 0x6C)), bytes(range(0x80, 0xA0))
AMOUNT = bound_to("pay.award", "7c0e6a3e-0b64-4c1b-8f2f-5a9d1f0c2b11", "amount", 1)


def test_the_published_vectors_byte_for_byte() -> None:
    assert AMOUNT == b"evenhand/1|pay.award|7c0e6a3e-0b64-4c1b-8f2f-5a9d1f0c2b11|amount|1"
    field = "01606162636465666768696a6b9d1a3c2b32a4f0be7534d8276415de15fd5a3e2326d0"
    assert seal(DEK, b"125.50", AMOUNT, NONCE).hex() == field
    place = bound_to("audit.entry", "3f0c8a52-6d1e-4b7a-9c35-0e2d71a4b8f6", "sealed", 1)
    entry = seal(DEK, SALT + vector_payload(), place, NONCE)
    assert len(entry) == 279
    assert sha256(entry).hexdigest() == "f2095f43cdd3c220616aa9cd3aba1317c80c17d8fe523f90a329febbe46e4f26"
    wrapped = seal(KEK, DEK, bound_to("crypto.dek", "1", "wrapped", "kek-2026-1"), bytes(range(0xA0, 0xAC)))
    assert wrapped.hex() == (
        "01a0a1a2a3a4a5a6a7a8a9aaab404e327318e5d57736264cfdc84cc4c9fd7b54e27bddd47a98f9dc605c8b8f83e2acf88ad5d05a7f8cbfe02e"
        "6458806c"
    )


@given(st.binary(max_size=200))
def test_what_is_sealed_opens_and_no_nonce_comes_twice(text: bytes) -> None:
    one, two = seal(DEK, text, AMOUNT), seal(DEK, text, AMOUNT)
    assert one != two
    assert unseal(DEK, one, AMOUNT) == unseal(DEK, two, AMOUNT) == text


def test_a_blob_that_was_changed_or_moved_does_not_open() -> None:
    blob = seal(DEK, b"125.50", AMOUNT)
    elsewhere = bound_to("pay.award", "7c0e6a3e-0b64-4c1b-8f2f-5a9d1f0c2b12", "amount", 1)
    wrong = [(KEK, blob, AMOUNT), (DEK, blob, elsewhere), (DEK, blob[:20], AMOUNT), (DEK, b"", AMOUNT)]
    flipped = [(DEK, blob[:i] + bytes([blob[i] ^ 1]) + blob[i + 1 :], AMOUNT) for i in range(len(blob))]
    for key, changed, place in wrong + flipped:
        with pytest.raises(Refused):
            unseal(key, changed, place)


def test_the_system_key_is_made_once_and_private(tmp_path: Path) -> None:
    key = open_system_key(tmp_path / "keys")
    assert open_system_key(tmp_path / "keys") == key
    path = tmp_path / "keys" / "seal-1.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(key[:31])
    with pytest.raises(Refused, match="32 bytes"):
        open_system_key(tmp_path / "keys")
