"""How the tools are read and written, for their administrators and for auditors.

Decides: that figures and states are shown, never addresses of webhooks, bodies of writes, or secrets.
"""

from datetime import datetime

from api.graphql.binding import Node, about, shown, to_one
from api.graphql.scalars import BigInt
from api.graphql.types.organisation import Person
from engine.tool_words import RegistrationState, SweepKind, SweepState, ToolState, WriteBackState
from engine.words import Feed, Source
from schema.tables import feeds, operations

TOOL = "The tool."
ENTITY = "The tool's table or kind."


@shown(feeds.Connection, "A tool and how it stands with us.", key="source")
class SourceSystem:
    source: Source = about(TOOL)
    state: ToolState = about("How it stands with us.")
    why: str | None = about("Why it is not as it should be.")
    since: datetime = about("Since when.")


@shown(operations.Watermark, "How far a feed has read.", key="source", unique=("source", "entity", "feed"))
class FeedPosition:
    source: Source = about(TOOL)
    entity: str = about(ENTITY)
    feed: Feed = about("Which feed.")
    read_to: datetime = about("Everything that changed before this moment of the tool's clock was read.")


@shown(feeds.Sweep, "One comparison of everything that a tool holds with the mirror.")
class Sweep:
    source: Source = about(TOOL)
    entity: str = about(ENTITY)
    kind: SweepKind = about("What was compared.")
    state: SweepState = about("How it ended.")
    started_at: datetime = about("When it began, by the tool's clock.")
    finished_at: datetime = about("When it ended, by our clock.")
    keys: BigInt = about("Records that the tool holds.")
    mirrored: BigInt = about("Records that the mirror held.")
    hinted: BigInt = about("Records to be read again.")
    suspected: BigInt = about("Records that the tool may not have any more.")
    gone: BigInt = about("Records that were found gone.")
    note: str | None = about("What a person should know about it.")


@shown(
    feeds.Suspicion,
    "A record that the tool may not have any more: it is asked for twice before it is gone.",
    key="source_key",
    unique=("source", "entity", "source_key"),
)
class Suspicion:
    source: Source = about(TOOL)
    entity: str = about(ENTITY)
    source_key: str = about("The record's key in the tool.")
    why: str = about("What raised the doubt.")
    first_at: datetime = about("Since when.")
    missed_at: datetime | None = about("When the tool last said that it has no such record.")
    misses: int = about("How often it said so.")


@shown(
    feeds.Registration,
    "A webhook that we have registered at a tool.",
    key="external_id",
    unique=("source", "external_id"),
)
class WebhookRegistration:
    source: Source = about(TOOL)
    external_id: str = about("Its id there.")
    state: RegistrationState = about("Whether it sends.")
    expires_at: datetime | None = about("When it runs out.")
    refreshed_at: datetime = about("When its life was last prolonged.")
    healthy_at: datetime = about("Up to here nothing can have been missed.")
    alarm: str | None = about("What a person should look at.")


@shown(feeds.Call, "Requests to one tool in one hour.", key="source", unique=("source", "purpose", "hour"))
class ToolCalls:
    source: str = about("The tool.")
    purpose: str = about("What they were for.")
    hour: datetime = about("The hour.")
    calls: BigInt = about("How many.")
    limited: BigInt = about("How many were answered with: too many requests.")
    failed: BigInt = about("How many failed.")
    waited_ms: BigInt = about("Milliseconds that they waited for their turn.")


@shown(feeds.FileDrop, "A file that somebody gave us, and what became of its rows.")
class FileDrop(Node):
    source: Source = about("From whom.")
    entity: str = about("What its rows are.")
    name: str = about("The name of the file.")
    sha256: str = about("sha256 of the file, hex.")
    rows: BigInt = about("Rows in it.")
    passed: BigInt = about("Rows that were taken.")
    warned: BigInt = about("Rows that were taken with an issue.")
    rejected: BigInt = about("Rows that were not taken.")
    loaded_at: datetime = about("When it was loaded.")
    loaded_by: Person | None = to_one("Person", "loaded_by", "Who gave it; null where the viewer may not see him.")


@shown(operations.Outbox, "A write into a tool, such as a score on a service.")
class WriteBack(Node):
    target: str = about("The tool.")
    operation: str = about("What is written.")
    record: str = about("On which record of the tool.")
    state: WriteBackState = about("How far it is.")
    attempts: int = about("How often it was tried.")
    reason: str | None = about("Why it is not done.")
    created_at: datetime = about("When it was asked for.")
    next_at: datetime | None = about("It is not tried again before then.")
    done_at: datetime | None = about("When the tool had it.")
