"""The cheapest read of a tool: one bare request without credentials, which costs no budget and says only who is up.

Any answer but trouble (429, 5xx, none at all) will do: a tool that asks for credentials is there.
"""

import httpx

from connectors.limits import TOO_MANY, Busy
from engine.words import Source

PATHS = {
    Source.SERVICENOW: "/api/now/table/sys_user?sysparm_limit=1&sysparm_fields=sys_id",
    Source.JIRA: "/rest/api/2/serverInfo",
    Source.VENDOR: "",
}
SECONDS = 10


def knock(url: str, source: Source) -> None:
    """Raises `Busy` when nobody answers properly."""
    try:
        answer = httpx.get(f"{url.rstrip('/')}{PATHS[source]}", timeout=SECONDS, trust_env=False)
    except httpx.TransportError as error:
        raise Busy(f"{source} did not answer a probe ({type(error).__name__}).") from error
    if answer.status_code == TOO_MANY or answer.status_code >= 500:
        raise Busy(f"{source} answered a probe with {answer.status_code}.")
