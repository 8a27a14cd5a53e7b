"""Writes a score to an issue, as the issue property `evenhand.score`, and does it once.

A property PUT replaces, so it may be repeated; still it is read first, because every write costs the site and fires an
event. A lost answer is settled by reading. Refused: values longer than Jira keeps, issues that cannot be seen.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import httpx
import orjson

from connectors.jira.calls import get, send
from connectors.jira.site import Site
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused

PROPERTY = "evenhand.score"
MOST_CHARACTERS = 32_768


class Written(Enum):
    WRITTEN = "WRITTEN"
    ALREADY_THERE = "ALREADY_THERE"


def write_score(site: Site, issue_id: str, score: Mapping[str, Any]) -> Written:
    """Make the property equal `score`."""
    if not (issue_id.isascii() and issue_id.isdigit()):
        raise Refused(Code.BAD_INPUT, f"'{issue_id}' is not a Jira issue id.", "Give the number, not the key.")
    body = orjson.dumps(score, option=orjson.OPT_SORT_KEYS)
    if len(body) > MOST_CHARACTERS:
        raise Refused(
            Code.BAD_INPUT, f"The score has {len(body)} characters; Jira keeps {MOST_CHARACTERS}.", "Shorten it."
        )
    wanted = orjson.loads(body)
    if read_score(site, issue_id) == wanted:
        return Written.ALREADY_THERE
    path = f"{site.api}/issue/{issue_id}/properties/{PROPERTY}"
    try:
        response = send(site.http, "PUT", path, content=body, headers={"content-type": "application/json"})
    except SourceUnavailable:
        if read_score(site, issue_id) == wanted:  # the answer was lost, the write was not
            return Written.WRITTEN
        raise
    if response.status_code == httpx.codes.NOT_FOUND:
        raise SourceRefused(f"Jira shows no issue {issue_id}. Look whether it was deleted or hidden from the account.")
    return Written.WRITTEN


def read_score(site: Site, issue_id: str) -> Any:
    """What the property holds; None when there is none."""
    answer = get(site.http, f"{site.api}/issue/{issue_id}/properties/{PROPERTY}")
    return answer.get("value") if isinstance(answer, dict) else None
