"""What only the service desk knows of an issue: approvals and service level clocks, every page of them.

None where the issue is no request, or the account is no agent of its desk. Source: servicedeskapi, `start`, `limit`,
`isLastPage`.
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from connectors.jira.calls import Lane, get
from connectors.jira.site import Site
from connectors.source import SourceUnavailable

REQUEST = "rest/servicedeskapi/request"
PAGE, PAGES_MOST = 50, 200
Raw = dict[str, Any]
Asked = tuple[str, str]  # issue id, resource


def desk(site: Site, asked: Sequence[Asked]) -> Mapping[Asked, list[Raw] | None]:
    """A few requests at a time. One failure stops the others."""
    broken = Event()

    def lane(number: int) -> dict[Asked, list[Raw] | None]:
        found = {}
        for issue_id, resource in asked[number :: len(site.lanes)]:
            if broken.is_set():
                break
            try:
                found[issue_id, resource] = values_of(site.lanes[number], issue_id, resource)
            except Exception:
                broken.set()
                raise
        return found

    if not asked:
        return {}
    with ThreadPoolExecutor(len(site.lanes)) as pool:
        return dict(ChainMap(*pool.map(lane, range(len(site.lanes)))))


def values_of(lane: Lane, issue_id: str, resource: str) -> list[Raw] | None:
    found: list[Raw] = []
    for _ in range(PAGES_MOST):
        answer = get(lane, f"{REQUEST}/{issue_id}/{resource}", start=len(found), limit=PAGE)
        if answer is None:
            return None
        if not isinstance(answer, dict) or not isinstance(answer.get("values"), list):
            raise SourceUnavailable(f"Jira answered the {resource} of request {issue_id} with something else.")
        found += answer["values"]
        if answer.get("isLastPage", True) or not answer["values"]:
            return found
    raise SourceUnavailable(f"The {resource} of request {issue_id} does not end.")
