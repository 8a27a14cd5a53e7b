"""What both sides of `bench reads` are asked, each in its own dialect, so that the answers are the same text.

Decides: the big query is a manager's dashboard: his people, four cycles each, six values a score, two mirrored records
a value. The small one is a person's card: his newest score. The peer is told what we do of our own accord, such as the
order of a list. Nothing is asked that must differ, such as ids or times.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from api.bench.reads_data import Size, key
from api.ids import global_id
from schema.identity import DEFAULT_TENANT

VALUES, RECORDS = 6, 2  # of a score, of a value: as many as there are

OUR_SCORES = f"""scores(first: $cycles, orderBy: {{field: DATA_AS_OF, direction: DESC}}) {{ nodes {{
  value status cycle {{ label }}
  kpiValues(limit: {VALUES}) {{
    metric value status
    evidence(first: {RECORDS}) {{ nodes {{ number measure }} }}
  }}
}} }}"""
PEER_SCORES = f"""scores(first: $cycles, orderBy: [DATA_AS_OF_DESC, ROW_ID_DESC]) {{ nodes {{
  value status cycle {{ label }}
  kpiValues(first: {VALUES}, orderBy: [KPI_NO_ASC, ROW_ID_ASC]) {{
    metric value status
    evidence(first: {RECORDS}, orderBy: [NUMBER_ASC]) {{ nodes {{ number measure }} }}
  }}
}} }}"""
Variables = dict[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """One side's text and its variables for somebody who asks about somebody."""

    text: str
    variables: Callable[[UUID], Variables]


@dataclass(frozen=True, slots=True)
class Query:
    """One question in both dialects; `about` says whom the n-th manager asks about."""

    sides: Mapping[str, Asked]
    about: Callable[[int, Size], UUID]
    target: float  # our processor time a request over the peer's, at most


def _first_of(manager: int, size: Size) -> UUID:
    return key("person", size.managers + (manager - 1) * size.people + 1)


QUERIES: Mapping[str, Query] = {
    "big": Query(
        {
            "ours": Asked(
                "query Dashboard($manager: ID!, $people: Int!, $cycles: Int!) {\n"
                "  people(first: $people, filter: {manager: {eq: $manager}}) { nodes { name " + OUR_SCORES + " } }\n}",
                lambda who: {"manager": global_id("Person", who), "people": 50, "cycles": 4},
            ),
            "peer": Asked(
                "query Dashboard($manager: UUID!, $people: Int!, $cycles: Int!) {\n"
                "  people: allPeople(first: $people, condition: {managerId: $manager}, orderBy: [NAME_ASC, ROW_ID_ASC])"
                " { nodes { name " + PEER_SCORES + " } }\n}",
                lambda who: {"manager": str(who), "people": 50, "cycles": 4},
            ),
        },
        lambda manager, size: key("person", manager),
        0.30,
    ),
    "small": Query(
        {
            "ours": Asked(
                "query Card($who: ID!, $cycles: Int!) {\n  person(by: {id: $who}) { name " + OUR_SCORES + " }\n}",
                lambda who: {"who": global_id("Person", who), "cycles": 1},
            ),
            "peer": Asked(
                "query Card($tenant: UUID!, $who: UUID!, $cycles: Int!) {\n"
                "  person: personByTenantIdAndRowId(tenantId: $tenant, rowId: $who) { name " + PEER_SCORES + " }\n}",
                lambda who: {"tenant": str(DEFAULT_TENANT), "who": str(who), "cycles": 1},
            ),
        },
        _first_of,
        0.70,
    ),
}
