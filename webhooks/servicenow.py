"""Our app on ServiceNow: a business rule that signs each event as Standard Webhooks and sends it once.

The rule's secret is the base64 text behind `whsec_`. Nothing retries there: what is refused, the poller brings.
"""

from collections.abc import Sequence

from engine.words import Source
from webhooks.receive import Sender
from webhooks.signatures import standard_secrets, standard_webhook

PATH = "/hooks/servicenow"
KEPT_HEADERS = frozenset({b"content-type", b"user-agent", b"webhook-timestamp"})


def sender(secrets: Sequence[str]) -> Sender:
    """`secrets`: the active ones, current first; two while the sender moves from one to the other."""
    return Sender(Source.SERVICENOW, PATH, standard_webhook, standard_secrets(secrets), KEPT_HEADERS)
