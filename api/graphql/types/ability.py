"""What the viewer may do, asked before he tries: a help for programs that show buttons. The act itself decides.

Decides from the same table of rights as the acts: role, state of the thing, and relations that forbid it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import strawberry

from api.actions.rights import HELD, RIGHTS, Action, Relation
from api.graphql.binding import by_id
from api.graphql.context import Asked
from api.graphql.words import describe
from engine.refusal import Code, Refused


@dataclass(frozen=True, slots=True)
class Target:
    """What an act is about: the type, the states in which it can be done, and columns of people who must not."""

    kind: str
    states: frozenset[str]
    people: Mapping[Relation, str]


AWARD = Target(
    "Award", frozenset({"SUBMITTED"}), {Relation.BENEFICIARY: "person_id", Relation.SUBMITTER: "submitted_by"}
)
REQUEST = Target("RoleRequest", frozenset({"REQUESTED"}), {Relation.BENEFICIARY: "person_id"})
TARGETS: Mapping[Action, Target] = {
    Action.AWARD_APPROVE: AWARD,
    Action.AWARD_REJECT: AWARD,
    Action.ROLE_APPROVE: REQUEST,
    Action.ROLE_REFUSE: REQUEST,
    Action.DOCUMENT_ACTIVATE: Target("DocumentVersion", frozenset({"TESTED"}), {Relation.SUBMITTER: "proposed_by"}),
    Action.DOCUMENT_RETIRE: Target("DocumentVersion", frozenset({"ACTIVE"}), {}),
}
SENTENCES: Mapping[str, str] = {
    "PLAN_PUBLISH": "Publish a version of a plan.",
    "AWARD_SUBMIT": "Submit the awards that a run proposes.",
    "AWARD_APPROVE": "Approve an award that waits.",
    "AWARD_REJECT": "Send an award back.",
    "PAYOUT_APPROVE": "Approve the next payout file.",
    "PAYOUT_RELEASE": "Release a payout file that two people approved.",
    "PAYOUT_READ": "Fetch payout files.",
    "PAYOUT_ACKNOWLEDGE": "Answer a payout file.",
    "DOCUMENT_PROPOSE": "Propose a version of a document that rules.",
    "DOCUMENT_ACTIVATE": "Put a version of a document in force.",
    "DOCUMENT_RETIRE": "Take a document out of force.",
    "DELIVERY_REPLAY": "Try dead deliveries again.",
    "SNAPSHOT_TAKE": "Take a snapshot of the mirror.",
    "RETENTION_DROP": "Drop a month of bodies.",
    "OUTBOX_RETRY": "Try failed writes again.",
    "EMPLOYMENT_LOAD": "Load a file of employments.",
    "BUDGET_LOAD": "Load a file of budgets.",
    "PAYROLL_RESULT_LOAD": "Load a file of what payroll has paid.",
    "VENDOR_RESULT_LOAD": "Load a file of a supplier's results.",
    "ROLE_APPROVE": "Grant a role that the identity provider asks for.",
    "ROLE_REFUSE": "Refuse a role that the identity provider asks for.",
}
plain = {act.name: act.name.replace("_", " ").capitalize() + "." for act in Action}
describe(Action, "Something that may be done here.", {**plain, **SENTENCES})


async def may(info: Asked, act: Action, on: strawberry.ID | None) -> bool:
    """Whether the viewer holds a role for the act, and nothing about the thing forbids it."""
    reading, right = info.context.reading, RIGHTS[act]
    (held,) = (await reading.rows(HELD, {"roles": sorted(right.roles)}))[0].values()
    if not held or on is None:
        return bool(held)
    target = TARGETS.get(act)
    if target is None:
        raise Refused(Code.BAD_INPUT, "This act is not about one thing.", "Leave `on` out.", ("on",))
    thing = await by_id(reading, on)
    if thing is None or type(thing).__name__ != target.kind or thing.state not in target.states:
        return False
    people = (getattr(thing, column) for relation, column in target.people.items() if relation in right.never)
    return reading.viewer.person_id not in people
