"""How Evenhand says no: what is wrong, and how to put it right, under a code from one list."""

from enum import StrEnum


class Code(StrEnum):
    """Closed list of refusals. api/ maps each to a GraphQL userError, an HTTP status and an exit status."""

    ACCESS_DENIED = "ACCESS_DENIED"
    BAD_INPUT = "BAD_INPUT"
    BUDGET_INFEASIBLE = "BUDGET_INFEASIBLE"
    COST_EXCEEDED = "COST_EXCEEDED"
    CURVE_INVALID = "CURVE_INVALID"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    DOCUMENT_INVALID = "DOCUMENT_INVALID"
    DOCUMENT_TOO_COMPLEX = "DOCUMENT_TOO_COMPLEX"
    EVIDENCE_REQUIRED = "EVIDENCE_REQUIRED"
    HEADCOUNT_ONLY_FORBIDDEN = "HEADCOUNT_ONLY_FORBIDDEN"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    INPUT_TOO_LARGE = "INPUT_TOO_LARGE"
    INTERNAL = "INTERNAL"
    INVALID_CURSOR = "INVALID_CURSOR"
    LEDGER_UNBALANCED = "LEDGER_UNBALANCED"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    NOT_FOUND = "NOT_FOUND"
    NOT_REPRODUCIBLE = "NOT_REPRODUCIBLE"
    PAGE_SIZE_REQUIRED = "PAGE_SIZE_REQUIRED"
    PLAN_INVALID = "PLAN_INVALID"
    PROOF_INVALID = "PROOF_INVALID"
    RACI_INVALID = "RACI_INVALID"
    RETENTION_HOLD = "RETENTION_HOLD"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    SOD_VIOLATION = "SOD_VIOLATION"
    SPLIT_NOT_ONE = "SPLIT_NOT_ONE"
    STATE_CONFLICT = "STATE_CONFLICT"
    TIMEOUT = "TIMEOUT"
    TOLERANCE_TOO_WIDE = "TOLERANCE_TOO_WIDE"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    UNMAPPED_SOURCE_VALUE = "UNMAPPED_SOURCE_VALUE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    VERSION_IMMUTABLE = "VERSION_IMMUTABLE"
    WEIGHTS_NOT_100 = "WEIGHTS_NOT_100"


class Refused(Exception):
    """An expected no. `what` names the thing and the reason, `fix` the next step of the person who reads it."""

    def __init__(self, code: Code, what: str, fix: str, field: tuple[str, ...] = ()) -> None:
        super().__init__(f"{code}: {what} {fix}")
        self.code = code
        self.what = what
        self.fix = fix
        self.field = field
