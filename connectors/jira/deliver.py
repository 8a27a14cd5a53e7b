"""Writes scores to a Jira site, each once: an issue property, a property of a dashboard item, or a remote link.

All three replace what stands under their key, so they may be repeated; still each is read first, because every write
costs the site and fires an event. A lost answer is settled by reading. Refused: values longer than Jira keeps, ids that
are none, records that cannot be seen.
"""

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import httpx
import orjson

from connectors.governor import Purpose
from connectors.jira.calls import get, send
from connectors.jira.site import JiraConfig, Site, connect
from connectors.outbox import Write
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused

PROPERTY = "evenhand.score"
MOST_CHARACTERS = 32_768
_ITEM = re.compile(r"([0-9]{1,20})/([0-9]{1,20})")


class Written(Enum):
    WRITTEN = "WRITTEN"
    ALREADY_THERE = "ALREADY_THERE"


def deliver(config: JiraConfig, write: Write) -> None:
    """What the outbox asks for."""
    with connect(config, Purpose.WRITE) as site:
        OPERATIONS[write.operation](site, write.record, write.body)


def write_score(site: Site, issue_id: str, score: Mapping[str, Any]) -> Written:
    """Make the property of the issue equal `score`."""
    path = f"{site.api}/issue/{_issue(issue_id)}/properties/{PROPERTY}"
    return _make_equal(site, "PUT", path, score, lambda: read_score(site, issue_id), f"issue {issue_id}")


def read_score(site: Site, issue_id: str) -> Any:
    """What the property holds; None when there is none."""
    return _value(get(site.http, f"{site.api}/issue/{issue_id}/properties/{PROPERTY}"))


def write_dashboard(site: Site, item: str, scores: Mapping[str, Any]) -> Written:
    """Make the property of a dashboard item, `dashboard/item`, equal `scores`. The account must own the dashboard."""
    found = _ITEM.fullmatch(item)
    if not found:
        raise Refused(Code.BAD_INPUT, f"'{item[:60]}' is no dashboard item.", "Write it as 10000/10010.")
    path = f"{site.api}/dashboard/{found[1]}/items/{found[2]}/properties/{PROPERTY}"
    return _make_equal(site, "PUT", path, scores, lambda: _value(get(site.http, path)), f"dashboard item {item}")


def write_link(site: Site, issue_id: str, link: Mapping[str, Any]) -> Written:
    """Make the issue's remote link of this `globalId` equal `link`. Jira replaces the link of a known global id."""
    path, wanted = f"{site.api}/issue/{_issue(issue_id)}/remotelink", str(link["globalId"])

    def standing() -> Any:
        found = get(site.http, path, globalId=wanted)
        return {name: found.get(name) for name in link} if isinstance(found, dict) else None

    return _make_equal(site, "POST", path, link, standing, f"issue {issue_id}")


OPERATIONS: Mapping[str, Callable[[Site, str, Mapping[str, Any]], Written]] = {
    "score": write_score,
    "dashboard": write_dashboard,
    "link": write_link,
}


def _make_equal(
    site: Site, method: str, path: str, value: Mapping[str, Any], standing: Callable[[], Any], where: str
) -> Written:
    body = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    if len(body) > MOST_CHARACTERS:
        what = f"The score has {len(body)} characters; Jira keeps {MOST_CHARACTERS}."
        raise Refused(Code.BAD_INPUT, what, "Shorten it.")
    wanted = orjson.loads(body)
    if standing() == wanted:
        return Written.ALREADY_THERE
    try:
        response = send(site.http, method, path, content=body, headers={"content-type": "application/json"})
    except SourceUnavailable:
        if standing() == wanted:  # the answer was lost, the write was not
            return Written.WRITTEN
        raise
    if response.status_code == httpx.codes.NOT_FOUND:
        raise SourceRefused(f"Jira shows no {where}. Look whether it was deleted or hidden from the account.")
    return Written.WRITTEN


def _issue(issue_id: str) -> str:
    if not (issue_id.isascii() and issue_id.isdigit()):
        raise Refused(Code.BAD_INPUT, f"'{issue_id}' is not a Jira issue id.", "Give the number, not the key.")
    return issue_id


def _value(answer: Any) -> Any:
    return answer.get("value") if isinstance(answer, dict) else None
