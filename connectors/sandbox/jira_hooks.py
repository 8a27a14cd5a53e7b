"""What the imitated site sends: one signed webhook per edit that was held back.

Sending an edit lets it happen first, so that a receiver who reads the issue again finds it. Identifiers follow from the
edit; the same edit sent twice is the same delivery, byte for byte. Signature: `X-Hub-Signature: sha256=<hex>` over the
raw body, as Jira Cloud signs the hooks of its administrators.
"""

import hmac
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

import orjson

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
    signature = hmac.new(state.webhook_secret, body, sha256).hexdigest()
    headers = {
        "content-type": "application/json; charset=UTF-8",
        "user-agent": "Atlassian Webhook HTTP Client (sandbox)",
        "x-atlassian-webhook-identifier": str(uuid5(IDENTIFIERS, edit.edit_id)),
        "x-atlassian-webhook-flow": "Primary",
        "x-atlassian-webhook-retry": "0",
        "x-hub-signature": f"sha256={signature}",
    }
    return headers, body


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
