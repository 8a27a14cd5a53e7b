"""Words of what leaves Evenhand by itself: changes as they happen, and large reads.

Decides: the closed lists; what they mean is said where they are shown.
"""

from enum import StrEnum


class ChangeKind(StrEnum):
    """What changed."""

    SCORE = "SCORE"
    AWARD = "AWARD"
    PAYOUT_BATCH = "PAYOUT_BATCH"


class ScoreChangeReason(StrEnum):
    """Why a newer score is not the one before it."""

    FIRST = "FIRST"
    VALUE = "VALUE"
    EVIDENCE = "EVIDENCE"


class BulkState(StrEnum):
    """How far a large read has come."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    READY = "READY"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
