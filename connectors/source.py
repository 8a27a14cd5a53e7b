"""What every source hands over, and the two ways in which a source can fail.

A connector turns answers of a tool into `Page`s (bytes as they came) and raw records into `Version`s (one version of
one record in our words). It writes nothing: the mirror is the only writer. Times are UTC, units stand last in names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.words import Feed, IssueCode, MirrorKind, Source


class SourceUnavailable(Exception):
    """The tool did not answer properly now. Retrying later may help; nothing was taken from the broken answer."""


class SourceRefused(Exception):
    """The tool answered no (credentials, rights, wrong query). A person must act; the text says who and how."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a tool. `body` is a JSON array of the tool's raw records, byte for byte what will be kept."""

    source: Source
    entity: str  # the tool's own name of the table or resource: "incident", "issue", "request_sla"
    feed: Feed
    page_id: str  # same page content, same id: a second delivery of it is a duplicate
    body: bytes
    observed_at: datetime  # server clock at the start of the request


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


Pages = Iterator[Page]
