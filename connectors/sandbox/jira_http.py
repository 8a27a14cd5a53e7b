"""The door of the imitated site: what every handler reads from a request and how an answer is written.

Refuses in Jira's own shape, `{"errorMessages": [...], "errors": {}}`.
"""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.jira_state import JiraState, SandboxIssue


class No(Exception):
    """An answer other than 2xx, in Jira's error shape."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


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


def issue_of(state: JiraState, request: Request) -> SandboxIssue:
    issue = state.find(request.path_params["issue"])
    if issue is None:
        raise No(404, "Issue does not exist or you do not have permission to see it.")
    return issue


def api_of(request: Request) -> str:
    """Version of the API in the path: decides between text and documents."""
    return "3" if request.path_params["version"] == "3" else "2"


def site_of(request: Request) -> str:
    """The site's address as this request reached it, with the prefix under which it is mounted."""
    return f"{request.url.scheme}://{request.url.netloc}{request.scope.get('root_path', '')}"
