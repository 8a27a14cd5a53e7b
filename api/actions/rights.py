"""Who may do what: one row an action. What somebody may see is decided by row security, not here.

A right names the roles of which one is needed. Roles are read from the database in the action's own transaction, never
from a token. `never` are relations that forbid the act whatever the role: the database holds them too, as CHECKs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from engine.refusal import Code, Refused
from engine.words import Role
from schema.store import Viewer


class Action(StrEnum):
    PLAN_PUBLISH = "PLAN_PUBLISH"
    AWARD_SUBMIT = "AWARD_SUBMIT"
    AWARD_APPROVE = "AWARD_APPROVE"
    AWARD_REJECT = "AWARD_REJECT"
    PAYOUT_APPROVE = "PAYOUT_APPROVE"
    PAYOUT_RELEASE = "PAYOUT_RELEASE"
    PAYOUT_READ = "PAYOUT_READ"
    PAYOUT_ACKNOWLEDGE = "PAYOUT_ACKNOWLEDGE"
    DOCUMENT_PROPOSE = "DOCUMENT_PROPOSE"
    DOCUMENT_ACTIVATE = "DOCUMENT_ACTIVATE"
    DOCUMENT_RETIRE = "DOCUMENT_RETIRE"
    DELIVERY_REPLAY = "DELIVERY_REPLAY"
    SNAPSHOT_TAKE = "SNAPSHOT_TAKE"
    RETENTION_DROP = "RETENTION_DROP"
    OUTBOX_RETRY = "OUTBOX_RETRY"
    EMPLOYMENT_LOAD = "EMPLOYMENT_LOAD"
    BUDGET_LOAD = "BUDGET_LOAD"
    PAYROLL_RESULT_LOAD = "PAYROLL_RESULT_LOAD"
    VENDOR_RESULT_LOAD = "VENDOR_RESULT_LOAD"
    ROLE_APPROVE = "ROLE_APPROVE"
    ROLE_REFUSE = "ROLE_REFUSE"
    QUERY_REGISTER = "QUERY_REGISTER"
    QUERY_RETIRE = "QUERY_RETIRE"


class Relation(StrEnum):
    BENEFICIARY = "BENEFICIARY"
    SUBMITTER = "SUBMITTER"
    APPROVER = "APPROVER"


@dataclass(frozen=True, slots=True)
class Right:
    roles: frozenset[Role]
    never: frozenset[Relation] = frozenset()


RIGHTS: Mapping[Action, Right] = {
    Action.PLAN_PUBLISH: Right(frozenset({Role.PLAN_ADMIN})),
    Action.AWARD_SUBMIT: Right(frozenset({Role.HR}), frozenset({Relation.BENEFICIARY})),
    Action.AWARD_APPROVE: Right(frozenset({Role.FINANCE}), frozenset({Relation.BENEFICIARY, Relation.SUBMITTER})),
    Action.AWARD_REJECT: Right(frozenset({Role.FINANCE}), frozenset({Relation.BENEFICIARY, Relation.SUBMITTER})),
    Action.PAYOUT_APPROVE: Right(frozenset({Role.FINANCE}), frozenset({Relation.BENEFICIARY, Relation.SUBMITTER})),
    Action.PAYOUT_RELEASE: Right(frozenset({Role.FINANCE}), frozenset({Relation.BENEFICIARY, Relation.SUBMITTER})),
    Action.PAYOUT_READ: Right(frozenset({Role.PAYROLL, Role.AUDITOR})),
    Action.PAYOUT_ACKNOWLEDGE: Right(frozenset({Role.PAYROLL}), frozenset(Relation)),
    Action.DELIVERY_REPLAY: Right(frozenset({Role.ITSM_ADMIN})),
    Action.SNAPSHOT_TAKE: Right(frozenset({Role.ITSM_ADMIN, Role.AUDITOR})),
    Action.RETENTION_DROP: Right(frozenset({Role.ITSM_ADMIN})),
    Action.OUTBOX_RETRY: Right(frozenset({Role.ITSM_ADMIN})),
    Action.DOCUMENT_PROPOSE: Right(frozenset({Role.ITSM_ADMIN})),
    Action.DOCUMENT_ACTIVATE: Right(frozenset({Role.ITSM_ADMIN}), frozenset({Relation.SUBMITTER})),
    Action.DOCUMENT_RETIRE: Right(frozenset({Role.ITSM_ADMIN})),
    Action.EMPLOYMENT_LOAD: Right(frozenset({Role.HR})),
    Action.BUDGET_LOAD: Right(frozenset({Role.FINANCE})),
    Action.PAYROLL_RESULT_LOAD: Right(frozenset({Role.PAYROLL})),
    Action.VENDOR_RESULT_LOAD: Right(frozenset({Role.ITSM_ADMIN})),
    Action.ROLE_APPROVE: Right(frozenset({Role.HR}), frozenset({Relation.BENEFICIARY})),
    Action.ROLE_REFUSE: Right(frozenset({Role.HR})),
    Action.QUERY_REGISTER: Right(frozenset({Role.ITSM_ADMIN})),
    Action.QUERY_RETIRE: Right(frozenset({Role.ITSM_ADMIN})),
}

HELD = text(
    "select array_agg(role) filter (where app.granted(role)) from unnest(cast(:roles as text[])) as wanted(role)"
)


async def require(connection: AsyncConnection, viewer: Viewer, action: Action) -> None:
    """Refuse unless the viewer holds one of the action's roles now."""
    roles = sorted(RIGHTS[action].roles)
    held = (await connection.execute(HELD, {"roles": roles})).scalar()
    if viewer.person_id is None or not held:
        raise Refused(
            Code.ACCESS_DENIED,
            f"{action.value.lower().replace('_', ' ')} needs the role {' or '.join(roles)}.",
            "Ask somebody who holds it, or have it granted by two persons.",
        )


def forbid(action: Action, relation: Relation, count: int) -> None:
    """Refuse when `count` rows of the act stand in a forbidden relation to the viewer."""
    if count and relation in RIGHTS[action].never:
        raise Refused(
            Code.SOD_VIOLATION,
            f"{action.value.lower().replace('_', ' ')} by the {relation.value.lower()} of {count} of the awards.",
            "Have it done by somebody who neither decided about the awards nor profits from them.",
        )
