"""The engine's words as GraphQL enums, each with a sentence for people who read the schema.

The words themselves stand in engine/words.py. Importing this module makes them usable in types; a test asserts that
none of them goes without a sentence.
"""

from collections.abc import Mapping
from enum import StrEnum

import strawberry

from api.graphql.record_words import RECORD_SENTENCES
from engine.words import (
    AttributionMethod,
    AwardState,
    Feed,
    IssueCode,
    KpiStatus,
    Op,
    PayFileState,
    RaciRole,
    Role,
    ScoreStatus,
    Source,
    SubjectKind,
    TraceKind,
)

Sentences = Mapping[str, str]

SENTENCES: Mapping[type[StrEnum], tuple[str, Sentences]] = {
    Source: (
        "A tool that is mirrored.",
        {
            "SERVICENOW": "ServiceNow.",
            "JIRA": "Jira or Jira Service Management.",
            "SCIM": "The identity provider.",
            "HRIS": "Files of HR.",
            "FINANCE": "Files of finance.",
            "PAYROLL": "Files of payroll.",
            "VENDOR": "Files and interfaces of suppliers.",
        },
    ),
    Feed: (
        "How a record's version arrived.",
        {
            "WEBHOOK": "Sent by the tool.",
            "POLL": "Read by the poller.",
            "SWEEP": "Found by comparing all keys.",
            "FILE": "Handed over as a file.",
            "PUSH": "Pushed by the identity provider.",
        },
    ),
    SubjectKind: (
        "Whom a number speaks about.",
        {
            "TENANT": "The whole organisation.",
            "SERVICE": "A business service.",
            "TEAM": "A team.",
            "PERSON": "One person.",
        },
    ),
    KpiStatus: (
        "Whether a value can be relied on.",
        {
            "OK": "Enough records.",
            "NO_DATA": "No record counted: the value is null, never 0.",
            "LOW_N": "Fewer records than the plan asks for.",
        },
    ),
    ScoreStatus: (
        "How far a score has come.",
        {
            "PRELIMINARY": "The cycle is open; the score may still move.",
            "FINAL": "The cycle is closed.",
            "NO_DATA": "No component has a value.",
        },
    ),
    AttributionMethod: (
        "How an outcome is split among people.",
        {
            "EQUAL": "The same share for everybody.",
            "FIXED": "Shares that the plan names.",
            "RACI": "Shares by responsibility: accountable, responsible, consulted, informed.",
        },
    ),
    RaciRole: (
        "A responsibility for a service.",
        {
            "ACCOUNTABLE": "Answers for the outcome.",
            "RESPONSIBLE": "Does the work.",
            "CONSULTED": "Is asked before.",
            "INFORMED": "Is told after.",
        },
    ),
    AwardState: (
        "Life of an award.",
        {
            "SUBMITTED": "Waits for a decision.",
            "APPROVED": "Promised and booked.",
            "REJECTED": "Sent back; nothing was booked.",
            "IN_PAYROLL": "On a released payout file.",
            "PAID": "Payroll has paid it.",
        },
    ),
    PayFileState: (
        "Life of a payout batch.",
        {
            "PREPARED": "Drawn up.",
            "RELEASED": "Signed and ready for payroll.",
            "PULLED": "Fetched by payroll.",
            "ACCEPTED": "Taken over by payroll.",
            "PARTLY_ACCEPTED": "Taken over except for some lines.",
            "REJECTED": "Sent back by payroll.",
            "PAID": "Paid.",
        },
    ),
    Role: (
        "What a person may be. Roles are kept here, never in a token.",
        {
            "EMPLOYEE": "Everybody who is here.",
            "MANAGER": "Has people below in the reporting line.",
            "HR": "Submits awards.",
            "FINANCE": "Decides awards and releases payouts.",
            "AUDITOR": "Reads everything, changes nothing.",
            "PAYROLL": "Fetches and acknowledges payouts.",
            "ITSM_ADMIN": "Runs the connection to the tools.",
            "PLAN_ADMIN": "Publishes plans.",
            "WORKS_COUNCIL": "Reads what rules the numbers: documents, plans, runs. No person's numbers.",
        },
    ),
    IssueCode: (
        "Why a mirrored value could not be used.",
        {
            "UNMAPPED_SOURCE_VALUE": "The tool's word has no meaning here yet.",
            "EVIDENCE_REQUIRED": "Evidence that a rule needs is missing.",
            "MALFORMED": "The value cannot be read.",
            "REQUIRED_FIELD_MISSING": "A field that is needed is empty.",
            "TIME_ORDER": "Times are in an impossible order.",
            "OUT_OF_RANGE": "The value is below or above what the data contract allows.",
            "REFERENCE_MISSING": "The record that it speaks of is not mirrored, or cannot be told for certain.",
            "NOT_UNIQUE": "Another record has a value that only one may have.",
            "FIELD_NOT_COVERED": "No data-sharing agreement covers the field; its value was dropped.",
            "VERSION_CONFLICT": "Two contents claim to be the same version.",
        },
    ),
    TraceKind: (
        "Level of a step in an explanation, from money down to the measurement.",
        {
            "AWARD": "An amount that a person earned.",
            "ALLOCATION": "A part of a pool.",
            "ATTRIBUTION": "A share of an outcome.",
            "CAP": "A limit.",
            "COMPOSITE": "Several components in one number.",
            "CURVE": "What an attainment pays.",
            "ATTAINMENT": "A result against its target.",
            "ADJUSTMENT_STEP": "A correction that the plan agreed on.",
            "KPI_VALUE": "A measured value.",
            "TERM": "A number that somebody agreed on.",
        },
    ),
    Op: (
        "How a step follows from its inputs and parameters, so that anybody can compute it again.",
        {
            "CONSTANT": "The parameter `value`.",
            "MEASURE": "Measured over records; they stand in `evidence`.",
            "RATIO": "First input divided by the second.",
            "TOLERATE": "The target when the result lies within the tolerance, else the result.",
            "ATTAIN": "Result over target, or target over result when lower is better.",
            "INTERPOLATE": "Straight line between the curve's points.",
            "STEP": "The last point of the curve that was reached.",
            "REDISTRIBUTE": "Left out: its weight goes to the other components.",
            "WEIGHTED_MEAN": "Mean of the inputs with the parameter `weights`.",
            "GEOMETRIC_MEAN": "Geometric mean of the inputs with the parameter `weights`.",
            "CLIP": "The input held between `at_least` and `at_most`.",
            "SPLIT": "`weight` over `of`, divided by `people`.",
            "POWER": "The input to the power `exponent`.",
            "SUM": "Sum of the inputs.",
            "PRODUCT": "Product of the inputs.",
            "ALLOCATE": "Whole part of total times share, plus `extra` from the remainder.",
            "ROUND": "Rounded half up to a whole minor unit, once.",
        },
    ),
    **RECORD_SENTENCES,
}


def describe(words: type[StrEnum], about: str, sentences: Sentences) -> None:
    """Make a GraphQL enum of these words."""
    strawberry.enum(words, description=about)
    for value in words.__strawberry_definition__.values:  # type: ignore[attr-defined]
        value.description = sentences.get(value.name)


for _words, (_about, _sentences) in SENTENCES.items():
    describe(_words, _about, _sentences)
