"""Comments over the API of the imitated site, with the properties that programs hang on them.

Text in version 2, a document in version 3; the other way round is refused, as Jira does.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.jira_edits import comment, remove_comment, rewrite_comment
from connectors.sandbox.jira_http import No, answer, api_of, hidden, issue_of, json_of, object_of, page_of, site_of
from connectors.sandbox.jira_shapes import comment_shown
from connectors.sandbox.jira_state import JiraState, SandboxIssue

INTERNAL = "sd.public.comment"


def _body_of(request: Request, given: dict[str, Any]) -> Any:
    body = given.get("body")
    document = isinstance(body, dict) and body.get("type") == "doc"
    if not (isinstance(body, str) if api_of(request) == "2" else document):
        raise No(400, "Comment body is not valid!")
    return body


def _shown(state: JiraState, request: Request, held: dict[str, Any]) -> dict[str, Any]:
    issue = request.path_params["issue"]
    here = f"{site_of(request)}/rest/api/{api_of(request)}/issue/{issue}/comment/{held['id']}"
    shown = {"self": here, **comment_shown(state, held, api_of(request))}
    if "properties" in request.query_params.get("expand", ""):
        shown["properties"] = [{"key": key, "value": value} for key, value in held["properties"].items()]
    return shown


def _of(state: JiraState, issue: SandboxIssue, number: str) -> dict[str, Any]:
    found = next((held for held in issue.comments if held["id"] == number), None)
    if found is None:
        raise No(404, f"Can not find a comment for the id: {number}.")
    return found


async def comment_list(state: JiraState, request: Request) -> Response:
    """Oldest first, or `orderBy=-created`."""
    held = issue_of(state, request).comments
    held = held[::-1] if request.query_params.get("orderBy") == "-created" else held
    page = page_of(request, [_shown(state, request, one) for one in held], 5000, "comments")
    page.pop("isLast")  # this resource has none
    return answer(page)


async def comment_add(state: JiraState, request: Request) -> Response:
    issue, given = issue_of(state, request), await object_of(request)
    body = _body_of(request, given)
    properties = {str(one["key"]): one.get("value") for one in given.get("properties") or ()}
    internal = properties.get(INTERNAL)
    public = not (isinstance(internal, dict) and internal.get("internal"))
    held = comment(state, issue, state.me.account_id, body, properties, public)
    return answer(_shown(state, request, held), 201)


async def comment_read(state: JiraState, request: Request) -> Response:
    held = _of(state, issue_of(state, request), request.path_params["comment"])
    return answer(_shown(state, request, held))


async def comment_write(state: JiraState, request: Request) -> Response:
    issue, given = issue_of(state, request), await object_of(request)
    held = _of(state, issue, request.path_params["comment"])
    rewrite_comment(state, issue, held, _body_of(request, given), state.me.account_id)
    held["properties"] |= {str(one["key"]): one.get("value") for one in given.get("properties") or ()}
    return answer(_shown(state, request, held))


async def comment_delete(state: JiraState, request: Request) -> Response:
    issue = issue_of(state, request)
    remove_comment(state, issue, _of(state, issue, request.path_params["comment"]), state.me.account_id)
    return Response(status_code=204)


def _anywhere(state: JiraState, number: str) -> dict[str, Any]:
    """A comment by its number alone, as its properties are asked for."""
    for issue in state.issues.values():
        for held in issue.comments:
            if held["id"] == number and not hidden(state, issue):
                return held
    raise No(404, f"Can not find a comment for the id: {number}.")


async def property_keys(state: JiraState, request: Request) -> Response:
    held = _anywhere(state, request.path_params["comment"])
    return answer({"keys": [{"key": key} for key in held["properties"]]})


async def property_read(state: JiraState, request: Request) -> Response:
    held, key = _anywhere(state, request.path_params["comment"]), request.path_params["key"]
    if key not in held["properties"]:
        raise No(404, "The property does not exist.")
    return answer({"key": key, "value": held["properties"][key]})


async def property_write(state: JiraState, request: Request) -> Response:
    held, key = _anywhere(state, request.path_params["comment"]), request.path_params["key"]
    known = key in held["properties"]
    held["properties"][key] = await json_of(request)
    return Response(status_code=200 if known else 201)
