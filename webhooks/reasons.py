"""Why a request was turned away. A reason is counted; the sender is told no more than a status.

One list for all senders, so that a counter means the same everywhere. Nothing here decides anything.
"""

from enum import StrEnum


class Reason(StrEnum):
    # the signature did not convince us
    HEADER_MISSING = "HEADER_MISSING"
    HEADER_REPEATED = "HEADER_REPEATED"
    ID_MALFORMED = "ID_MALFORMED"
    TIMESTAMP_MALFORMED = "TIMESTAMP_MALFORMED"
    OUTSIDE_WINDOW = "OUTSIDE_WINDOW"
    SIGNATURES_TOO_MANY = "SIGNATURES_TOO_MANY"
    NO_MATCH = "NO_MATCH"
    # the request never came to its end, or not in a form that we take
    BODY_TOO_BIG = "BODY_TOO_BIG"
    BODY_ENDLESS = "BODY_ENDLESS"
    BODY_TOO_SLOW = "BODY_TOO_SLOW"
    BODY_ENCODED = "BODY_ENCODED"
    SENDER_LEFT = "SENDER_LEFT"
    # genuine, but not stored: the sender may come again
    INTAKE_FULL = "INTAKE_FULL"
    DATABASE_AWAY = "DATABASE_AWAY"
    ROW_REFUSED = "ROW_REFUSED"
