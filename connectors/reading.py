"""What one delivery holds: its versions, or why there are none. Pure: bytes in, sightings out.

Decides between a delivery that can never be read (`dead`, with the reason) and a record that cannot be placed (an
unplaced `Fault`, which costs nothing but itself). A webhook that only hints at a record, or that says one is deleted,
gives a `Hint`. Refused: bodies that are not JSON, or not of the shape that the feed promises.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson

from connectors.issues import Fault
from connectors.mirror import Sighting
from connectors.source import Hint, Hook, Poison, Translator, Unreadable, Whole
from engine.words import Feed, Source

FIX = "Correct the record in the tool, or what sends it; the next version is taken again."
SHOWN_CHARACTERS = 300
OLD_NEWS = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery as it lies in the inbox."""

    id: int
    source: Source
    entity: str
    feed: Feed
    body: bytes
    observed_at: datetime


@dataclass(slots=True)
class Reading:
    """What a delivery holds. With `dead` set there is nothing else."""

    delivery_id: int
    sightings: list[Sighting] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    refetch: tuple[Hint, ...] = ()
    suspected: tuple[Hint, ...] = ()
    wholes: list[Whole] = field(default_factory=list)
    observed_at: datetime | None = None
    dead: str | None = None
    note: str | None = None

    @property
    def reason(self) -> str | None:
        """What stands beside the delivery for people to read."""
        if self.suspected:
            told = ", ".join(f"{hint.entity} {hint.key}" for hint in self.suspected)
            return f"Said to be deleted: {told}. Nothing is removed before a sweep has confirmed it."
        told = self.dead or self.note or ""
        return _shown(told) or None


def read_delivery(delivered: Delivered, translator: Translator) -> Reading:
    reading = Reading(delivered.id, observed_at=delivered.observed_at)
    try:
        body = _parsed(delivered.body)
        if delivered.feed is Feed.WEBHOOK:
            if not isinstance(body, Mapping):
                raise Unreadable("The body is not a JSON object.")
            hook = translator.read_hook(body)
        elif isinstance(body, list):
            hook = Hook(records=tuple((delivered.entity, record) for record in body))
        else:
            raise Unreadable("The page is not a JSON array of records.")
        for entity, record in hook.records:
            _read_record(reading, delivered, entity, record, translator)
    except Unreadable as unreadable:
        return Reading(delivered.id, dead=str(unreadable))
    except Exception as error:  # what no reader foresaw is set aside: left READY it would hold up the inbox for ever
        return Reading(delivered.id, dead=f"The delivery could not be read ({type(error).__name__}).")
    reading.refetch, reading.suspected, reading.note = hook.refetch, hook.suspected, hook.note or _late(hook, delivered)
    return reading


def _late(hook: Hook, delivered: Delivered) -> str | None:
    """Old news is taken like any other, since what it hints at is read anew; people should see that it was old."""
    if hook.said_at is None or delivered.observed_at - hook.said_at < OLD_NEWS:
        return None
    return f"It happened at {hook.said_at.isoformat(timespec='seconds')}, more than a day before it was told."


def _parsed(body: bytes) -> Any:
    """orjson refuses a lone surrogate; such a page is read the slow way, so that only the record with it is lost."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        try:
            return json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            where = f"The body is not JSON: {error.msg} at byte {error.pos}."
            raise Unreadable(where) from error


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _read_record(reading: Reading, delivered: Delivered, entity: str, record: Any, translator: Translator) -> None:
    try:
        if not isinstance(record, Mapping):
            raise Poison("", "record", "", "The record is not a JSON object.", FIX)
        for version in translator.translate(entity, record, delivered.observed_at):
            reading.sightings.append(Sighting(version, delivered.feed, delivered.id, delivered.observed_at))
        if delivered.feed is not Feed.WEBHOOK:
            reading.wholes.extend(translator.wholes(entity, record))
    except Unreadable:
        raise
    except Poison as poison:
        reading.faults.append(_fault(delivered.source, entity, record, poison))
    except Exception as error:  # one record that our reading did not foresee must not hold up all others
        what = f"The record could not be read ({type(error).__name__})."
        reading.faults.append(_fault(delivered.source, entity, record, Poison("", "record", "", what, FIX)))


def _fault(source: Source, entity: str, record: Any, poison: Poison) -> Fault:
    return Fault(
        source, entity, poison.key or _mark(record), poison.field, _shown(poison.value), _shown(poison.what), poison.fix
    )


def _shown(text: str) -> str:
    """What a database can keep of a text that somebody sent: no NUL, no lone surrogate, not endless."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\u0000")[:SHOWN_CHARACTERS]


def _mark(record: Any) -> str:
    """The same bad record is listed once, however often it comes."""
    try:
        content = json.dumps(record, sort_keys=True)
    except RecursionError:  # orjson reads deeper than json writes
        return "unplaced-nested-too-deep"
    return f"unplaced-{sha256(content.encode()).hexdigest()[:16]}"
