"""The words that every room shares: closed lists, spelled once.

A value here is what stands in the database (text + CHECK), in GraphQL enums and in plan documents.
Nothing here has behaviour. A house test compares these lists with the CHECK constraints and the SDL.
"""

from enum import StrEnum


class Source(StrEnum):
    """A tool that we mirror. The same record key in two sources is two records."""

    SERVICENOW = "servicenow"
    JIRA = "jira"
    SCIM = "scim"
    HRIS = "hris"
    FINANCE = "finance"
    PAYROLL = "payroll"
    VENDOR = "vendor"


class Feed(StrEnum):
    """How a delivery reached us. Only a WEBHOOK says nothing about when its content was still true."""

    WEBHOOK = "WEBHOOK"
    POLL = "POLL"
    SWEEP = "SWEEP"
    FILE = "FILE"
    PUSH = "PUSH"


class MirrorKind(StrEnum):
    """What a mirrored record is in the language of the field, whichever tool it came from."""

    INCIDENT = "INCIDENT"
    CHANGE = "CHANGE"
    CHANGE_APPROVAL = "CHANGE_APPROVAL"
    PROBLEM = "PROBLEM"
    TASK_SLA = "TASK_SLA"
    SLA_DEFINITION = "SLA_DEFINITION"
    CSAT_RESPONSE = "CSAT_RESPONSE"
    PERSON = "PERSON"
    TEAM = "TEAM"
    TEAM_MEMBERSHIP = "TEAM_MEMBERSHIP"
    SERVICE = "SERVICE"
    VENDOR = "VENDOR"
    GROUP_APPROVAL = "GROUP_APPROVAL"
    CAB_BOARD = "CAB_BOARD"
    CAB_MEETING = "CAB_MEETING"
    CAB_AGENDA_ITEM = "CAB_AGENDA_ITEM"
    CAB_ATTENDEE = "CAB_ATTENDEE"
    CONTRACT = "CONTRACT"
    SERVICE_OFFERING = "SERVICE_OFFERING"
    SURVEY = "SURVEY"
    SURVEY_CATEGORY = "SURVEY_CATEGORY"
    SURVEY_QUESTION = "SURVEY_QUESTION"
    SURVEY_OPTION = "SURVEY_OPTION"
    SURVEY_INSTANCE = "SURVEY_INSTANCE"
    SURVEY_ANSWER = "SURVEY_ANSWER"
    STATE_CHANGE = "STATE_CHANGE"
    JOURNAL_ENTRY = "JOURNAL_ENTRY"
    VENDOR_SLA_RESULT = "VENDOR_SLA_RESULT"
    ACCOUNT = "ACCOUNT"
    ACCOUNT_GROUP = "ACCOUNT_GROUP"
    EMPLOYMENT = "EMPLOYMENT"
    BUDGET = "BUDGET"
    PAYROLL_RESULT = "PAYROLL_RESULT"


class RecordState(StrEnum):
    """State of an incident, problem or change; the tool's own word stands beside it as source_state."""

    NEW = "NEW"
    IN_PROGRESS = "IN_PROGRESS"
    ON_HOLD = "ON_HOLD"
    RESOLVED = "RESOLVED"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"


class ChangeType(StrEnum):
    STANDARD = "STANDARD"
    NORMAL = "NORMAL"
    EMERGENCY = "EMERGENCY"


class ChangeOutcome(StrEnum):
    SUCCESSFUL = "SUCCESSFUL"
    SUCCESSFUL_ISSUES = "SUCCESSFUL_ISSUES"
    UNSUCCESSFUL = "UNSUCCESSFUL"


class ApprovalState(StrEnum):
    """Only APPROVED and REJECTED are a person's decision."""

    NOT_REQUESTED = "NOT_REQUESTED"
    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    NOT_REQUIRED = "NOT_REQUIRED"
    SKIPPED = "SKIPPED"


class SlaType(StrEnum):
    SLA = "SLA"
    OLA = "OLA"
    UNDERPINNING_CONTRACT = "UNDERPINNING_CONTRACT"


class SlaTarget(StrEnum):
    RESPONSE = "RESPONSE"
    RESOLUTION = "RESOLUTION"


class SlaStage(StrEnum):
    IN_PROGRESS = "IN_PROGRESS"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class MeetingState(StrEnum):
    """State of a meeting of a change advisory board."""

    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"


class Finality(StrEnum):
    """Whether a supplier's figure for a period may still change."""

    PROVISIONAL = "PROVISIONAL"
    FINAL = "FINAL"


class DocumentKind(StrEnum):
    """What a governed document rules: how a source is read, what a supplier may send us, what a word means."""

    DATA_CONTRACT = "DATA_CONTRACT"
    DATA_SHARING = "DATA_SHARING"
    DATA_DEFINITION = "DATA_DEFINITION"


class DocumentState(StrEnum):
    """Life of a governed document; of one kind and name at most one is ACTIVE."""

    DRAFT = "DRAFT"
    TESTED = "TESTED"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


class RootCause(StrEnum):
    """Cause class of a closed problem. Absent stays absent: an open or uncoded problem excludes nothing."""

    INTERNAL = "INTERNAL"
    CHANGE = "CHANGE"
    CAPACITY = "CAPACITY"
    VENDOR = "VENDOR"
    CYBERATTACK = "CYBERATTACK"
    FORCE_MAJEURE = "FORCE_MAJEURE"
    UPSTREAM_SERVICE = "UPSTREAM_SERVICE"


class SubjectKind(StrEnum):
    """Whom a number speaks about."""

    TENANT = "TENANT"
    SERVICE = "SERVICE"
    TEAM = "TEAM"
    PERSON = "PERSON"


class Direction(StrEnum):
    LOWER_IS_BETTER = "LOWER_IS_BETTER"
    HIGHER_IS_BETTER = "HIGHER_IS_BETTER"


class KpiStatus(StrEnum):
    OK = "OK"
    NO_DATA = "NO_DATA"
    LOW_N = "LOW_N"


class ScoreStatus(StrEnum):
    PRELIMINARY = "PRELIMINARY"
    FINAL = "FINAL"
    NO_DATA = "NO_DATA"


class AttributionMethod(StrEnum):
    EQUAL = "EQUAL"
    FIXED = "FIXED"
    RACI = "RACI"


class RaciRole(StrEnum):
    ACCOUNTABLE = "ACCOUNTABLE"
    RESPONSIBLE = "RESPONSIBLE"
    CONSULTED = "CONSULTED"
    INFORMED = "INFORMED"


class AwardState(StrEnum):
    SUBMITTED = "SUBMITTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    IN_PAYROLL = "IN_PAYROLL"
    PAID = "PAID"


class PayFileState(StrEnum):
    """Life of a payout file: design of signed payouts, states and acknowledgements."""

    PREPARED = "PREPARED"
    RELEASED = "RELEASED"
    PULLED = "PULLED"
    ACCEPTED = "ACCEPTED"
    PARTLY_ACCEPTED = "PARTLY_ACCEPTED"
    REJECTED = "REJECTED"
    PAID = "PAID"


class PayLineState(StrEnum):
    OPEN = "open"
    PAID = "paid"
    REJECTED = "rejected"
    VOID = "void"


class PayLineKind(StrEnum):
    """Why a payout line exists; spelled as in the file that payroll reads."""

    PAYOUT = "payout"
    CLAWBACK = "clawback"
    CORRECTION = "correction"


class Role(StrEnum):
    """What a person may be granted. EMPLOYEE is everybody who is staff; MANAGER follows from the reporting line."""

    EMPLOYEE = "EMPLOYEE"
    MANAGER = "MANAGER"
    HR = "HR"
    FINANCE = "FINANCE"
    AUDITOR = "AUDITOR"
    PAYROLL = "PAYROLL"
    ITSM_ADMIN = "ITSM_ADMIN"
    PLAN_ADMIN = "PLAN_ADMIN"
    WORKS_COUNCIL = "WORKS_COUNCIL"


class RoleRequestState(StrEnum):
    """Life of a role that the identity provider asks for. Only an APPROVED one is a grant."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"


class IssueCode(StrEnum):
    """Why a mirrored row could not be used as it came."""

    UNMAPPED_SOURCE_VALUE = "UNMAPPED_SOURCE_VALUE"
    EVIDENCE_REQUIRED = "EVIDENCE_REQUIRED"
    MALFORMED = "MALFORMED"
    REQUIRED_FIELD_MISSING = "REQUIRED_FIELD_MISSING"
    TIME_ORDER = "TIME_ORDER"
    OUT_OF_RANGE = "OUT_OF_RANGE"
    REFERENCE_MISSING = "REFERENCE_MISSING"
    NOT_UNIQUE = "NOT_UNIQUE"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    FIELD_NOT_COVERED = "FIELD_NOT_COVERED"


class Measure(StrEnum):
    """What one record contributes to a metric: a duration in seconds, or yes/no for a share."""

    BUSINESS_SECONDS_TO_RESOLVE = "BUSINESS_SECONDS_TO_RESOLVE"
    SECONDS_TO_RESOLVE = "SECONDS_TO_RESOLVE"
    SLA_MET = "SLA_MET"
    MADE_SLA = "MADE_SLA"
    CHANGE_SUCCEEDED = "CHANGE_SUCCEEDED"
    APPROVED_BEFORE_WORK = "APPROVED_BEFORE_WORK"
    SATISFIED = "SATISFIED"
    REOPENED = "REOPENED"
    NOT_REASSIGNED = "NOT_REASSIGNED"


class Aggregator(StrEnum):
    """How records become one value. MEDIAN is the percentile of type 7 at one half (F-02)."""

    MEAN = "MEAN"
    MEDIAN = "MEDIAN"
    SHARE = "SHARE"


class CurveKind(StrEnum):
    INTERPOLATE = "INTERPOLATE"
    STEP = "STEP"


class CompositeKind(StrEnum):
    """ARITHMETIC lets a strong component make up for a weak one; GEOMETRIC does not."""

    ARITHMETIC = "ARITHMETIC"
    GEOMETRIC = "GEOMETRIC"


class WhenMissing(StrEnum):
    """What a component counts for when it has no data, or too little."""

    REDISTRIBUTE = "REDISTRIBUTE"
    TARGET = "TARGET"
    ZERO = "ZERO"


class ExclusionVerdict(StrEnum):
    """Why a record is left out of a metric, or why it stays in although somebody hoped otherwise."""

    EXCLUDED = "EXCLUDED"
    NO_PROBLEM = "NO_PROBLEM"
    PROBLEM_NOT_CLOSED = "PROBLEM_NOT_CLOSED"
    ROOT_CAUSE_MISSING = "ROOT_CAUSE_MISSING"
    ROOT_CAUSE_COUNTS = "ROOT_CAUSE_COUNTS"
    APPROVER_MISSING = "APPROVER_MISSING"
    APPROVED_BY_ASSIGNEE = "APPROVED_BY_ASSIGNEE"


class TraceKind(StrEnum):
    """Level of a node in the explanation of a number, from money down to the record."""

    AWARD = "AWARD"
    ALLOCATION = "ALLOCATION"
    ATTRIBUTION = "ATTRIBUTION"
    CAP = "CAP"
    COMPOSITE = "COMPOSITE"
    CURVE = "CURVE"
    ATTAINMENT = "ATTAINMENT"
    ADJUSTMENT_STEP = "ADJUSTMENT_STEP"
    KPI_VALUE = "KPI_VALUE"
    TERM = "TERM"


class Op(StrEnum):
    """How a node follows from its inputs. Closed, so that any client can compute a node again by itself."""

    CONSTANT = "CONSTANT"
    MEASURE = "MEASURE"
    RATIO = "RATIO"
    TOLERATE = "TOLERATE"
    ATTAIN = "ATTAIN"
    INTERPOLATE = "INTERPOLATE"
    STEP = "STEP"
    REDISTRIBUTE = "REDISTRIBUTE"
    WEIGHTED_MEAN = "WEIGHTED_MEAN"
    GEOMETRIC_MEAN = "GEOMETRIC_MEAN"
    CLIP = "CLIP"
    SPLIT = "SPLIT"
    POWER = "POWER"
    SUM = "SUM"
    PRODUCT = "PRODUCT"
    ALLOCATE = "ALLOCATE"
    ROUND = "ROUND"


class Weekday(StrEnum):
    """Days as plans write them, in the order of the week."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"
