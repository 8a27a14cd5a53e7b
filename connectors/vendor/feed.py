"""What a supplier reports through an interface of its own: JSON over https, page by page, under an agreement.

Decides which values of an answer become the fields of a record: those that the data contract names and the agreement
covers; nothing else is kept. The vendor is the agreement's party, whatever the answer says. Numbers stay the text that
was sent. Between later (`Busy`: 408, 425, 429, 5xx, a broken answer) and never (`SourceRefused`: no agreement, no
rights, an answer of another shape) a status decides; redirects are not followed, since a token must not travel.
A moment is that of the server's Date, before the request began.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import httpx

from connectors.files.contract import AS_OF, Contract
from connectors.files.contract import Feed as Shape
from connectors.files.drop import NO_ACTIVE_AGREEMENT, PARTY, without_uncovered
from connectors.files.translate import FEED_MARK, translator
from connectors.governor import Governor, Purpose
from connectors.limits import TOO_MANY, Busy, Told, date_of, header, seconds
from connectors.source import Key, KeySet, Page, Poison, SourceRefused
from engine.canonical import canonical_hash, canonical_json
from engine.refusal import Code, Refused
from engine.words import Feed, Source

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
BUSY = frozenset({408, 425, TOO_MANY})
CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
MOST_PAGES = 10_000
LARGEST_BYTES = 50 * 1024 * 1024
ADVICE: Mapping[int, str] = {
    401: "Enter a valid token in EVENHAND_VENDOR_TOKENS.",
    403: "Ask the supplier to let this token read its service levels.",
    404: "Check the address in EVENHAND_VENDOR_FEEDS.",
}


@dataclass(frozen=True, slots=True)
class VendorFeed:
    """One supplier's interface. `covered` are the fields of its agreement; None without one that holds today."""

    name: str
    url: str
    token: str = field(repr=False)
    contract: Contract
    vendor: str = ""
    covered: frozenset[str] | None = None
    governor: Governor = field(default_factory=Governor)

    def __post_init__(self) -> None:
        address = urlsplit(self.url)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
            what = f"The address of {self.name} is not an https address."
            raise Refused(Code.BAD_INPUT, what, "Enter the supplier's https address.", ("EVENHAND_VENDOR_FEEDS",))

    @property
    def entity(self) -> str:
        return f"{self.contract.entity}{FEED_MARK}{self.name}"


def poll(feed: VendorFeed, since: datetime | None, kind: Feed, _cursor: str | None = None) -> Iterator[Page]:
    """What changed since then, or everything; page by page in the order of the interface."""
    shape, covered = _shape(feed), _covered(feed)
    purpose = Purpose.SWEEP if kind is Feed.SWEEP else Purpose.POLL
    mark, seen = "", {""}
    with _client(feed) as client:
        for _ in range(MOST_PAGES):
            asked = {shape.since: since.isoformat()} if since and shape.since else {}
            asked |= {shape.parameter: mark} if mark else {}
            body, observed_at = feed.governor.call(partial(_asked, feed, client, asked), purpose=purpose)
            records = [_record(feed, covered, raw) for raw in _records(feed, shape, body)]
            mark = _text(_at(body, shape.next)) if shape.next else ""
            yield _page(feed, kind, records, observed_at, mark)
            if not mark:
                return
            if mark in seen:
                raise SourceRefused(f"{feed.name} gives the page {mark[:80]!r} again and again. Ask the supplier.")
            seen.add(mark)
    raise SourceRefused(f"{feed.name} has more than {MOST_PAGES} pages. Ask the supplier for larger ones.")


def sweep(feed: VendorFeed) -> KeySet:
    """Which results the supplier has now: all of them are read, since their keys stand within them."""
    keys: dict[str, Key] = {}
    observed_at: datetime | None = None
    reads = translator(feed.contract)
    for page in poll(feed, None, Feed.SWEEP):
        observed_at = observed_at or page.observed_at
        for record in json.loads(page.body):
            try:
                for version in reads.translate(feed.entity, record, page.observed_at):
                    keys[version.key] = Key(version.key, version.version_no, version.version_at)
            except Poison:  # listed when it is polled
                continue
    if observed_at is None:
        raise SourceRefused(f"{feed.name} gave no page at all.")
    return KeySet(Source.VENDOR, feed.entity, list(keys.values()), True, observed_at)


def exists(feed: VendorFeed, key: str) -> bool:
    return any(each.key == key for each in sweep(feed).keys)


# ---- one answer


def _client(feed: VendorFeed) -> httpx.Client:
    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {feed.token}"} if feed.token else {})
    return httpx.Client(headers=headers, timeout=timeout, trust_env=False)


def _asked(feed: VendorFeed, client: httpx.Client, asked: Mapping[str, str]) -> tuple[Any, datetime]:
    try:
        answer = client.get(feed.url, params=dict(asked))
    except httpx.TransportError as error:
        raise Busy(f"{feed.name} did not answer: {type(error).__name__}.") from error
    told = Told(answer.status_code == TOO_MANY, seconds(header(answer.headers, "Retry-After")))
    if answer.status_code in BUSY or answer.status_code >= 500:
        raise Busy(f"{feed.name} answered with {answer.status_code}.", told=told)
    if not answer.is_success:
        advice = ADVICE.get(answer.status_code, "Look at the interface's description.")
        raise SourceRefused(f"{feed.name} refused with {answer.status_code}. {advice}")
    if len(answer.content) > LARGEST_BYTES:
        raise SourceRefused(f"{feed.name} answers with more than {LARGEST_BYTES >> 20} MiB. Ask for smaller pages.")
    answered_at = date_of(answer.headers)
    if answered_at is None:
        raise SourceRefused(f"{feed.name} answers without a Date, so nothing says when its data was true.")
    feed.governor.hear(told)
    try:
        body = json.loads(answer.content, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise Busy(f"{feed.name} answered with something that is not JSON.") from error
    return body, answered_at - timedelta(seconds=int(answer.elapsed.total_seconds()) + 1)


def _records(feed: VendorFeed, shape: Shape, body: Any) -> list[Mapping[str, Any]]:
    found = body if shape.records == "." else _at(body, shape.records)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        what = f"{feed.name} has no list of records at {shape.records!r}."
        raise SourceRefused(f"{what} Correct `feeds` in the data contract vendor.")
    return found


def _record(feed: VendorFeed, covered: frozenset[str], raw: Mapping[str, Any]) -> dict[str, Any]:
    named = {each.name: each.header for each in feed.contract.fields}
    if feed.contract.as_of is not None:
        named[AS_OF] = feed.contract.as_of.header
    told = {name: text for name, way in named.items() if (text := _text(_at(raw, way)))}
    return without_uncovered({**told, PARTY: feed.vendor}, covered)


def _at(node: Any, way: str) -> Any:
    """The value at `kpi.met`; a name that itself holds a point is found too."""
    if isinstance(node, dict) and way in node:
        return node[way]
    first, _, rest = way.partition(".")
    return _at(node[first], rest) if isinstance(node, dict) and rest and first in node else None


def _text(value: Any) -> str:
    """A scalar as it was sent, as far as a database can keep it; a list or an object says nothing here."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return ""
    return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\u0000").strip()


def _page(feed: VendorFeed, kind: Feed, records: list[dict[str, Any]], observed_at: datetime, mark: str) -> Page:
    """The same content is the same page, unless the moment of the reading is all that says how new it is."""
    body = canonical_json(records)
    timeless = feed.contract.as_of is not None and kind is not Feed.SWEEP
    stamp = "" if timeless else observed_at.isoformat()
    page_id = canonical_hash([feed.entity, kind.value, stamp, sha256(body).hexdigest()])
    return Page(
        Source.VENDOR, feed.entity, kind, f"feed:{page_id}", body, observed_at, mark or None, records=len(records)
    )


def _shape(feed: VendorFeed) -> Shape:
    shape = feed.contract.feed(feed.name)
    if shape is None:
        raise SourceRefused(f"The data contract vendor does not say how {feed.name} answers. Add it to `feeds`.")
    return shape


def _covered(feed: VendorFeed) -> frozenset[str]:
    if feed.covered is None:
        what = f"{NO_ACTIVE_AGREEMENT}: no data-sharing agreement called {feed.name} is active, so it is not read."
        raise SourceRefused(f"{what} Put one in force: evenhand agreement propose, test, activate.")
    return feed.covered
