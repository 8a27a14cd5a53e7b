"""The door of the imitated site: who may come in, what every handler reads from a request, how an answer is written.

Refuses in Jira's own shape, `{"errorMessages": [...], "errors": {}}`. Cloud takes an e-mail address with its token, and
the token of an OAuth app; Data Center takes a personal access token. What the reading account may not see is absent.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.jira_state import JiraState, SandboxIssue

DC_LIMIT = 1000  # requests in a burst that Data Center grants
REASONS = {
    "burst": "jira-burst-based",
    "quota": "jira-quota-tenant-based",
    "per_issue": "jira-per-issue-on-write",
    "cost": "jira-cost-based",
}


class No(Exception):
    """An answer other than 2xx, in Jira's error shape."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


def answer(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


async def json_of(request: Request) -> Any:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise No(400, f"There was an error parsing JSON: {error}.") from None


async def object_of(request: Request) -> dict[str, Any]:
    body = await json_of(request)
    if not isinstance(body, dict):
        raise No(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    return body


def count_of(text: Any, default: int) -> int:
    try:
        return default if text is None else max(0, int(text))
    except (TypeError, ValueError):
        raise No(400, f"'{text}' is not a number.") from None


def hidden(state: JiraState, issue: SandboxIssue) -> bool:
    """Whether the reading account has lost its right to see the issue's project."""
    lost = state.standing("permission_loss")
    return lost is not None and lost.get("project") in (None, *issue.values["project"].values())


def issue_of(state: JiraState, request: Request) -> SandboxIssue:
    issue = state.find(request.path_params["issue"])
    if issue is None or hidden(state, issue):
        raise No(404, "Issue does not exist or you do not have permission to see it.")
    return issue


def struck(state: JiraState, request: Request, name: str) -> Mapping[str, Any] | None:
    """The parameters of a trouble that hits this request."""
    return state.struck(name, request.method, request.url.path)


def known(state: JiraState, request: Request) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        expected = state.token if state.data_center else state.app_token
        return hmac.compare_digest(given.encode(), expected.encode())
    try:
        pair = base64.b64decode(given, validate=True)
    except binascii.Error:
        return False
    basic = scheme.lower() == "basic" and not state.data_center
    return basic and hmac.compare_digest(pair, f"{state.email}:{state.token}".encode())


def is_app(state: JiraState, request: Request) -> bool:
    """Whether an OAuth app asks, and not an account with a token."""
    return not state.data_center and request.headers.get("authorization", "").lower().startswith("bearer ")


def limited(state: JiraState, request: Request) -> None:
    """Refuse with 429 where that was ordered, with the headers of the edition."""
    params = struck(state, request, "rate_limit")
    if params is None:
        return
    wait = params.get("retry_after", 1)
    headers = {} if wait is None else {"Retry-After": str(wait)}
    if not state.data_center:
        at = datetime.fromtimestamp(state.now_ms / 1000 + (wait or 1), UTC)
        prefix = "Beta-" if params.get("beta") else ""
        reason = str(params.get("reason", "burst"))
        headers |= {f"{prefix}RateLimit-Reason": REASONS.get(reason, reason)}
        headers |= {f"{prefix}X-RateLimit-Reset": f"{at:%Y-%m-%dT%H:%MZ}", f"{prefix}X-RateLimit-Remaining": "0"}
    raise No(429, "Rate limit exceeded.", headers)


def headed(state: JiraState, response: Response) -> Response:
    """The headers that stand on every answer: the site's clock, and on Data Center what is left of the burst."""
    response.headers["Date"] = format_datetime(datetime.fromtimestamp(state.now_ms // 1000, UTC), usegmt=True)
    if state.data_center:
        left = 0 if response.status_code == 429 else DC_LIMIT - len(state.log) % DC_LIMIT
        limits = {"Limit": DC_LIMIT, "Remaining": left, "Interval-Seconds": 1, "FillRate": 10}
        for name, value in limits.items():
            response.headers[f"X-RateLimit-{name}"] = str(value)
        response.headers.setdefault("retry-after", "0")
    return response


def api_of(request: Request) -> str:
    """Version of the API in the path: decides between text and documents."""
    return "3" if request.path_params["version"] == "3" else "2"


def site_of(request: Request) -> str:
    """The site's address as this request reached it, with the prefix under which it is mounted."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"


def page_of(request: Request, values: list[Any], most: int = 100, name: str = "values") -> dict[str, Any]:
    """One page by `startAt` and `maxResults`, as the platform's older resources answer."""
    start = count_of(request.query_params.get("startAt"), 0)
    limit = min(count_of(request.query_params.get("maxResults"), most) or most, most)
    part = values[start : start + limit]
    last = start + limit >= len(values)
    return {"startAt": start, "maxResults": limit, "total": len(values), "isLast": last, name: part}
