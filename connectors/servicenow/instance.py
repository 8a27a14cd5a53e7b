"""A connection to one ServiceNow instance: who we are, and what its answers mean for us.

Decides how an answer is judged before a single row of it is believed. Reads and writes go through pysnow with a session
of ours: no redirects (a login page is a refusal, not an answer), no retries, a fresh resource for every call, since a
resource remembers the parameters of the last one. Its own parsing is not used: it takes rows of an answer that also
carries an error. Source: Table API reference. Raises `Busy` (ask later), `PageRejected` (ask for less),
`SourceRefused` (a person must act). Plain http is allowed to this machine alone.
"""

import json
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
import requests
from requests.auth import AuthBase, HTTPBasicAuth

from connectors.governor import Busy, Governor
from connectors.servicenow.contract import Contract
from connectors.source import SourceRefused
from engine.refusal import Code, Refused

with warnings.catch_warnings():  # old helpers of pysnow warn while they are imported
    warnings.simplefilter("ignore")
    import pysnow

API = "/api/now/v2"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
TIMEOUT_SECONDS = 65
TOKEN_LIFE_SHARE = 0.8
DEFAULT_TOKEN_SECONDS = 1_800
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,79}")
ADVICE: Mapping[int, str] = {
    400: "Correct the table or column names in contract.yaml.",
    401: "Enter the integration user's current password or client secret, and see that the user is not locked out.",
    403: "Give the integration user read rights on this table, and write rights on u_evenhand_score.",
    404: "Check the instance's address, and that the integration user may see the table.",
    302: "Let the integration user log in without single sign-on or MFA; the instance answered with a login page.",
}


@dataclass(frozen=True, slots=True)
class ServiceNowConfig:
    """How to reach an instance: `user` and `password`, or an OAuth client with the client credentials grant."""

    url: str
    contract: Contract
    user: str = ""
    password: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    page_size: int = 1_000
    governor: Governor = field(default_factory=Governor)

    def __post_init__(self) -> None:
        address = urlsplit(self.url)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
            what = f"'{self.url}' is not an https address."
            raise Refused(
                Code.BAD_INPUT, what, "Enter the instance's address: https://example.service-now.com", ("url",)
            )
        if address.path not in ("", "/") or address.query or address.username or not address.hostname:
            what = "The instance's address has more than a host in it."
            raise Refused(Code.BAD_INPUT, what, "Enter only https:// and the host's name.", ("url",))
        if not ((self.user and self.password) or (self.client_id and self.client_secret)):
            what = "There are no credentials for ServiceNow."
            raise Refused(Code.BAD_INPUT, what, "Give user and password, or client_id and client_secret.", ("user",))


class PageRejected(Exception):
    """The answer was cut or cancelled half-way. Nothing of it was taken; a smaller page may pass."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that may be believed."""

    rows: list[dict[str, Any]]
    total: int | None  # rows of the query, where it was counted
    observed_at: datetime  # the instance's own clock


class _Session(requests.Session):
    """Never follows a redirect: credentials do not travel, and a login page stays a 302."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Bearer(AuthBase):
    """A token of the client credentials grant. There is no refresh token: ask anew at 80 % of its life."""

    def __init__(self, config: ServiceNowConfig, clock: Callable[[], float]) -> None:
        self._config, self._clock = config, clock
        self._token, self._ends_at = "", 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._clock() >= self._ends_at:
            self._ask()
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def forget(self) -> None:
        self._ends_at = 0.0

    def _ask(self) -> None:
        config = self._config
        form = {
            "grant_type": "client_credentials", "client_id": config.client_id, "client_secret": config.client_secret,
        }  # fmt: skip
        try:
            answer = httpx.post(f"{config.url.rstrip('/')}/oauth_token.do", data=form, timeout=30)
        except httpx.TransportError as error:
            raise Busy(f"ServiceNow did not answer the request for a token ({type(error).__name__}).") from error
        if answer.status_code == 429 or answer.status_code >= 500:
            raise Busy(f"ServiceNow gave no token now ({answer.status_code}).", _seconds(answer.headers))
        try:
            given = answer.json()
            self._token, life = str(given["access_token"]), float(given.get("expires_in", DEFAULT_TOKEN_SECONDS))
        except (ValueError, KeyError, TypeError) as error:
            raise SourceRefused(
                f"ServiceNow gave no token ({answer.status_code}). Check client id and secret, and that the client "
                "credentials grant is enabled on the instance."
            ) from error
        self._ends_at = self._clock() + TOKEN_LIFE_SHARE * life


@dataclass(frozen=True, slots=True)
class Instance:
    """An open connection."""

    config: ServiceNowConfig
    client: Any
    session: requests.Session

    def resource(self, table: str) -> Any:
        """Never used twice."""
        if not _TABLE.fullmatch(table):
            raise Refused(Code.BAD_INPUT, f"'{table}' is not the name of a table.", "Use the table's own name.")
        return self.client.resource(base_path=API, api_path=f"/table/{table}", timeout=TIMEOUT_SECONDS)


@contextmanager
def connect(config: ServiceNowConfig) -> Iterator[Instance]:
    address = urlsplit(config.url)
    with _Session() as session:
        session.trust_env = False  # no proxies and no .netrc: credentials go where the configuration says
        if config.client_id:
            session.auth = _Bearer(config, time.monotonic)
        else:
            session.auth = HTTPBasicAuth(config.user, config.password)
        client = pysnow.Client(host=address.netloc, use_ssl=address.scheme == "https", session=session)
        yield Instance(config, client, session)


def read(
    instance: Instance, table: str, query: str, fields: tuple[str, ...], limit: int, offset: int = 0,
    count: bool = True,
) -> Answer:  # fmt: skip
    """One page of a query, under the governor."""

    def request() -> Answer:
        resource = instance.resource(table)
        resource.parameters.query, resource.parameters.fields = query, list(fields)
        resource.parameters.limit, resource.parameters.offset = limit, offset
        resource.parameters.exclude_reference_link = True
        resource.parameters.add_custom(
            {
                "sysparm_display_value": "false",
                "sysparm_exclude_reference_link": "true",
                "sysparm_suppress_pagination_header": "true",
                "sysparm_no_count": "false" if count else "true",
            }
        )
        return judge(send(instance, resource, "GET", f"reading {table}"), f"reading {table}")

    return instance.config.governor.call(request)


def send(instance: Instance, resource: Any, method: str, doing: str, **more: Any) -> requests.Response:
    """One request; the raw answer when it is a 2xx. A rejected token is replaced once."""
    try:
        response: requests.Response = resource.request(method, **more)._response
        if response.status_code == 401 and isinstance(instance.session.auth, _Bearer):
            instance.session.auth.forget()
            response = resource.request(method, **more)._response
    except requests.exceptions.ChunkedEncodingError as error:
        raise PageRejected(f"ServiceNow's answer was cut while {doing}.") from error
    except requests.RequestException as error:
        raise Busy(f"ServiceNow did not answer while {doing} ({type(error).__name__}).") from error
    status = response.status_code
    if status == 429 or status >= 500:
        raise Busy(f"ServiceNow cannot serve us now while {doing} (status {status}).", _seconds(response.headers))
    page = 200 <= status < 300 and response.headers.get("Content-Type", "").startswith("text/html")
    if page or 300 <= status < 400:
        raise SourceRefused(f"ServiceNow showed a login page while {doing}. {ADVICE[302]}")
    if not 200 <= status < 300:
        advice = ADVICE.get(status, "Look into the instance's log.")
        raise SourceRefused(f"ServiceNow refused {doing} with status {status}. {advice}")
    return response


def judge(response: requests.Response, doing: str) -> Answer:
    """Believe an answer or reject all of it: rows beside an error, or texts among rows, are no rows."""
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        try:
            body = json.loads(response.content)  # a lone surrogate is for the record's reader to refuse
        except ValueError as error:
            raise PageRejected(f"ServiceNow's answer was cut while {doing}.") from error
    rows = body.get("result") if isinstance(body, dict) else None
    if not isinstance(rows, list) or "error" in body or not all(isinstance(row, dict) for row in rows):
        raise PageRejected(f"ServiceNow cancelled its answer while {doing}.")
    count = response.headers.get("X-Total-Count", "")
    return Answer(rows, int(count) if count.isdigit() else None, _clock(response.headers))


def _clock(headers: Mapping[str, str]) -> datetime:
    """The instance's clock. Without it nothing could be said to have been read up to any time."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC)
    except (TypeError, ValueError) as error:
        raise SourceRefused(
            "ServiceNow's answer has no Date header. Reach the instance without a proxy that removes it."
        ) from error


def _seconds(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Retry-After", "").strip()
    return float(text) if text.isascii() and text.isdigit() else None
