"""One audit entry against its published vector, and the inputs that would weaken it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from uuid import UUID

import pytest
import rfc8785

from engine.leaf import Leaf, commitment, leaf_bytes, parse_leaf, payload_bytes, utc_text
from engine.merkle import leaf_hash
from engine.refusal import Refused

SALT = bytes(range(32))
PAYLOAD_HEX = (
    "7b226163746f72223a22702d3438323133222c2264617461223a7b22616d6f756e74223a223132352e3530222c2263757272656e6379223a"
    "22455552227d2c226f626a656374223a7b226964223a2261646a2d323032362d303030343137222c2274797065223a2261646a7573746d65"
    "6e74222c2276657273696f6e223a337d2c22726561736f6e223a22534c412d5568722069727274c3bc6d6c69636820616e676568616c7465"
    "6e222c2272657175657374223a227265712d38383431222c227375626a656374223a22702d3939313732222c2276223a317d"
)
C = "53d45331ef815a04079375b81f75d1415af6333271d3600eb074d0550905c20b"
LEAF_TEXT = (
    f'{{"c":"{C}","id":"3f0c8a52-6d1e-4b7a-9c35-0e2d71a4b8f6","t":"2026-11-21T09:00:00Z",'
    '"ty":"adjustment.approved/v1","v":1}'
)
LEAF = Leaf(
    C, UUID("3f0c8a52-6d1e-4b7a-9c35-0e2d71a4b8f6"), datetime(2026, 11, 21, 9, tzinfo=UTC), "adjustment.approved/v1"
)


def vector_payload() -> bytes:
    return payload_bytes(
        actor="p-48213",
        data={"amount": "125.50", "currency": "EUR"},
        object_type="adjustment",
        object_id="adj-2026-000417",
        object_version=3,
        reason="SLA-Uhr irrtümlich angehalten",
        request="req-8841",
        subject="p-99172",
    )


def test_the_published_entry_byte_for_byte() -> None:
    payload = vector_payload()
    assert payload.hex() == PAYLOAD_HEX
    assert len(payload) == 218
    assert sha256(payload).hexdigest() == "3c0b991077cd013f1979223f46a3797d80761e4b99be3183fb6bfb9548afefb9"
    assert payload == rfc8785.dumps(json.loads(payload))
    assert commitment(SALT, payload) == C
    leaf = leaf_bytes(LEAF)
    assert leaf.decode() == LEAF_TEXT
    assert len(leaf) == 179
    assert leaf_hash(leaf).hex() == "e3acda9e246b03991e5455826d55c4a4341470f8b054f5d06c2f0cab68cc1560"
    assert parse_leaf(leaf) == LEAF


@pytest.mark.parametrize("salt", [b"", SALT[:31], SALT + b"\0"])
def test_a_salt_of_another_length_is_refused(salt: bytes) -> None:
    with pytest.raises(Refused):
        commitment(salt, vector_payload())


@pytest.mark.parametrize(
    "ty", ["", "adjustment", "adjustment.approved", "Adjustment.approved/v1", "a.b/v0", "a.b/v1\n"]
)
def test_a_type_that_is_not_area_and_verb_is_refused(ty: str) -> None:
    with pytest.raises(Refused):
        leaf_bytes(Leaf(C, LEAF.entry_id, LEAF.at, ty))


def test_times_are_whole_seconds_of_utc() -> None:
    assert utc_text(datetime(2026, 11, 21, 10, tzinfo=timezone(timedelta(hours=1)))) == "2026-11-21T09:00:00Z"
    for at in (datetime(2026, 11, 21, 9), LEAF.at.replace(microsecond=1)):  # noqa: DTZ001
        with pytest.raises(Refused):
            utc_text(at)


@pytest.mark.parametrize(
    "changed",
    [
        LEAF_TEXT.replace(",", ", "),
        LEAF_TEXT.replace('"v":1', '"v":2'),
        LEAF_TEXT.replace(C, C.upper()),
        LEAF_TEXT.replace(C, C[:-1]),
        LEAF_TEXT.replace("3f0c8a52-", "3f0c8a52"),
        LEAF_TEXT.replace("09:00:00", "9:00:00"),
        LEAF_TEXT.replace('"v":1', '"v":1,"x":1'),
        LEAF_TEXT.replace(f'"c":"{C}"', f'"c":"0","c":"{C}"'),
        "[]",
        "null",
        "{",
        "",
        "[" * 100_000,
    ],
)
def test_another_spelling_of_a_leaf_is_refused(changed: str) -> None:
    with pytest.raises(Refused):
        parse_leaf(changed.encode())


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(Refused):
        parse_leaf(b"\xff\xfe\x00")
