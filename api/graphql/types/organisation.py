"""People, teams and services as the tools know them. Names of people are shown along the reporting line only."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, select

from api.graphql.arguments import AwardFilter, KpiValueFilter, PersonFilter, ScoreFilter
from api.graphql.binding import Node, about, bounded, shown, to_one
from api.graphql.connections import Connection, connection
from api.graphql.types.runs import newest
from engine.words import Source
from schema.tables import mirror

ScoreType = Annotated["Score", strawberry.lazy("api.graphql.types.scores")]  # type: ignore[name-defined]  # noqa: F821
KpiValueType = Annotated["KpiValue", strawberry.lazy("api.graphql.types.scores")]  # type: ignore[name-defined]  # noqa: F821
AwardType = Annotated["Award", strawberry.lazy("api.graphql.types.money")]  # type: ignore[name-defined]  # noqa: F821
SplitType = Annotated["AttributionSplit", strawberry.lazy("api.graphql.types.scores")]  # type: ignore[name-defined]  # noqa: F821

EmploymentType = Annotated["Employment", strawberry.lazy("api.graphql.types.staff")]  # type: ignore[name-defined]  # noqa: F821
GrantType = Annotated["RoleGrant", strawberry.lazy("api.graphql.types.rights")]  # type: ignore[name-defined]  # noqa: F821

SOURCE = "The tool that knows it."
SOURCE_KEY = "Its key in that tool."
GONE = "When it disappeared from the tool; null while it is there."


def its_own(kind: str) -> Any:
    def match(c: Any, keys: Any) -> ColumnElement[bool]:
        found: ColumnElement[bool] = (c.subject_kind == kind) & (c.subject_id == keys[0])
        return found

    return match


@shown(mirror.Person, "Somebody with an account in the tools. Shown to himself, his line up and down, HR and auditors.")
class Person(Node):
    name: str = about("The name.")
    email: str | None = about("The mail address.")
    active: bool | None = about("Whether the account is active; null when the tool does not say.")
    human: bool | None = about("Whether this is a human being; only people earn.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    manager: "Person | None" = to_one("Person", "manager_id", "The direct manager.")
    reports: Connection["Person"] = connection(
        "Person",
        "People who report to this person directly.",
        filters=PersonFilter,
        keys=("id",),
        match=lambda c, keys: c.manager_id == keys[0],
    )
    scores: Connection[ScoreType] = connection(
        "Score",
        "Scores of this person.",
        filters=ScoreFilter,
        keys=("id",),
        match=its_own("PERSON"),
        always=newest,
    )
    awards: Connection[AwardType] = connection(
        "Award",
        "Awards of this person.",
        filters=AwardFilter,
        keys=("id",),
        match=lambda c, keys: c.person_id == keys[0],
    )
    attribution_splits: Connection[SplitType] = connection(
        "AttributionSplit",
        "This person's shares of service outcomes.",
        keys=("id",),
        match=lambda c, keys: c.person_id == keys[0],
        always=newest,
    )
    teams: Connection[Annotated["Team", strawberry.lazy("api.graphql.types.organisation")]] = connection(
        "Team",
        "Teams that this person is in now, as far as the viewer may see that.",
        keys=("id",),
        match=lambda c, keys: c.id.in_(
            select(MEMBERSHIP.c.team_id)
            .where(MEMBERSHIP.c.person_id == keys[0], MEMBERSHIP.c.gone_at.is_(None))
            .correlate(keys[0].table)
        ),
    )
    employments: list[EmploymentType] = bounded(
        "Employment",
        ("id",),
        lambda c, keys: c.person_id == keys[0],
        ("starts_on", "id"),
        50,
        "His stretches of employment, the earliest first; for himself, HR and auditors.",
    )
    role_grants: list[GrantType] = bounded(
        "RoleGrant",
        ("id",),
        lambda c, keys: c.person_id == keys[0],
        ("role",),
        20,
        "Roles that were granted to him, past ones too; for himself, HR and auditors.",
    )


@shown(mirror.Team, "A group of people in the tools. Everybody sees that it exists.")
class Team(Node):
    name: str = about("The name.")
    active: bool | None = about("Whether the team is active; null when the tool does not say.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    manager: Person | None = to_one("Person", "manager_id", "Who leads it; null where the viewer may not see him.")
    members: Connection[Person] = connection(
        "Person",
        "Its present members, as far as the viewer may see them and their membership.",
        filters=PersonFilter,
        keys=("id",),
        match=lambda c, keys: c.id.in_(
            select(MEMBERSHIP.c.person_id)
            .where(MEMBERSHIP.c.team_id == keys[0], MEMBERSHIP.c.gone_at.is_(None))
            .correlate(keys[0].table)
        ),
    )
    scores: Connection[ScoreType] = connection(
        "Score", "Scores of this team.", filters=ScoreFilter, keys=("id",), match=its_own("TEAM"), always=newest
    )
    kpi_values: Connection[KpiValueType] = connection(
        "KpiValue",
        "Measured values of this team.",
        filters=KpiValueFilter,
        keys=("id",),
        match=its_own("TEAM"),
        always=newest,
    )


@shown(mirror.Service, "A business service: the outcome that pay follows. Everybody sees services and their results.")
class Service(Node):
    name: str = about("The name.")
    criticality: str | None = about("The tool's word for how critical it is; a plan gives it a weight.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    owner: Person | None = to_one("Person", "owner_id", "Who owns it; null where the viewer may not see him.")
    support_team: Team | None = to_one("Team", "support_team_id", "The team that supports it.")
    change_team: Team | None = to_one("Team", "change_team_id", "The team that changes it.")
    approval_team: Team | None = to_one("Team", "approval_team_id", "The team that approves its changes.")
    scores: Connection[ScoreType] = connection(
        "Score", "Scores of this service.", filters=ScoreFilter, keys=("id",), match=its_own("SERVICE"), always=newest
    )
    kpi_values: Connection[KpiValueType] = connection(
        "KpiValue",
        "Measured values of this service.",
        filters=KpiValueFilter,
        keys=("id",),
        match=its_own("SERVICE"),
        always=newest,
    )
    attribution_splits: Connection[SplitType] = connection(
        "AttributionSplit",
        "How the outcome is split; only the shares that the viewer may see.",
        keys=("id",),
        match=lambda c, keys: c.service_id == keys[0],
        always=newest,
    )


MEMBERSHIP: Any = mirror.TeamMembership.__table__  # type: ignore[attr-defined]
