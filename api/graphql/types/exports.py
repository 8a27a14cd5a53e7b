"""A large read as it stands, and the address of its file for whoever asked for it."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

import strawberry

from api import identity
from api.graphql.binding import Node, about, computed, shown, to_one
from api.graphql.context import Asked
from api.graphql.scalars import BigInt
from api.graphql.words import describe
from api.signing.keys import Purpose
from engine.feed_words import BulkState
from schema.tables import exports

PersonType = Annotated["Person", strawberry.lazy("api.graphql.types.organisation")]  # type: ignore[name-defined]  # noqa: F821

describe(
    BulkState,
    "How far a large read has come.",
    {
        "QUEUED": "It waits for a worker.",
        "RUNNING": "It is being read.",
        "READY": "Its file can be fetched.",
        "FAILED": "It ended without a file; `failure` says why.",
        "CANCELLED": "It was called off.",
        "EXPIRED": "Its file was deleted after its time.",
    },
)


def address(root: Any, info: Asked) -> str | None:
    house, viewer = info.context.house, info.context.reading.viewer
    if root.state != BulkState.READY.value or root.person_id != viewer.person_id:
        return None
    more = {"sub": str(root.person_id), "export": str(root.id)}
    token = identity.signed(
        house.signer,
        Purpose.EXPORT,
        "export+jwt",
        identity.EXPORT_AUDIENCE,
        house.clock(),
        identity.EXPORT_SECONDS,
        more,
    )
    return f"{house.settings.public_url}/exports/{root.id}?{urlencode({'token': token})}"


def until(root: Any, info: Asked) -> datetime | None:
    if address(root, info) is None:
        return None
    return info.context.house.clock() + timedelta(seconds=identity.EXPORT_SECONDS)


@shown(exports.Export, "A query that is read to its end into a file. For whoever asked for it, and for auditors.")
class BulkExport(Node):
    state: BulkState = about("How far it has come.")
    rows: BigInt = about("Lines so far.")
    bytes: BigInt = about("Size of the file so far.")
    sha256: str | None = about("sha256 of the whole file, hex; null until it is ready.")
    purpose: str = about("What it was asked for.")
    failure: str | None = about("Why it failed.")
    asked_at: datetime = about("When it was asked for.")
    finished_at: datetime | None = about("When it was done, failed or was called off.")
    file_ends_at: datetime | None = about("When the file is deleted.")
    person: PersonType | None = to_one("Person", "person_id", "Who asked for it.")

    url: str | None = computed(
        "Where its file is fetched, for 15 minutes from now, by whoever asked for it; null for everybody else.",
        "state",
        "person_id",
        "id",
    )(address)
    expires_at: datetime | None = computed("Until when `url` works.", "state", "person_id", "id")(until)
