"""Registering webhooks at the imitated site: those of apps, which expire, and those of administrators, which stay.

On Cloud `/rest/api/3/webhook` serves OAuth and Connect apps alone and a registration lives for 30 days of the site's
clock; an expired one sends nothing and is no longer listed. `/rest/webhooks/1.0/webhook` takes an administrator's hook
with a secret, on both editions.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.jira_events import Hook
from connectors.sandbox.jira_http import No, answer, is_app, object_of, page_of, site_of
from connectors.sandbox.jira_query import BadQuery, parse
from connectors.sandbox.jira_state import JiraState

LIFE_MS = 30 * 86_400_000
DYNAMIC_EVENTS = frozenset(
    {
        "jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created", "comment_updated",
        "comment_deleted", "issue_property_set", "issue_property_deleted", "worklog_created", "worklog_updated",
        "worklog_deleted",
    }
)  # fmt: skip


def _app_only(state: JiraState, request: Request) -> None:
    if not is_app(state, request):
        raise No(403, "The caller is not an app: only Connect and OAuth 2.0 apps can register webhooks.")


def _standing(state: JiraState) -> list[Hook]:
    return [hook for hook in state.hooks.values() if hook.dynamic and (hook.expires_ms or 0) > state.now_ms]


def _trial(one: dict[str, Any]) -> list[str]:
    """What is wrong about a registration."""
    wrong = [f"{event} is not an event." for event in one.get("events") or () if event not in DYNAMIC_EVENTS]
    if not one.get("events"):
        wrong.append("Give at least one event.")
    try:
        parse(str(one.get("jqlFilter") or ""))
    except BadQuery as error:
        wrong.append(f"The clause of jqlFilter is invalid: {error}")
    return wrong


async def register(state: JiraState, request: Request) -> Response:
    """One result for each hook that is asked for: its number, or what is wrong about it."""
    _app_only(state, request)
    asked = await object_of(request)
    url, wanted = asked.get("url"), asked.get("webhooks")
    if not isinstance(url, str) or not url or not isinstance(wanted, list) or not wanted:
        raise No(400, "Give a url and at least one webhook.")
    results: list[dict[str, Any]] = []
    for one in wanted:
        if wrong := _trial(one):
            results.append({"errors": wrong})
            continue
        number = state.next_number()
        expires_ms = state.now_ms + LIFE_MS
        state.hooks[number] = Hook(
            number, url, frozenset(one["events"]), one["jqlFilter"], b"", expires_ms, dynamic=True
        )
        results.append({"createdWebhookId": number})
    return answer({"webhookRegistrationResult": results})


async def registered(state: JiraState, request: Request) -> Response:
    _app_only(state, request)
    values = [
        {"id": h.number, "url": h.url, "jqlFilter": h.jql, "events": sorted(h.events), "expirationDate": h.expires_ms}
        for h in _standing(state)
    ]
    return answer(page_of(request, values))


async def _numbers(request: Request) -> list[int]:
    numbers = (await object_of(request)).get("webhookIds")
    if not isinstance(numbers, list) or not all(isinstance(number, int) for number in numbers):
        raise No(400, "Give webhookIds.")
    return numbers


async def unregister(state: JiraState, request: Request) -> Response:
    """Unknown ones are ignored."""
    _app_only(state, request)
    for number in await _numbers(request):
        if number in {hook.number for hook in _standing(state)}:
            del state.hooks[number]
    return Response(status_code=202)


async def refresh(state: JiraState, request: Request) -> Response:
    """Those that still stand live for another 30 days; what has expired stays expired."""
    _app_only(state, request)
    expires_ms, wanted = state.now_ms + LIFE_MS, await _numbers(request)
    for hook in _standing(state):
        if hook.number in wanted:
            state.hooks[hook.number] = Hook(hook.number, hook.url, hook.events, hook.jql, b"", expires_ms, dynamic=True)
    return answer({"expirationDate": expires_ms})


async def failed(state: JiraState, request: Request) -> Response:
    """For Connect apps alone, which this caller is not."""
    raise No(403, "Only Connect apps can use this operation.")


def _admin_shown(request: Request, hook: Hook) -> dict[str, Any]:
    here = f"{site_of(request)}/rest/webhooks/1.0/webhook/{hook.number}"
    return {
        "self": here, "name": hook.name, "url": hook.url, "events": sorted(hook.events), "enabled": True,
        "filters": {"issue-related-events-section": hook.jql}, "excludeBody": False, "isSigned": bool(hook.secret),
    }  # fmt: skip


async def admin_add(state: JiraState, request: Request) -> Response:
    asked = await object_of(request)
    if not asked.get("name") or not asked.get("url"):
        raise No(400, "Give a name and a url.")
    jql = str((asked.get("filters") or {}).get("issue-related-events-section") or "")
    if jql:
        parse(jql)
    number, secret = state.next_number(), str(asked.get("secret") or "").encode()
    events = frozenset(str(event) for event in asked.get("events") or ())
    state.hooks[number] = Hook(number, str(asked["url"]), events, jql, secret, name=str(asked["name"]))
    return answer(_admin_shown(request, state.hooks[number]), 201)


async def admin_list(state: JiraState, request: Request) -> Response:
    return answer([_admin_shown(request, hook) for hook in state.hooks.values() if not hook.dynamic])


def _admin_of(state: JiraState, request: Request) -> Hook:
    hook: Hook | None = state.hooks.get(int(request.path_params["hook"]))
    if hook is None or hook.dynamic:
        raise No(404, "The webhook does not exist.")
    return hook


async def admin_read(state: JiraState, request: Request) -> Response:
    return answer(_admin_shown(request, _admin_of(state, request)))


async def admin_delete(state: JiraState, request: Request) -> Response:
    del state.hooks[_admin_of(state, request).number]
    return Response(status_code=204)
