"""Who stands for a service's outcome, and with which share (F-12).

Every rule is the same two steps: groups with agreed weights, then equal parts inside a group. RACI: a group per role;
the weight of a role that nobody holds goes to the others in proportion, INFORMED earns nothing unless agreed. FIXED: a
group per team. EQUAL: everybody with a role but INFORMED in one group. A person in several groups adds up. The shares
of a service sum to exactly 1. Refused: a service without anybody (RACI_INVALID), a fixed team without members
(SPLIT_NOT_ONE).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from engine.facts import ServiceFacts
from engine.findings import SHARE, Finding, parameters
from engine.refusal import Code, Refused
from engine.results import SplitResult
from engine.terms import SplitRule
from engine.words import AttributionMethod, Op, RaciRole, TraceKind


@dataclass(frozen=True, slots=True)
class Group:
    """People who share one agreed weight equally."""

    label: str
    weight: Fraction
    member_ids: tuple[str, ...]
    role: RaciRole | None = None


def split_service(service: ServiceFacts, rule: SplitRule) -> tuple[SplitResult, ...]:
    """Everybody's share of this service's outcome, in the order of their ids."""
    parts = compose(_GROUPS[rule.method](service, rule))
    if not parts:
        raise Refused(
            Code.RACI_INVALID,
            f"Nobody stands for the service {service.name}, so its outcome has no owner.",
            "Name an owner or a support team.",
            ("services", service.id),
        )
    splits = tuple(_share(service, rule.method, person_id, parts[person_id]) for person_id in sorted(parts))
    if (whole := sum((split.share for split in splits), Fraction(0))) != 1:
        raise Refused(
            Code.SPLIT_NOT_ONE,
            f"The shares of {service.name} sum to {whole}.",
            "Correct the split.",
            ("services", service.id),
        )
    return splits


def compose(groups: Sequence[Group]) -> dict[str, list[tuple[Group, Fraction, Fraction]]]:
    """Groups to members: per person the groups that bring a share, each with the whole of all weights and the share.

    Groups without weight or members take no part; the weights of the others are taken as parts of their sum.
    """
    present = [group for group in groups if group.weight and group.member_ids]
    whole = sum((group.weight for group in present), Fraction(0))
    parts: dict[str, list[tuple[Group, Fraction, Fraction]]] = {}
    for group in present:
        share = group.weight / whole / len(group.member_ids)
        for person_id in group.member_ids:
            parts.setdefault(person_id, []).append((group, whole, share))
    return parts


def _share(
    service: ServiceFacts, method: AttributionMethod, person_id: str, parts: Sequence[tuple[Group, Fraction, Fraction]]
) -> SplitResult:
    nodes = tuple(
        Finding(
            share,
            SHARE,
            TraceKind.ATTRIBUTION,
            Op.SPLIT,
            parameters(weight=group.weight, of=whole, people=len(group.member_ids)),
            (),
            f"{group.label} of {service.name}",
        )
        for group, whole, share in parts
    )
    total = sum((share for _, _, share in parts), Fraction(0))
    label = f"Share of the outcome of {service.name} by {method}"
    found = Finding(total, SHARE, TraceKind.ATTRIBUTION, Op.SUM, (), nodes, label)
    return SplitResult(service.id, person_id, method, parts[0][0].role, total, found)


def _by_role(service: ServiceFacts, rule: SplitRule) -> list[Group]:
    return [
        Group(role.value.capitalize(), rule.roles.get(role, Fraction(0)), _members(service.raci.get(role, ())), role)
        for role in RaciRole
    ]


def _by_team(service: ServiceFacts, rule: SplitRule) -> list[Group]:
    groups = [Group(name, share, _members(service.teams.get(name, ()))) for name, share in sorted(rule.teams.items())]
    for group in groups:
        if group.weight and not group.member_ids:
            raise Refused(
                Code.SPLIT_NOT_ONE,
                f"{float(group.weight):g} of {service.name} is fixed for the team {group.label!r}, which has nobody "
                "there.",
                "Correct the team in the plan, or its members.",
                ("attribution", "services", service.name, "teams", group.label),
            )
    return groups


def _equally(service: ServiceFacts, rule: SplitRule) -> list[Group]:
    named = {person_id for role, ids in service.raci.items() if role is not RaciRole.INFORMED for person_id in ids}
    return [Group("Everybody", Fraction(1), _members(named))]


def _members(ids: set[str] | tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(ids)))


_GROUPS: dict[AttributionMethod, Callable[[ServiceFacts, SplitRule], list[Group]]] = {
    AttributionMethod.EQUAL: _equally,
    AttributionMethod.FIXED: _by_team,
    AttributionMethod.RACI: _by_role,
}
