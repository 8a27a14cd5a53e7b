"""What stands in the imitated Jira site: one year of incidents and changes of the two services that are run in Jira.

Everything follows from the company's seed. Each issue is a list of edits in order of time; the last `LIVE` edits of the
year are held back and arrive later, by webhook. All names come from the made-up company. Times in milliseconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID, uuid5

from connectors.sandbox import jira_words as words
from connectors.sandbox.company import Company, Row
from connectors.sandbox.jira_changes import change_life
from connectors.sandbox.jira_incidents import incident_life
from connectors.sandbox.jira_lives import YEAR_END_MS, Crew, Draft
from connectors.sandbox.jira_state import CLOUD, DATA_CENTER, Account, Edit, JiraState

INCIDENTS, CHANGES, LIVE = 900, 200, 40
SMALL_INCIDENTS, SMALL_CHANGES = 20, 6  # nothing of a small world is held back
FIRST_ISSUE, FIRST_ENTRY, FIRST_USER = 20001, 60001, 10100
YEAR_START_MS = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000
ACCOUNTS = UUID("4f7d2f5e-2c0e-5d3e-9a64-51c4c90a3b1e")


def accounts(company: Company, profile: str = CLOUD) -> dict[str, Account]:
    """Everybody of the company has a Jira account with the same e-mail address; account id or user key -> account."""
    staff = [(i, row) for i, row in sorted(company.tables["sys_user"].items()) if row.get("email")]
    people = [
        Account(f"JIRAUSER{FIRST_USER + place}", row["name"], row["email"], sys_id, row["email"].partition("@")[0])
        if profile == DATA_CENTER
        else Account(f"712020:{uuid5(ACCOUNTS, sys_id)}", row["name"], row["email"], sys_id)
        for place, (sys_id, row) in enumerate(staff)
    ]
    return {person.account_id: person for person in people}


def jira_services(company: Company) -> list[Row]:
    """The services whose tickets live in Jira, in the order of the company's catalogue."""
    return [company.tables["cmdb_ci_service"][sys_id] for sys_id in company.jira_services]


def crews(company: Company, people: Mapping[str, Account]) -> list[Crew]:
    """The support team and the change team of every Jira service, with the people who work its tickets."""
    account_of = {person.sys_id: person.account_id for person in people.values()}
    members: dict[str, list[str]] = {}
    for row in company.tables["sys_user_grmember"].values():
        if row["user"] in account_of:
            members.setdefault(row["group"], []).append(account_of[row["user"]])
    found = []
    for service in jira_services(company):
        for column in ("support_group", "assignment_group"):
            group = company.tables["sys_user_group"][service[column]]
            board = sorted(members[service["change_control"]])[:3]
            skill = company.truth.team_skill.get(group["sys_id"], 0.0)
            found.append(
                Crew(service["name"], group["name"], tuple(sorted(members[group["sys_id"]])), tuple(board), skill)
            )
    return found


def lives(company: Company, people: Mapping[str, Account]) -> Iterator[list[Draft]]:
    """Every issue's drafts of edits, in the order of creation."""
    rng = Random(f"jira:{company.jira_services}")  # the ids follow from the company's seed
    teams, everybody = crews(company, people), sorted(people)
    if not teams:
        return  # a company that runs nothing in Jira has an empty site
    incidents, changes = (SMALL_INCIDENTS, SMALL_CHANGES) if company.small else (INCIDENTS, CHANGES)
    kinds = [incident_life] * incidents + [change_life] * changes
    starts = sorted((YEAR_START_MS + _moment(rng), number) for number in range(len(kinds)))
    for at_ms, number in starts:
        # three of four tickets belong to the support team, the first of each pair
        service = rng.randrange(len(teams) // 2)
        crew = teams[2 * service + (rng.random() >= 0.75)]
        yield [draft for draft in kinds[number](rng, at_ms, crew, rng.choice(everybody)) if draft.at_ms <= YEAR_END_MS]


def _moment(rng: Random) -> int:
    """Some millisecond of the year; three of four fall on Monday to Friday between 7 and 19 hours."""
    while True:
        day, hour = rng.randrange(365), rng.randrange(24)
        busy = (day + 2) % 7 < 5 and 7 <= hour < 19
        if busy or rng.random() < 0.2:
            return day * DAY_MS + hour * 3_600_000 + rng.randrange(3_600_000)


def edits(lives: Iterable[list[Draft]]) -> list[Edit]:
    """All edits in order of time, with issue ids, keys and rising changelog ids."""
    drafts = [
        (draft.at_ms, FIRST_ISSUE + number, place, draft)
        for number, life in enumerate(lives)
        for place, draft in enumerate(life)
    ]
    drafts.sort(key=lambda entry: entry[:3])
    found = []
    for number, (at_ms, issue, place, draft) in enumerate(drafts):
        values: dict[str, Any] = dict(draft.values)
        if place == 0:
            values |= {"key": f"{words.PROJECT['key']}-{issue - FIRST_ISSUE + 1}", "project": words.PROJECT}
        edit_id = f"edit-{FIRST_ENTRY + number}"
        found.append(Edit(edit_id, at_ms, str(issue), draft.author, values, draft.items, draft.approvals))
    return found


def site_of(
    company: Company, people: dict[str, Account], past: Iterable[Edit], live: list[Edit], profile: str
) -> JiraState:
    """A site in which these edits have happened."""
    groups = {row["name"]: row["sys_id"] for row in company.tables["sys_user_group"].values()}
    services = {row["name"]: row["sys_id"] for row in jira_services(company)}
    teams = {crew.team: groups[crew.team] for crew in crews(company, people)}
    state = JiraState(people, services, teams, live=live, now_ms=YEAR_START_MS, profile=profile)
    for edit in past:
        state.apply(edit)
    return state


def open_site(company: Company, profile: str = CLOUD) -> JiraState:
    """The site as it stands before the held-back edits arrive."""
    people = accounts(company, profile)
    year = edits(lives(company, people))
    return site_of(company, people, year[:-LIVE], year[-LIVE:], profile)
