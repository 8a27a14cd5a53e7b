"""Words for how tools are read and written, beside those of engine/words.py: connections, sweeps, write-backs.

A value here is what stands in the database (text + CHECK) and in GraphQL enums. Nothing here has behaviour.
"""

from enum import StrEnum


class ToolState(StrEnum):
    """How a tool stands with us. DEGRADED: a person must look before anything is deleted."""

    OK = "OK"
    DEGRADED = "DEGRADED"


class RegistrationState(StrEnum):
    LIVE = "LIVE"
    EXPIRED = "EXPIRED"
    REMOVED = "REMOVED"


class SweepKind(StrEnum):
    """Every key of a tool compared with the mirror, or every content."""

    KEYS = "KEYS"
    CONTENT = "CONTENT"


class SweepState(StrEnum):
    """HELD: too much was absent at once, so nothing was deleted."""

    DONE = "DONE"
    PARTIAL = "PARTIAL"
    HELD = "HELD"


class WriteBackState(StrEnum):
    """UNKNOWN: the tool did not say whether it took the write; it is looked up before it is tried again."""

    READY = "READY"
    SENDING = "SENDING"
    DONE = "DONE"
    UNKNOWN = "UNKNOWN"
    FAILED = "FAILED"
