"""A connection to one Jira site, Cloud or Data Center: two clients, one governor, the site's own clock and fields.

Decides which edition it is (`serverInfo`), and with it the version of the API. `jira` reads records; httpx does what it
cannot (changelogs in bulk, service desk resources, properties, webhooks). An account is an e-mail address (or, on Data
Center, a user name) with a token; a token alone is a bearer: a personal access token, or one of OAuth.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import httpx
from jira import JIRA

from connectors.governor import Governor, Purpose
from connectors.jira.calls import CONNECT_SECONDS, READ_SECONDS, Lane, by_client, get
from connectors.jira.contract import Contract
from connectors.jira.times import moment
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused

IN_FLIGHT = 4
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
REQUEST_TYPE = "com.atlassian.servicedesk:vp-origin"  # type of the custom field that names a request's type
SERVER_INFO = "rest/api/2/serverInfo"  # both editions have it under this version


class Edition(Enum):
    CLOUD = "3"  # version of the API
    DATA_CENTER = "2"


PROJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,254}")


@dataclass(frozen=True, slots=True)
class JiraConfig:
    """How to reach a site and which projects to read. `url` as people see it: https://example.atlassian.net.

    `email` may be empty: then `token` is sent as a bearer.
    """

    url: str
    email: str
    token: str = field(repr=False)
    projects: tuple[str, ...]
    contract: Contract = field(repr=False)
    governor: Governor = field(default_factory=Governor)

    def __post_init__(self) -> None:
        address = urlsplit(self.url)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
            what = f"'{self.url}' is not an https address."
            raise Refused(Code.BAD_INPUT, what, "Enter the site's address.", ("url",))
        if not self.projects or not all(PROJECT.fullmatch(project) for project in self.projects):
            what = f"{self.projects} are not keys or ids of Jira projects."
            raise Refused(Code.BAD_INPUT, what, "Name at least one.", ("projects",))


@dataclass(frozen=True, slots=True)
class Site:
    """An open connection. `opened_at` is the site's own clock; `fields` leads from our field to the site's field id."""

    config: JiraConfig
    edition: Edition
    client: JIRA
    lanes: tuple[Lane, ...]
    opened_at: datetime
    fields: Mapping[str, str]
    request_type: str | None  # the field that names the type of a request, where the site has one
    names: Mapping[str, str]  # id of each field by its name: Data Center's changelog has names alone

    @property
    def http(self) -> Lane:
        return self.lanes[0]

    @property
    def api(self) -> str:
        return f"rest/api/{self.edition.value}"


@contextmanager
def lanes_to(config: JiraConfig, purpose: Purpose) -> Iterator[tuple[Lane, ...]]:
    """Connections for a few threads; nothing has been asked yet."""
    timeout, tls = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS), httpx.create_ssl_context()
    headers = {"X-ExperimentalApi": "opt-in"}  # Data Center answers about approvals to nobody else
    if not config.email:
        headers["Authorization"] = f"Bearer {config.token}"
    more: dict[str, Any] = {"auth": (config.email, config.token)} if config.email else {}
    base = config.url.rstrip("/") + "/"
    with ExitStack() as stack:
        yield tuple(
            Lane(
                stack.enter_context(httpx.Client(base_url=base, headers=headers, timeout=timeout, verify=tls, **more)),
                config.governor,
                purpose,
            )
            for _ in range(IN_FLIGHT)
        )


@contextmanager
def connect(config: JiraConfig, purpose: Purpose = Purpose.POLL) -> Iterator[Site]:
    """Open a site, read its edition, its clock and its custom fields, close it afterwards."""
    with lanes_to(config, purpose) as lanes:
        edition, opened_at = edition_and_clock(lanes[0])
        catalogue = get(lanes[0], f"rest/api/{edition.value}/field")
        fields = field_ids(config.contract, catalogue)
        names = {str(held.get("name")): str(held["id"]) for held in catalogue}
        client = _client(config, edition, purpose)
        try:
            yield Site(config, edition, client, lanes, opened_at, fields, _request_type(catalogue), names)
        finally:
            client.close()  # type: ignore[no-untyped-call]


def _client(config: JiraConfig, edition: Edition, purpose: Purpose) -> JIRA:
    login: dict[str, Any] = {"basic_auth": (config.email, config.token)} if config.email else {}
    client = by_client(
        config.governor,
        purpose,
        "GET",
        SERVER_INFO,
        lambda: JIRA(
            server=config.url.rstrip("/"),
            options={"rest_api_version": edition.value},
            max_retries=0,  # only the governor sends again
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            **(login or {"token_auth": config.token}),
        ),
    )
    client._session.max_redirects = 0  # a redirect leads to a login page, or to another host
    client._fields_cache_value = {"": ""}  # else it asks for /field behind our back, and takes names for ids
    return client


def clock(lane: Lane) -> datetime:
    """The site's time now: what is read from here on is at least as new."""
    return edition_and_clock(lane)[1]


def edition_and_clock(lane: Lane) -> tuple[Edition, datetime]:
    info = get(lane, SERVER_INFO)
    if not isinstance(info, dict) or "deploymentType" not in info:
        raise SourceRefused("This address is not a Jira site. Enter the address of one.")
    told = moment(info.get("serverTime"))
    if told is None:
        raise SourceUnavailable("Jira did not tell its time, without which nothing can be put in order.")
    return Edition.CLOUD if info["deploymentType"] == "Cloud" else Edition.DATA_CENTER, told


def field_ids(contract: Contract, catalogue: Any) -> dict[str, str]:
    """Ids of the contract's custom fields. Two fields of one name are a question for a person."""
    if not isinstance(catalogue, list) or not all(isinstance(held, dict) and held.get("id") for held in catalogue):
        raise SourceUnavailable("Jira did not answer with its list of fields.")
    ids: dict[str, set[str]] = {}
    for held in catalogue:
        ids.setdefault(str(held.get("name")), set()).add(held["id"])
        ids.setdefault(held["id"], set()).add(held["id"])
    found = {}
    for ours, theirs in contract.fields.items():
        matches = sorted(ids.get(theirs, ()))
        if len(matches) != 1:
            many = f"has {len(matches)} fields called '{theirs}' ({', '.join(matches)})"
            what = many if matches else f"has no field '{theirs}' that the integration account may see"
            fix = "Put the id in the contract, or null where the site has no such field."
            raise SourceRefused(f"The Jira site {what}, which the contract names for '{ours}'. {fix}")
        found[ours] = matches[0]
    return found


def _request_type(catalogue: list[dict[str, Any]]) -> str | None:
    kinds = {held["id"]: (held.get("schema") or {}).get("custom") for held in catalogue}
    return next((name for name, kind in sorted(kinds.items()) if kind == REQUEST_TYPE), None)
