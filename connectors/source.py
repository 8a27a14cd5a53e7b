"""What every source hands over, and the two ways in which a source can fail.

A connector turns answers of a tool into `Page`s (bytes as they came) and raw records into `Version`s (one version of
one record in our words). It writes nothing: the mirror is the only writer. Times are UTC, units stand last in names.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from engine.words import Feed, IssueCode, MirrorKind, Source


class SourceUnavailable(Exception):
    """The tool did not answer properly now. Retrying later may help; nothing was taken from the broken answer."""


class SourceRefused(Exception):
    """The tool answered no (credentials, rights, wrong query). A person must act; the text says who and how."""


class Unreadable(Exception):
    """A delivery that is not what this source sends. It is kept as DEAD with this text as its reason."""


class Poison(Exception):
    """A record without a usable id or version. It is listed as a data issue; nothing else of its page is lost."""

    def __init__(self, key: str, field: str, value: str, what: str, fix: str) -> None:
        super().__init__(f"{field}: {what}")
        self.key, self.field, self.value, self.what, self.fix = key, field, value, what, fix


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a tool. `body` is a JSON array of the tool's raw records, byte for byte what will be kept."""

    source: Source
    entity: str  # the tool's own name of the table or resource: "incident", "issue", "request_sla"
    feed: Feed
    page_id: str  # same page content, same id: a second delivery of it is a duplicate
    body: bytes
    observed_at: datetime  # server clock at the start of the request
    cursor: str | None = None  # where a reading that ended after this page goes on
    records: int = 0  # in this page
    total: int | None = None  # of the whole reading, where the tool counts it


@dataclass(frozen=True, slots=True)
class Issue:
    """A value that could not be used. The record stays, the value stays unknown."""

    code: IssueCode
    field: str
    value: str
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one record, translated.

    `values` are columns of the typed mirror table of `kind` (schema/tables/mirror.py), without the key and version
    columns that the mirror itself writes. An older (version_no, version_at) never replaces a newer one; the same
    payload hash is the same version whatever the stamps say.
    """

    source: Source
    entity: str
    key: str  # the tool's immutable id (sys_id, issue id), never a number that can be renamed
    kind: MirrorKind
    version_no: int
    version_at: datetime
    payload: bytes  # canonical JSON of the raw record without columns that the tool computes at read time
    values: Mapping[str, Any]
    issues: tuple[Issue, ...] = field(default=())
    observed: bool = False  # the tool gives no version: the moment of the reading stands for one


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything of `entity` that stands below one record of a tool now: what is not among `keys` is there no more.

    The keys of what stands below a record all begin with `prefix`.
    """

    source: Source
    entity: str
    prefix: str
    keys: frozenset[str]


Pages = Iterator[Page]


@dataclass(frozen=True, slots=True)
class Key:
    """That a record stands in the tool, in this version; nothing of what it says."""

    key: str
    version_no: int
    version_at: datetime


@dataclass(frozen=True, slots=True)
class KeySet:
    """Which records of an entity stand in the tool. Only a complete one may say that a record is absent."""

    source: Source
    entity: str
    keys: list[Key]
    complete: bool  # every record that the tool counts at the start was seen
    observed_at: datetime  # server clock at the start of the first request
    why: str = ""  # why it is not complete


class CheckState(StrEnum):
    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at before a connection is trusted, and what a person should do about it."""

    name: str
    state: CheckState
    what: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Hint:
    """A record of a tool about which something was said that only reading it again can prove."""

    source: Source
    entity: str
    key: str


@dataclass(frozen=True, slots=True)
class Hook:
    """What a webhook says: whole records, records to read again, and records that are said to be deleted.

    A delete is only a suspicion: nothing is removed until a sweep has confirmed it. `note` says why a webhook was right
    but is not for us; it stands beside the delivery.
    """

    records: tuple[tuple[str, Mapping[str, Any]], ...] = ()  # entity, raw record
    refetch: tuple[Hint, ...] = ()
    suspected: tuple[Hint, ...] = ()
    note: str | None = None
    said_at: datetime | None = None  # when the tool says that it happened: told of much later, it is noted


@dataclass(frozen=True, slots=True)
class Translator:
    """How the deliveries of one source are read. Both functions are pure.

    `translate(entity, record, observed_at)` gives the versions that a raw record of a page holds, or raises `Poison`.
    `read_hook(body)` reads the parsed body of a webhook, or raises `Unreadable`. `wholes(entity, record)` says which
    sets a raw record of a page tells completely. All are pure. `contract` is the hash of the text that it reads by.
    """

    translate: Callable[[str, Mapping[str, Any], datetime], Iterable[Version]]
    read_hook: Callable[[Mapping[str, Any]], Hook]
    accounts: frozenset[str] = frozenset()  # our own at the tool: what they change may be our writes coming back
    wholes: Callable[[str, Mapping[str, Any]], Iterable[Whole]] = lambda _entity, _record: ()
    contract: str | None = None
