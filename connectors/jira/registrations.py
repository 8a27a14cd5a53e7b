"""The webhooks that a site sends us: which are registered, until when they live, and how to keep them alive.

Two kinds. An administrator's hook stays for ever and is signed with its secret. One that an OAuth app registers is not
signed, lives for 30 days, and is prolonged by `refresh`; what expired meanwhile is gone and must be registered anew,
and the time between read again. Sources: `/rest/webhooks/1.0/webhook`, `/rest/api/3/webhook` (Cloud only).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from connectors.governor import Purpose
from connectors.jira.calls import Lane, get, send
from connectors.jira.site import Edition, JiraConfig, edition_and_clock, lanes_to
from connectors.jira.times import moment
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused

ADMIN, DYNAMIC = "admin", "dynamic"
ADMIN_PATH, DYNAMIC_PATH = "rest/webhooks/1.0/webhook", "rest/api/3/webhook"
NAME = "Evenhand"
EVENTS = (
    "jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created", "comment_updated",
    "comment_deleted", "issue_property_set", "issue_property_deleted", "worklog_created", "worklog_updated",
    "worklog_deleted",
)  # fmt: skip
PAGES_MOST = 100
JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Registration:
    """One webhook. `id` begins with its kind; `expires_at` is None for one that stays."""

    id: str
    kind: str
    url: str
    events: tuple[str, ...]
    enabled: bool
    expires_at: datetime | None = None


def registrations(config: JiraConfig) -> list[Registration]:
    """All that this account may see. A kind that it has no right to is left out."""
    with lanes_to(config, Purpose.POLL) as lanes:
        edition, _ = edition_and_clock(lanes[0])
        return [*_listed(lanes[0], _admin), *(_listed(lanes[0], _dynamic) if edition is Edition.CLOUD else ())]


def register(config: JiraConfig, url: str, secret: str | None = None) -> list[str]:
    """Register `url`; with a secret as an administrator's hook, without one as an app's. Returns the ids."""
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise Refused(
            Code.BAD_INPUT, f"'{url[:80]}' is not an https address.", "Give our own public address.", ("url",)
        )
    with lanes_to(config, Purpose.WRITE) as lanes:
        edition, _ = edition_and_clock(lanes[0])
        if secret is None and edition is Edition.DATA_CENTER:
            what = "Data Center has no webhooks of apps."
            raise Refused(Code.BAD_INPUT, what, "Register an administrator's, with a secret.", ("secret",))
        return (
            _register_dynamic(lanes[0], config, url)
            if secret is None
            else _register_admin(lanes[0], config, url, secret)
        )


def refresh(config: JiraConfig, ids: Sequence[str]) -> datetime | None:
    """Prolong these; returns until when they live now. Administrators' hooks need it not."""
    numbers = [int(number) for kind, _, number in (name.partition(":") for name in ids) if kind == DYNAMIC]
    if not numbers:
        return None
    with lanes_to(config, Purpose.WRITE) as lanes:
        answer = _written(lanes[0], "PUT", f"{DYNAMIC_PATH}/refresh", {"webhookIds": numbers})
        until = moment(answer.get("expirationDate")) if isinstance(answer, dict) else None
        if until is None:
            raise SourceUnavailable("Jira did not say until when the webhooks live.")
        return until


def remove(config: JiraConfig, ids: Sequence[str]) -> None:
    with lanes_to(config, Purpose.WRITE) as lanes:
        for name in ids:
            kind, _, number = name.partition(":")
            if kind == DYNAMIC:
                send(
                    lanes[0], "DELETE", DYNAMIC_PATH, content=orjson.dumps({"webhookIds": [int(number)]}), headers=JSON
                )
            else:
                send(lanes[0], "DELETE", f"{ADMIN_PATH}/{int(number)}")


def _listed(lane: Lane, read: Any) -> list[Registration]:
    try:
        return list(read(lane))
    except SourceUnavailable:
        raise
    except SourceRefused:
        return []


def _admin(lane: Lane) -> Iterator[Registration]:
    found = get(lane, ADMIN_PATH)
    for hook in found if isinstance(found, list) else ():
        number = str(hook.get("self", "")).rstrip("/").rpartition("/")[2]
        events = tuple(str(event) for event in hook.get("events") or ())
        yield Registration(f"{ADMIN}:{number}", ADMIN, str(hook.get("url")), events, hook.get("enabled") is not False)


def _dynamic(lane: Lane) -> Iterator[Registration]:
    seen = 0
    for _ in range(PAGES_MOST):
        page = get(lane, DYNAMIC_PATH, startAt=seen, maxResults=100)
        values = page.get("values") if isinstance(page, dict) else None
        if not isinstance(values, list):
            return
        for hook in values:
            events = tuple(str(event) for event in hook.get("events") or ())
            until = moment(hook.get("expirationDate"))
            yield Registration(f"{DYNAMIC}:{hook.get('id')}", DYNAMIC, str(hook.get("url") or ""), events, True, until)
        seen += len(values)
        if not values or page.get("isLast", True):
            return


def _register_admin(lane: Lane, config: JiraConfig, url: str, secret: str) -> list[str]:
    content = {
        "name": NAME, "url": url, "events": list(EVENTS), "excludeBody": False, "secret": secret,
        "filters": {"issue-related-events-section": _filter(config)},
    }  # fmt: skip
    answer = _written(lane, "POST", ADMIN_PATH, content)
    number = str(answer.get("self", "")).rstrip("/").rpartition("/")[2] if isinstance(answer, dict) else ""
    if not number.isdigit():
        raise SourceUnavailable("Jira did not say under which number it registered the webhook.")
    return [f"{ADMIN}:{number}"]


def _register_dynamic(lane: Lane, config: JiraConfig, url: str) -> list[str]:
    wanted = {"url": url, "webhooks": [{"events": list(EVENTS), "jqlFilter": _filter(config)}]}
    answer = _written(lane, "POST", DYNAMIC_PATH, wanted)
    results = answer.get("webhookRegistrationResult") if isinstance(answer, dict) else None
    if not isinstance(results, list):
        raise SourceUnavailable("Jira did not say what became of the registration.")
    wrong = [str(text) for result in results for text in result.get("errors") or ()]
    if wrong:
        raise SourceRefused(f"Jira refused the webhook: {' '.join(wrong)[:300]}")
    return [f"{DYNAMIC}:{result['createdWebhookId']}" for result in results]


def _filter(config: JiraConfig) -> str:
    """Only what may stand in the filter of an app's hook: one clause of project and no more."""
    return f"project in ({', '.join(config.projects)})"


def _written(lane: Lane, method: str, path: str, content: Any) -> Any:
    response = send(lane, method, path, content=orjson.dumps(content), headers=JSON)
    if not response.is_success:
        raise SourceRefused(f"This site has no {path}. {method} cannot register webhooks here.")
    return response.json()
