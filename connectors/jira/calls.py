"""How one request goes to a Jira site: under its governor, with the answer judged before anything of it is believed.

Decides between later (`Busy`: 408, 409, 423, 425, 429, 5xx, a broken or missing answer), never (`SourceRefused`: a
person must act; 400 and 410 have names of their own) and absent (404, which also means not allowed). Reads are sent
again by the governor, writes never. Redirects are not followed: they lead to a login page, or to another host.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import requests
from jira.exceptions import JIRAError

from connectors import limits
from connectors.governor import Busy, Governor, Purpose
from connectors.source import SourceRefused, SourceUnavailable

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
BUSY = frozenset({408, 409, 423, 425, 429})
ADVICE: Mapping[int, str] = {
    302: "Let the integration account log in with its token alone; the site answered with another page.",
    400: "Correct the query or the contract.",
    401: "Enter a valid API token for the integration account.",
    403: "Give the integration account the rights to browse the project and to work as an agent of its service desk.",
    404: "Check the site's address, and that the integration account may see the project.",
    410: "This site has removed the resource; update Evenhand.",
}
T = TypeVar("T")


class QueryRefused(SourceRefused):
    """The site did not understand the question (400)."""


class ResourceGone(SourceRefused):
    """The site has taken this resource out of its API for good (410)."""


REFUSALS: Mapping[int, type[SourceRefused]] = {400: QueryRefused, 410: ResourceGone}


@dataclass(frozen=True, slots=True)
class Lane:
    """One connection to the site, for one thread at a time: a pool that threads share can close one in use."""

    client: httpx.Client
    governor: Governor
    purpose: Purpose


def get(lane: Lane, path: str, **params: Any) -> Any:
    """JSON of one GET; None for 404, which means absent or not allowed."""
    return _read(lane, "GET", path, params=params)


def ask(lane: Lane, path: str, **content: Any) -> Any:
    """JSON of a POST that only asks; None for 404."""
    return _read(lane, "POST", path, json=content)


def _read(lane: Lane, method: str, path: str, **more: Any) -> Any:
    def request() -> Any:
        response = _sent(lane, method, path, more)
        return None if response.status_code == httpx.codes.NOT_FOUND else json_of(response)

    return lane.governor.call(request, purpose=lane.purpose, scopes=limits.jira_scopes(method, path))


def send(lane: Lane, method: str, path: str, **more: Any) -> httpx.Response:
    """One write, sent once. 2xx and 404 come back, everything else is raised."""
    scopes = limits.jira_scopes(method, path)
    try:
        return lane.governor.call_once(lambda: _sent(lane, method, path, more), scopes=scopes)
    except Busy as busy:
        raise SourceUnavailable(str(busy)) from busy


def _sent(lane: Lane, method: str, path: str, more: Mapping[str, Any]) -> httpx.Response:
    try:
        response = lane.client.request(method, path, **more)
    except httpx.TransportError as error:
        raise Busy(f"Jira did not answer {method} {path}: {type(error).__name__}.") from error
    if response.is_success or response.status_code == httpx.codes.NOT_FOUND:
        told = told_by(response.status_code, response.headers, method, path)
        lane.governor.hear(told, limits.jira_scopes(method, path))
        return response
    raise no(response.status_code, response.headers, method, path, response.text)


def json_of(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise Busy(f"Jira answered {response.request.url.path} with something that is not JSON.") from error


def by_client(governor: Governor, purpose: Purpose, method: str, path: str, request: Callable[[], T]) -> T:
    """A read by the `jira` client, with its failures turned into ours."""

    def judged() -> T:
        try:
            return request()
        except JIRAError as error:
            headers = error.response.headers if error.response is not None else {}
            raise no(error.status_code or 0, headers, method, path, str(error.text)) from error
        except requests.TooManyRedirects as error:
            raise no(302, {}, method, path, "") from error
        # an answer of another shape than the client expects ends in any of the others
        except (requests.RequestException, ValueError, LookupError, TypeError, AttributeError) as error:
            raise Busy(f"Jira did not answer {method} {path} properly: {type(error).__name__}.") from error

    return governor.call(judged, purpose=purpose, scopes=limits.jira_scopes(method, path))


def no(status: int, headers: Mapping[str, str], method: str, path: str, text: str) -> Busy | SourceRefused:
    """What a status other than 2xx means: later, or a person must act."""
    what, said = f"{method} {path}", " ".join(text.split())[:200]
    if status in BUSY or status >= 500 or status < 300:
        told = told_by(status, headers, method, path)
        reason = limits.header(headers, "RateLimit-Reason")
        limit = f" It limits us ({reason})." if reason else ""
        pause = f" It asks to wait {told.wait_seconds:g} s." if told.wait_seconds is not None else ""
        return Busy(f"Jira answered {what} with {status}.{limit}{pause} {said}".strip(), told=told)
    advice = ADVICE.get(302 if status < 400 else status, "Look at Jira's answer.")
    return REFUSALS.get(status, SourceRefused)(f"Jira refused {what} with {status}: {said} {advice}")


def told_by(status: int, headers: Mapping[str, str], method: str, path: str) -> limits.Told:
    """What the answer says about limits. Without its Date no time that it names can be counted from."""
    here = limits.date_of(headers)
    if here is None:
        wait = limits.seconds(limits.header(headers, "Retry-After"))
        return limits.Told(status == limits.TOO_MANY, wait)
    return limits.jira(status, headers, here, method, path)
