"""Global ids: one opaque text that names a thing of any kind. base64 of `Type:uuid`."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from uuid import UUID

from engine.refusal import Code, Refused


def global_id(kind: str, key: UUID) -> str:
    return b64encode(f"{kind}:{key}".encode()).decode()


def parsed(text: str) -> tuple[str, UUID] | None:
    """Type name and uuid; None for text that is no id of ours, in its one spelling."""
    try:
        kind, _, key = b64decode(text.encode(), validate=True).decode().partition(":")
        found = UUID(key)
    except (ValueError, binascii.Error):
        return None
    return (kind, found) if global_id(kind, found) == text else None


def keys_of(ids: Sequence[str], kinds: Sequence[str]) -> list[UUID]:
    """The uuids behind ids of these types; BAD_INPUT for any other text."""
    found = [parsed(text) for text in ids]
    keys = [each[1] for each in found if each is not None and each[0] in kinds]
    if len(keys) != len(ids):
        raise Refused(
            Code.BAD_INPUT,
            f"One of the ids is not the id of a {' or '.join(kinds)}.",
            "Use ids as they came from this API.",
        )
    return keys
