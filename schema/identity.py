"""Deterministic ids: the id of a mirrored thing follows from where it came from.

So a reference can be written before its target has arrived, and two feeds that see the same record agree on its id
without asking. Source of the idea: Apache DevLake's `source:table:key`.
"""

from uuid import UUID, uuid5

NAMESPACE = UUID("5d1f7c1e-0f6a-5a7e-9d55-0e7e9d0c5a11")
DEFAULT_TENANT = uuid5(NAMESPACE, "tenant:default")


def mirror_id(source: str, entity: str, key: str | None) -> UUID | None:
    """Id of the record `key` of `entity` in `source`; None for an absent reference."""
    return uuid5(NAMESPACE, f"{source}:{entity}:{key}") if key else None
