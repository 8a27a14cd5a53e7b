"""Deterministic ids: the id of a mirrored thing follows from where it came from.

So a reference can be written before its target has arrived, and two feeds that see the same record agree on its id
without asking. Source of the idea: Apache DevLake's `source:table:key`. Ids are UUIDs of version 5 (RFC 9562).
"""

from hashlib import sha1
from uuid import UUID, uuid5

NAMESPACE = UUID("5d1f7c1e-0f6a-5a7e-9d55-0e7e9d0c5a11")
DEFAULT_TENANT = uuid5(NAMESPACE, "tenant:default")
_BEGINNING = NAMESPACE.bytes


def mirror_id(source: str, entity: str, key: str | None) -> UUID | None:
    """Id of the record `key` of `entity` in `source`; None for an absent reference.

    The same as uuid5(NAMESPACE, "source:entity:key"), at half of its cost: every row of a load needs several. It is
    the plain UUID on purpose: the driver's is quicker still, but orjson does not write it.
    """
    if not key:
        return None
    digest = sha1(_BEGINNING + f"{source}:{entity}:{key}".encode(), usedforsecurity=False).digest()
    number = int.from_bytes(digest[:16], "big") & ~_FIXED_BITS | _VERSION_5
    return UUID(int=number)


_FIXED_BITS = 0xF << 76 | 0b11 << 62
_VERSION_5 = 5 << 76 | 0b10 << 62
