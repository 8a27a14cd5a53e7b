"""A connection to one ServiceNow instance: what its answers mean for us.

Decides how an answer is judged before a single row of it is believed. Reads and writes go through pysnow with a session
of ours: no redirects (a login page is a refusal, not an answer), no retries, a fresh resource for every call, since a
resource remembers the parameters of the last one. Its own parsing is not used: it takes rows of an answer that also
carries an error. Source: Table API and Aggregate API reference. Raises `Busy` (ask later), `PageRejected` (ask for
less), `SourceRefused` (a person must act; `Forbidden` and `TableAbsent` say which). Plain http is allowed to this
machine alone.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import orjson
import requests
from requests.auth import HTTPBasicAuth

from connectors import limits
from connectors.governor import Busy, Governor, Purpose
from connectors.servicenow import queries
from connectors.servicenow.contract import Contract
from connectors.servicenow.login import UNDATED, Bearer, Session, token_of
from connectors.source import SourceRefused, SourceUnavailable
from engine.refusal import Code, Refused

with warnings.catch_warnings():  # old helpers of pysnow warn while they are imported
    warnings.simplefilter("ignore")
    import pysnow

API, AGGREGATE_API = "/api/now/v2", "/api/now"
T = TypeVar("T")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
TIMEOUT_SECONDS = 65
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


class Forbidden(SourceRefused):
    """An access rule of the instance keeps this table from our user."""


class TableAbsent(SourceRefused):
    """This instance has no such table, or hides it so well that it says so."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that may be believed."""

    rows: list[dict[str, Any]]
    total: int | None  # rows of the query, where it was counted
    observed_at: datetime  # the instance's own clock


@dataclass(frozen=True, slots=True)
class Count:
    rows: int
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Instance:
    """An open connection."""

    config: ServiceNowConfig
    client: Any
    session: requests.Session
    purpose: Purpose  # what the governor may put last when the instance limits us

    def resource(self, table: str, what: str = "table", api: str = API) -> Any:
        """Never used twice."""
        return self.client.resource(base_path=api, api_path=f"/{what}/{queries.name(table)}", timeout=TIMEOUT_SECONDS)


@contextmanager
def connect(config: ServiceNowConfig, purpose: Purpose = Purpose.POLL) -> Iterator[Instance]:
    address = urlsplit(config.url)
    with Session() as session:
        session.trust_env = False  # no proxies and no .netrc: credentials go where the configuration says
        if config.client_id:
            session.auth = Bearer(token_of(config.url, config.client_id, config.client_secret))
        else:
            session.auth = HTTPBasicAuth(config.user, config.password)
        client = pysnow.Client(host=address.netloc, use_ssl=address.scheme == "https", session=session)
        yield Instance(config, client, session, purpose)


def governed(instance: Instance, scopes: Sequence[str], request: Callable[[], T]) -> T:
    """The answer of a read, whenever the governor lets it out."""
    return instance.config.governor.call(request, purpose=instance.purpose, scopes=scopes)


def read(
    instance: Instance, table: str, query: str, fields: Sequence[str], limit: int, offset: int = 0,
    count: bool = True,
) -> Answer:  # fmt: skip
    """One page of a query, under the governor."""
    scopes = limits.servicenow_scopes(table)

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
        return judge(send(instance, scopes, resource, "GET", f"reading {table}"), f"reading {table}")

    return governed(instance, scopes, request)


def count_rows(instance: Instance, table: str, query: str) -> Count:
    """How many rows the instance counts, by its Aggregate API. It knows rights on the table, not those on rows."""
    scopes = (f"stats {table}",)  # another resource, which another rule may limit

    def request() -> Count:
        doing = f"counting {table}"
        resource = instance.resource(table, "stats", AGGREGATE_API)
        resource.parameters.query = query
        resource.parameters.add_custom({"sysparm_count": "true"})
        try:
            response = send(instance, scopes, resource, "GET", doing)
            return Count(int(_parsed(response, doing)["result"]["stats"]["count"]), _clock(response.headers))
        except (PageRejected, KeyError, TypeError, ValueError) as error:
            raise Busy(f"ServiceNow gave no number while {doing}.") from error

    return governed(instance, scopes, request)


def is_found(instance: Instance, table: str, sys_id: str) -> bool:
    """Whether the instance shows the record. A 404 says no: it does not exist, or it is hidden from us."""
    scopes = limits.servicenow_scopes(table)

    def request() -> bool:
        doing, wanted = f"looking for a record of {table}", queries.sys_id(sys_id)
        resource = instance.resource(table)
        resource.parameters.fields = ["sys_id"]
        resource.parameters.add_custom({"sysparm_exclude_reference_link": "true"})
        response = _answered(instance, scopes, resource, "GET", doing, path_append=f"/{wanted}")
        if response.status_code == 404 and _error(response).startswith("No Record found"):
            return False
        row = _parsed(accepted(response, doing), doing).get("result")
        if not isinstance(row, dict) or row.get("sys_id") != wanted:
            raise PageRejected(f"ServiceNow gave another record while {doing}.")
        return True

    try:
        return governed(instance, scopes, request)
    except PageRejected as rejected:
        raise SourceUnavailable(str(rejected)) from rejected


def send(
    instance: Instance, scopes: Sequence[str], resource: Any, method: str, doing: str, **more: Any
) -> requests.Response:
    """One request; the raw answer when it is a 2xx. A rejected token is replaced once."""
    return accepted(_answered(instance, scopes, resource, method, doing, **more), doing)


def _answered(
    instance: Instance, scopes: Sequence[str], resource: Any, method: str, doing: str, **more: Any
) -> requests.Response:
    try:
        response: requests.Response = resource.request(method, **more)._response
        if response.status_code == 401 and isinstance(instance.session.auth, Bearer):
            instance.session.auth.lost()
            response = resource.request(method, **more)._response
    except requests.exceptions.ChunkedEncodingError as error:
        raise PageRejected(f"ServiceNow's answer was cut while {doing}.") from error
    except requests.RequestException as error:
        raise Busy(f"ServiceNow did not answer while {doing} ({type(error).__name__}).") from error
    if 200 <= response.status_code < 300:
        instance.config.governor.hear(_told(response), scopes)
    return response


def _told(response: requests.Response) -> limits.Told:
    """What the answer says about limits. When a limit ends is told by the instance's clock, or not at all."""
    headers = dict(response.headers)
    if "Date" not in response.headers:
        headers = {name: value for name, value in headers.items() if name.lower() != "x-ratelimit-reset"}
    return limits.servicenow(response.status_code, headers, UNDATED)


def accepted(response: requests.Response, doing: str) -> requests.Response:
    status = response.status_code
    if status == 429 or status >= 500:
        raise Busy(f"ServiceNow cannot serve us now while {doing} (status {status}).", told=_told(response))
    page = 200 <= status < 300 and response.headers.get("Content-Type", "").startswith("text/html")
    if page or 300 <= status < 400:
        raise SourceRefused(f"ServiceNow showed a login page while {doing}. {ADVICE[302]}")
    if not 200 <= status < 300:
        advice = ADVICE.get(status, "Look into the instance's log.")
        text = f"ServiceNow refused {doing} with status {status}. {advice}"
        if status == 400 and _error(response).startswith("Invalid table"):
            raise TableAbsent(f"This instance has no such table for us ({doing}). {ADVICE[404]}")
        raise Forbidden(text) if status == 403 else SourceRefused(text)
    return response


def judge(response: requests.Response, doing: str) -> Answer:
    """Believe an answer or reject all of it: rows beside an error, or texts among rows, are no rows."""
    body = _parsed(response, doing)
    rows = body.get("result")
    if not isinstance(rows, list) or "error" in body or not all(isinstance(row, dict) for row in rows):
        raise PageRejected(f"ServiceNow cancelled its answer while {doing}.")
    count = response.headers.get("X-Total-Count", "")
    return Answer(rows, int(count) if count.isdigit() else None, _clock(response.headers))


def _parsed(response: requests.Response, doing: str) -> dict[str, Any]:
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        try:
            body = json.loads(response.content)  # a lone surrogate is for the record's reader to refuse
        except ValueError as error:
            raise PageRejected(f"ServiceNow's answer was cut while {doing}.") from error
    if not isinstance(body, dict):
        raise PageRejected(f"ServiceNow cancelled its answer while {doing}.")
    return body


def _error(response: requests.Response) -> str:
    """The message of an error body, where there is one."""
    try:
        return str(orjson.loads(response.content)["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return ""


def _clock(headers: Mapping[str, str]) -> datetime:
    """The instance's clock. Without it nothing could be said to have been read up to any time."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).astimezone(UTC)
    except (TypeError, ValueError) as error:
        raise SourceRefused(
            "ServiceNow's answer has no Date header. Reach the instance without a proxy that removes it."
        ) from error
