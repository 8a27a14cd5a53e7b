"""A connection to one Jira Cloud site: two clients, one clock, and what its answers mean for us.

`jira` reads and writes records; httpx does what it cannot (changelogs in bulk, service desk resources, properties).
Nothing is retried here and nobody sleeps: a broken or late answer is SourceUnavailable, a no is SourceRefused.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import requests
from jira import JIRA
from jira.exceptions import JIRAError

from connectors.jira.contract import Contract
from connectors.jira.times import moment
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
IN_FLIGHT = 4
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
BUSY = frozenset({408, 409, 423, 425, 429})
ADVICE: Mapping[int, str] = {
    400: "Correct the query or the contract.",
    401: "Enter a valid API token for the integration account.",
    403: "Give the integration account the rights to browse the project and to work as an agent of its service desk.",
    404: "Check the site's address, and that the integration account may see the project.",
    410: "This site has removed the resource; update Evenhand.",
}


@dataclass(frozen=True, slots=True)
class JiraConfig:
    """How to reach a site and which projects to read. `url` as people see it: https://example.atlassian.net."""

    url: str
    email: str
    token: str
    projects: tuple[str, ...]
    contract: Contract

    def __post_init__(self) -> None:
        address = urlsplit(self.url)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
            raise Refused(
                Code.BAD_INPUT, f"'{self.url}' is not an https address.", "Enter the site's address.", ("url",)
            )
        if not self.projects or not all(project.isalnum() and project.isascii() for project in self.projects):
            raise Refused(
                Code.BAD_INPUT,
                f"{self.projects} are not keys or ids of Jira projects.",
                "Name at least one.",
                ("projects",),
            )


@dataclass(frozen=True, slots=True)
class Site:
    """An open connection. `observed_at` is the site's own clock when it was opened; `fields` our field -> field id.

    Each of `lanes` serves one thread at a time: a pool that threads share can close a connection that is in use.
    """

    config: JiraConfig
    client: JIRA
    lanes: tuple[httpx.Client, ...]
    observed_at: datetime
    fields: Mapping[str, str]

    @property
    def http(self) -> httpx.Client:
        return self.lanes[0]


def get(http: httpx.Client, path: str, **params: Any) -> Any:
    """JSON of one GET; None for 404, which means absent or not allowed."""
    response = send(http, "GET", path, params=params)
    return None if response.status_code == httpx.codes.NOT_FOUND else json_of(response)


def send(http: httpx.Client, method: str, path: str, **more: Any) -> httpx.Response:
    """One request below the site's address. 2xx and 404 come back, everything else is raised."""
    try:
        response = http.request(method, path, **more)
    except httpx.TransportError as error:
        raise SourceUnavailable(f"Jira did not answer {method} {path}: {type(error).__name__}.") from error
    if response.is_success or response.status_code == httpx.codes.NOT_FOUND:
        return response
    raise no(response.status_code, response.headers, f"{method} {path}", response.text)


def json_of(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise SourceUnavailable(
            f"Jira answered {response.request.url.path} with something that is not JSON."
        ) from error


@contextmanager
def connect(config: JiraConfig) -> Iterator[Site]:
    """Open a site, read its clock and its custom fields, close it afterwards."""
    timeout, tls = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS), httpx.create_ssl_context()
    login = (config.email, config.token)
    with ExitStack() as stack:
        lanes = tuple(
            stack.enter_context(
                httpx.Client(base_url=config.url.rstrip("/") + "/", auth=login, timeout=timeout, verify=tls)
            )
            for _ in range(IN_FLIGHT)
        )
        observed_at = _clock(lanes[0])
        fields = _field_ids(config.contract, get(lanes[0], "rest/api/3/field"))
        with asking("GET serverInfo"):
            client = JIRA(
                server=config.url.rstrip("/"),
                basic_auth=login,
                options={"rest_api_version": "3"},
                max_retries=0,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
            )
        client._session.max_redirects = 0  # a redirect leads to a login page, or to another host
        try:
            yield Site(config, client, lanes, observed_at, fields)
        finally:
            client.close()  # type: ignore[no-untyped-call]


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn the failures of the `jira` client into ours."""
    try:
        yield
    except JIRAError as error:
        headers = error.response.headers if error.response is not None else {}
        raise no(error.status_code or 0, headers, what, str(error.text)) from error
    except (requests.RequestException, ValueError) as error:
        raise SourceUnavailable(f"Jira did not answer {what} properly: {type(error).__name__}.") from error


def no(status: int, headers: Mapping[str, str], what: str, text: str) -> SourceUnavailable | SourceRefused:
    """What a status other than 2xx means: later, or a person must act."""
    said = " ".join(text.split())[:200]
    if status in BUSY or status >= 500 or status < 400:
        wait = headers.get("Retry-After")
        reason = headers.get("RateLimit-Reason")
        limit = f" It limits us ({reason})." if reason else ""
        pause = f" It asks to wait {wait} s." if wait else ""
        return SourceUnavailable(f"Jira answered {what} with {status}.{limit}{pause} {said}".strip())
    advice = ADVICE.get(status, "Look at Jira's answer.")
    return SourceRefused(f"Jira refused {what} with {status}: {said} {advice}")


def _clock(http: httpx.Client) -> datetime:
    """The site's time: `serverTime` where it is given, else the Date header."""
    response = send(http, "GET", "rest/api/3/serverInfo")
    info = json_of(response)
    if not isinstance(info, dict) or info.get("deploymentType") != "Cloud":
        raise SourceRefused("This address is not a Jira Cloud site. Enter the address of one.")
    told = moment(info.get("serverTime"))
    if told is None and "date" in response.headers:
        told = parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
    if told is None:
        raise SourceUnavailable("Jira did not tell its time, without which nothing can be put in order.")
    return told


def _field_ids(contract: Contract, catalogue: Any) -> dict[str, str]:
    """Ids of the contract's custom fields. Two fields of one name are a question for a person."""
    if not isinstance(catalogue, list):
        raise SourceUnavailable("Jira did not answer with its list of fields.")
    ids: dict[str, list[str]] = {}
    for field in catalogue:
        ids.setdefault(field["name"], []).append(field["id"])
        ids.setdefault(field["id"], []).append(field["id"])
    found = {}
    for ours, theirs in contract.fields.items():
        matches = sorted(set(ids.get(theirs, ())))
        if len(matches) != 1:
            what = (
                f"has {len(matches)} fields called '{theirs}' ({', '.join(matches)})"
                if matches
                else f"has no field '{theirs}'"
            )
            raise SourceRefused(
                f"The Jira site {what}, which the contract names for '{ours}'. Put the id in the contract."
            )
        found[ours] = matches[0]
    return found
