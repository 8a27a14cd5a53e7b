"""What the imitated site sends: signed webhooks, of edits that were held back and of what happens on order.

Sending an edit that was held back lets it happen first, so that a receiver who reads the issue again finds it.
Identifiers follow from the event; the same event sent twice is the same delivery, byte for byte, but for the count of
retries. Signature: `X-Hub-Signature: sha256=<hex>` over the raw body, as Jira Cloud signs the hooks of its
administrators; those of apps are not signed, and Data Center signs and identifies nothing unless it is told to.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import orjson

from connectors.sandbox.jira_events import Hook, Sending
from connectors.sandbox.jira_shapes import changelog_entry, issue_shown
from connectors.sandbox.jira_state import Edit, JiraState

IDENTIFIERS = UUID("6a5a2a2e-6f6e-5f0d-8f0c-6d0b0a3c7f11")
FIELDS = ("summary", "status", "priority", "issuetype", "project", "created", "updated")
Delivery = tuple[dict[str, str], bytes]


def jira_deliveries(state: JiraState) -> Iterator[Delivery]:
    """Headers and body of every held-back edit, oldest first; each edit is applied just before it is yielded."""
    for edit in state.live:
        state.apply(edit)
        if edit.edit_id not in state.sent:
            state.sent[edit.edit_id] = delivery(state, edit)
        yield state.sent[edit.edit_id]


def delivery(state: JiraState, edit: Edit) -> Delivery:
    body = orjson.dumps(event(state, edit))
    return _headers(state, body, edit.edit_id, "Primary", 0, state.webhook_secret), body


def _headers(state: JiraState, body: bytes, name: str, flow: str, attempt: int, secret: bytes) -> dict[str, str]:
    told = state.standing("hook_headers") or {}
    headers = {
        "content-type": "application/json; charset=UTF-8",
        "user-agent": "Atlassian Webhook HTTP Client (sandbox)",
    }
    if told.get("identifier", not state.data_center):
        headers["x-atlassian-webhook-identifier"] = str(uuid5(IDENTIFIERS, name))
        headers["x-atlassian-webhook-flow"] = flow
        headers["x-atlassian-webhook-retry"] = str(attempt)
    if secret and told.get("signature", not state.data_center):
        headers["x-hub-signature"] = f"sha256={hmac.new(secret, body, sha256).hexdigest()}"
    return headers


@dataclass(frozen=True, slots=True)
class Letter:
    """One sending on its way to one address; none where nobody has registered."""

    sending: Sending
    hook: Hook | None

    @property
    def name(self) -> str:
        """The same for every try."""
        return f"sending-{self.sending.number}" + (f"-{self.hook.number}" if self.hook else "")

    @property
    def url(self) -> str:
        return self.hook.url if self.hook else ""


def letters(sending: Sending) -> list[Letter]:
    """One for every registration that had asked for it."""
    return [Letter(sending, hook) for hook in sending.hooks or (None,)]


def sealed(state: JiraState, letter: Letter, attempt: int = 0) -> Delivery:
    """Headers and body as they go over the wire."""
    body = orjson.dumps(letter.sending.body)
    secret = letter.hook.secret if letter.hook else state.webhook_secret
    return _headers(state, body, letter.name, letter.sending.flow, attempt, secret), body


def due(state: JiraState) -> list[Letter]:
    """What waits in the site's own queue and whose time has come; it leaves the queue."""
    ready = [sending for sending in state.queue if sending.due_ms <= state.now_ms]
    later = [sending for sending in state.queue if sending.due_ms > state.now_ms]
    state.queue.clear()
    state.queue.extend(later)
    return [letter for sending in ready for letter in letters(sending)]


def event(state: JiraState, edit: Edit) -> dict[str, Any]:
    """The body: a few fields of the issue as it is now, and the changelog entry unless the issue is new."""
    issue = state.issues[edit.issue_id]
    name = "created" if edit.created else "updated"
    shown: dict[str, Any] = {
        "timestamp": edit.at_ms,
        "webhookEvent": f"jira:issue_{name}",
        "issue_event_type_name": f"issue_{name if edit.created else 'generic'}",
        "user": state.people[edit.author].shown(),
        "issue": issue_shown(state, issue, issue.values, FIELDS, "2", "https://jira.tarnhelm.example"),
    }
    if not edit.created:
        entry = changelog_entry(state, edit)
        shown["changelog"] = {"id": entry["id"], "items": entry["items"]}
    return shown
