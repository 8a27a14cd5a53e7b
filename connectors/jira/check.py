"""Whether a connection to a Jira site can be trusted, and what a person must do if not.

Decides a list of checks: the token, every project, the contract's fields, whether we are an agent of the service desk,
the clocks, the time zone of the account and whether the site takes exact bounds, the webhooks and how long they live.
Nothing is written to the site. `now` is our own clock; `hook_url` is where we are to be reached, if it is known.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from connectors.governor import Purpose
from connectors.jira.calls import Lane, QueryRefused, get
from connectors.jira.desk import values_of
from connectors.jira.pull import scope
from connectors.jira.registrations import registrations
from connectors.jira.search import Question, exact, search, zone_of_account
from connectors.jira.site import Edition, JiraConfig, Site, connect, edition_and_clock, field_ids, lanes_to
from connectors.jira.times import EPOCH
from connectors.source import Check, CheckState, SourceRefused, SourceUnavailable

OK, WARN, FAIL = CheckState.OK, CheckState.WARN, CheckState.FAIL
SKEW_WARN, SKEW_FAIL = timedelta(seconds=60), timedelta(seconds=300)
PAGES_MOST = 200
EXPIRES_SOON = timedelta(days=7)
LOST = (SourceRefused, SourceUnavailable)
AGENT_FIX = "Add the integration account to the service desk's project as an agent (role Service Desk Team)."


def check(config: JiraConfig, now: datetime, hook_url: str | None = None) -> list[Check]:
    """Everything that can be said without changing anything. Ends early when nobody lets us in."""
    with lanes_to(config, Purpose.POLL) as lanes:
        try:
            edition, told_at = edition_and_clock(lanes[0])
            me = get(lanes[0], f"rest/api/{edition.value}/myself")
            if me is None:
                raise SourceRefused("The site does not know the account.")
        except LOST as error:
            return [
                Check("token", FAIL, str(error), "Correct the address, the account and its token, then look again.")
            ]
        name = "Jira Cloud" if edition is Edition.CLOUD else "Jira Data Center"
        found = [Check("token", OK, f"{name} knows us.")]
        found.append(_clock(told_at - now))
        fields = _fields(lanes[0], edition, config)
        found.append(fields)
        found += _projects(lanes[0], edition, config)
    if fields.state is not FAIL:
        with connect(config) as site:
            found += [_guarded("service desk", lambda: _agent(site)), _guarded("time zone", lambda: _zone(site))]
    return [*found, *_hooks(config, now, hook_url)]


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except LOST as error:
        return Check(name, FAIL, str(error), "Put this right, then look again.")


def _clock(skew: timedelta) -> Check:
    side = "ahead of" if skew > timedelta(0) else "behind"
    what = f"The site's clock is {abs(skew).total_seconds():.0f} s {side} ours."
    state = FAIL if abs(skew) >= SKEW_FAIL else WARN if abs(skew) >= SKEW_WARN else OK
    return Check("clock", state, what, "" if state is OK else "Let our machine take the time from an NTP server.")


def _fields(lane: Lane, edition: Edition, config: JiraConfig) -> Check:
    try:
        found = field_ids(config.contract, get(lane, f"rest/api/{edition.value}/field"))
    except LOST as error:
        return Check("fields", FAIL, str(error), "Show the field to the integration account, or correct the contract.")
    return Check("fields", OK, f"All {len(found)} custom fields of the contract are there.")


def _projects(lane: Lane, edition: Edition, config: JiraConfig) -> Iterator[Check]:
    fix = "Give the integration account the right to browse this project."
    try:
        shown = _browsed(lane, edition)
    except LOST as error:
        yield Check("projects", FAIL, str(error), fix)
        return
    for project in config.projects:
        if project.upper() in shown:
            yield Check(f"project {project}", OK, f"We may browse {project}.")
        else:
            yield Check(f"project {project}", FAIL, f"There is no project {project} for us.", fix)


def _browsed(lane: Lane, edition: Edition) -> set[str]:
    """Keys and ids of all projects that are shown to us. Data Center lists them in one piece."""
    found: list[Any] = []
    for _ in range(PAGES_MOST):
        if edition is Edition.DATA_CENTER:
            page: Any = {"values": get(lane, "rest/api/2/project"), "isLast": True}
        else:
            page = get(lane, "rest/api/3/project/search", startAt=len(found), maxResults=50)
        values = page.get("values") if isinstance(page, dict) else None
        if not isinstance(values, list):
            raise SourceUnavailable("Jira did not answer with its projects.")
        found += values
        if not values or page.get("isLast", True):
            break
    return {str(project.get(name)).upper() for project in found for name in ("id", "key")}


def _agent(site: Site) -> Check:
    """Clocks are shown to agents alone; to others a request looks like no request at all."""
    name = "service desk"
    newest: Any = next(iter(search(site, Question(scope(site.config), ("updated",), size=1))), None)
    if newest is None or not newest.issues:
        return Check(name, WARN, "No issue of the mirrored types is there to try the service desk on.", AGENT_FIX)
    issue = newest.issues[0]
    for resource in ("sla", "approval"):
        if values_of(site.http, str(issue["id"]), resource) is None:
            return Check(name, FAIL, f"The {resource} of {issue.get('key')} is not shown to us.", AGENT_FIX)
    return Check(name, OK, f"Clocks and approvals of {issue.get('key')} are shown to us.")


def _zone(site: Site) -> Check:
    """A site that takes moments as numbers does not care for the zone; for another one it shifts every bound."""
    name, zone = "time zone", zone_of_account(site)
    query = f"{scope(site.config)} AND {exact('updated', EPOCH)}"
    try:
        next(iter(search(site, Question(query, ("updated",), size=1))), None)
    except QueryRefused:
        what = f"The site refuses exact bounds; the account's zone {zone.key} is reckoned with, to the minute."
        fix = "" if zone.key in ("UTC", "Etc/UTC") else "Set the account's time zone to UTC, where no hour comes twice."
        return Check(name, WARN if fix else OK, what, fix)
    return Check(name, OK, f"The site takes exact bounds; the account's zone {zone.key} does not matter.")


def _hooks(config: JiraConfig, now: datetime, hook_url: str | None) -> Iterator[Check]:
    name, fix = "webhook", "Register one (docs/jira.md). Until then records come by the poll alone."
    try:
        found = registrations(config)
    except LOST as error:
        yield Check(name, WARN, f"The webhooks cannot be read: {error}", fix)
        return
    ours = [hook for hook in found if hook_url is None or hook.url in ("", hook_url)]
    if not ours:
        yield Check(name, WARN, "No webhook that leads to us is registered, or we may not see it.", fix)
    for hook in ours:
        if not hook.enabled:
            yield Check(name, FAIL, f"Webhook {hook.id} is switched off.", "Switch it on in Jira's administration.")
        elif hook.expires_at is None:
            yield Check(name, OK, f"Webhook {hook.id} is registered.")
        else:
            left = hook.expires_at - now
            state = FAIL if left <= timedelta(0) else WARN if left < EXPIRES_SOON else OK
            what = f"Webhook {hook.id} lives until {hook.expires_at:%Y-%m-%d %H:%M} UTC."
            yield Check(name, state, what, "" if state is OK else "Refresh it; it is a sign that no worker runs.")
