"""Sentences for the words of records, feeds and documents, for people who read the schema; the rest is in words.py."""

from collections.abc import Mapping
from enum import StrEnum

from engine.tool_words import RegistrationState, SweepKind, SweepState, ToolState, WriteBackState
from engine.words import (
    ApprovalState,
    ChangeOutcome,
    ChangeType,
    DocumentKind,
    DocumentState,
    Finality,
    MeetingState,
    MirrorKind,
    PayLineKind,
    PayLineState,
    RecordState,
    RoleRequestState,
    RootCause,
    SlaStage,
    SlaTarget,
    SlaType,
)

RECORD_SENTENCES: Mapping[type[StrEnum], tuple[str, Mapping[str, str]]] = {
    MirrorKind: (
        "What a mirrored record is, whichever tool it came from.",
        {
            "INCIDENT": "A ticket about something that does not work.",
            "CHANGE": "A change request.",
            "CHANGE_APPROVAL": "One approver's answer to a change.",
            "PROBLEM": "A cause behind incidents.",
            "TASK_SLA": "One clock on one task.",
            "SLA_DEFINITION": "An agreement about time.",
            "CSAT_RESPONSE": "One answer about satisfaction.",
            "PERSON": "Somebody with an account in a tool.",
            "TEAM": "A group of people.",
            "TEAM_MEMBERSHIP": "A person in a team.",
            "SERVICE": "A business service.",
            "VENDOR": "A supplier.",
            "GROUP_APPROVAL": "A group's answer to a change.",
            "CAB_BOARD": "A change advisory board.",
            "CAB_MEETING": "One meeting of a board.",
            "CAB_AGENDA_ITEM": "One change on the agenda of a meeting.",
            "CAB_ATTENDEE": "Somebody at a meeting.",
            "CONTRACT": "An agreement with a supplier.",
            "SERVICE_OFFERING": "A service as it is offered, with the contract behind it.",
            "SURVEY": "A questionnaire.",
            "SURVEY_CATEGORY": "A part of a questionnaire.",
            "SURVEY_QUESTION": "A question with its scale.",
            "SURVEY_OPTION": "One answer that may be chosen.",
            "SURVEY_INSTANCE": "One questionnaire for one person.",
            "SURVEY_ANSWER": "One chosen answer.",
            "STATE_CHANGE": "A field of a record went from one value to another.",
            "JOURNAL_ENTRY": "Somebody wrote a note; what was written is not kept.",
            "VENDOR_SLA_RESULT": "How a supplier met an agreement in a period.",
            "ACCOUNT": "A login at the identity provider.",
            "ACCOUNT_GROUP": "A group of logins.",
            "EMPLOYMENT": "One stretch of employment.",
            "BUDGET": "What a unit may spend on incentives.",
            "PAYROLL_RESULT": "What payroll says it has paid.",
        },
    ),
    RecordState: (
        "State of an incident, problem or change; the tool's own word stands in `sourceState`.",
        {
            "NEW": "Nobody works on it yet.",
            "IN_PROGRESS": "Somebody works on it.",
            "ON_HOLD": "It waits for somebody or something.",
            "RESOLVED": "Done, and may still come back.",
            "CLOSED": "Done for good.",
            "CANCELLED": "Given up.",
        },
    ),
    ChangeType: (
        "How a change is approved.",
        {
            "STANDARD": "Approved once for all of its kind.",
            "NORMAL": "Approved each time.",
            "EMERGENCY": "Approved in a hurry.",
        },
    ),
    ChangeOutcome: (
        "How a change went.",
        {
            "SUCCESSFUL": "As planned.",
            "SUCCESSFUL_ISSUES": "In the end, with trouble on the way.",
            "UNSUCCESSFUL": "It failed or was taken back.",
        },
    ),
    ApprovalState: (
        "Answer to a request for approval. Only APPROVED and REJECTED are decisions.",
        {
            "NOT_REQUESTED": "Not asked yet.",
            "REQUESTED": "Asked; no answer yet.",
            "APPROVED": "Yes.",
            "REJECTED": "No.",
            "CANCELLED": "Taken back before an answer.",
            "NOT_REQUIRED": "No longer needed.",
            "SKIPPED": "Passed over.",
        },
    ),
    SlaType: (
        "Between whom an agreement stands.",
        {
            "SLA": "With the customer.",
            "OLA": "Between groups of one house.",
            "UNDERPINNING_CONTRACT": "With a supplier.",
        },
    ),
    SlaTarget: (
        "What an agreement measures.",
        {"RESPONSE": "Time to the first answer.", "RESOLUTION": "Time to the solution."},
    ),
    SlaStage: (
        "What a clock does.",
        {
            "IN_PROGRESS": "It runs.",
            "PAUSED": "It stands still for now.",
            "COMPLETED": "It has stopped.",
            "CANCELLED": "It does not count.",
        },
    ),
    MeetingState: (
        "State of a meeting of a board.",
        {
            "PENDING": "Planned.",
            "IN_PROGRESS": "Under way.",
            "COMPLETE": "Over.",
            "CANCELLED": "Did not take place.",
        },
    ),
    Finality: (
        "Whether a supplier's figure may still change.",
        {"PROVISIONAL": "It may.", "FINAL": "It stands."},
    ),
    RootCause: (
        "Cause of a closed problem.",
        {
            "INTERNAL": "Something of our own.",
            "CHANGE": "A change.",
            "CAPACITY": "Too little capacity.",
            "VENDOR": "A supplier.",
            "CYBERATTACK": "An attack.",
            "FORCE_MAJEURE": "Nobody could have prevented it.",
            "UPSTREAM_SERVICE": "Another service that this one rests on.",
        },
    ),
    DocumentKind: (
        "What a document rules.",
        {
            "DATA_CONTRACT": "How a tool is read.",
            "DATA_SHARING": "What a supplier may send.",
            "DATA_DEFINITION": "What a word means, the same in every tool.",
        },
    ),
    DocumentState: (
        "Life of a document; of one kind and name at most one version is ACTIVE.",
        {
            "DRAFT": "Proposed.",
            "TESTED": "Tried on stored records.",
            "ACTIVE": "In force.",
            "RETIRED": "No longer in force.",
        },
    ),
    ToolState: (
        "How a tool stands with us.",
        {"OK": "As it should.", "DEGRADED": "A person must look before anything is deleted."},
    ),
    RegistrationState: (
        "Life of a webhook at a tool.",
        {"LIVE": "It sends.", "EXPIRED": "It has run out.", "REMOVED": "It was taken away."},
    ),
    SweepKind: (
        "What a sweep compares.",
        {"KEYS": "Whether every record is there.", "CONTENT": "Whether every record is the same."},
    ),
    SweepState: (
        "How a sweep ended.",
        {
            "DONE": "Everything was compared.",
            "PARTIAL": "Something could not be read.",
            "HELD": "Too much was absent at once, so nothing was taken for gone.",
        },
    ),
    WriteBackState: (
        "Life of a write into a tool.",
        {
            "READY": "It waits.",
            "SENDING": "It is on its way.",
            "DONE": "The tool has it.",
            "UNKNOWN": "The tool did not say whether it has it.",
            "FAILED": "The tool refused it.",
        },
    ),
    RoleRequestState: (
        "Life of a role that the identity provider asks for.",
        {
            "REQUESTED": "It waits for a second person.",
            "APPROVED": "It was granted.",
            "REFUSED": "It was not granted.",
            "WITHDRAWN": "The identity provider no longer asks.",
        },
    ),
    PayLineKind: (
        "Why a payout line exists.",
        {
            "PAYOUT": "An amount that was earned.",
            "CLAWBACK": "An amount that is taken back.",
            "CORRECTION": "An amount that puts an earlier one right.",
        },
    ),
    PayLineState: (
        "Life of a payout line.",
        {
            "OPEN": "Handed to payroll; no answer yet.",
            "PAID": "Paid.",
            "REJECTED": "Sent back.",
            "VOID": "It no longer counts.",
        },
    ),
}
