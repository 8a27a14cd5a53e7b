"""Jira's administrator webhooks: signed with the secret that was typed in when the hook was made.

Jira tries again after 408, 425, 429 and 5xx with the same identifier, and gives up at any other 4xx. Dynamic webhooks
(OAuth apps) carry no proof of their body and are not accepted here: a missing signature is a refusal.
"""

from collections.abc import Sequence

from engine.words import Source
from webhooks.receive import Sender
from webhooks.signatures import hub_signature, plain_secrets

PATH = "/hooks/jira"
KEPT_HEADERS = frozenset({b"content-type", b"user-agent", b"x-atlassian-webhook-flow", b"x-atlassian-webhook-retry"})


def sender(secrets: Sequence[str]) -> Sender:
    """`secrets`: the active ones; to rotate, make a second hook with the new secret, then delete the first."""
    return Sender(Source.JIRA, PATH, hub_signature, plain_secrets(secrets), KEPT_HEADERS)
