"""Which version of a record stands: what the tool's API showed last, or a newer one that this reading cannot deny.

Versions are ordered by (version_no, version_at), as numbers and times; of two contents of one version the one that the
API showed later stands, then the larger hash. The highest version stands, unless it is denied: by a reading of the API
that showed the record older, that began later than the version was last shown, and that began so long after the
version's own stamp that it must have committed by then (`COMMITTED_WITHIN`, the overlap of the polls). So a version
that only a webhook spoke of before its transaction was rolled back, or that an instance lost when it was restored,
stands no longer than until the record is read again. Stamps and readings are told by the tool's own clock; when a
webhook came to us decides nothing, and neither does the order of arrival. Where a tool's API reads an index that lags,
as Jira's search, an older answer denies nothing, and the highest version stands.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from connectors.source import Version
from engine.words import Feed, Source
from schema.identity import mirror_id

NEVER = datetime(1, 1, 1, tzinfo=UTC)
COMMITTED_WITHIN: Mapping[Source, timedelta] = {Source.SERVICENOW: timedelta(minutes=10)}
Newest = list[tuple[UUID, Version]]  # each record once


class Sighting(NamedTuple):
    """One version, and the delivery in which it was seen."""

    version: Version
    feed: Feed
    delivery_id: int
    observed_at: datetime
    echo: bool = False  # only says what we ourselves wrote back

    @property
    def read_at(self) -> datetime:
        """When the tool's API showed it. What a webhook brings says nothing about when it was still true."""
        return NEVER if self.feed is Feed.WEBHOOK else self.observed_at


class Order(NamedTuple):
    """What decides between two versions of a record."""

    version_no: int
    version_at: datetime
    read_at: datetime
    digest: bytes

    @property
    def shown(self) -> tuple[datetime, int, datetime, bytes]:
        """What decides which of them the API showed last."""
        return self.read_at, self.version_no, self.version_at, self.digest


Content = tuple[Order, Sighting]


class Staged(NamedTuple):
    """Rows of `seen`, each content of a version once; the best of each record; what has to be written after them."""

    rows: list[tuple[Any, ...]]
    newest: Newest
    later: list[Sighting]


def staged(sightings: Sequence[Sighting]) -> Staged:
    found: dict[UUID, dict[tuple[int, bytes], Content]] = {}
    for sighting in sightings:
        version = sighting.version
        record_id = mirror_id(version.source, version.entity, version.key)
        assert record_id is not None  # noqa: S101 - a version has a key
        digest = sha256(version.payload).digest()
        order = Order(version.version_no, version.version_at, sighting.read_at, digest)
        contents = found.setdefault(record_id, {})  # a record is looked up once: hashing its id is what costs
        place = (0 if version.observed else version.version_no, digest)
        known = contents.get(place)
        if known is None or order > known[0]:
            contents[place] = (order, sighting)
    given = Staged([], [], [])
    for record_id, by_place in found.items():
        contents_of_it: Sequence[Content] = list(by_place.values())
        best, sure = contents_of_it[0], True
        if len(contents_of_it) > 1:
            best, sure = _best(contents_of_it)
        if not sure:
            given.later.extend(one[1] for one in contents_of_it if one is not best)
            contents_of_it = [best]
        shown_at = best[0].read_at if len(contents_of_it) == 1 else max(order.read_at for order, _ in contents_of_it)
        given.newest.append((record_id, best[1].version))
        given.rows.extend([_row(record_id, one, one is best, shown_at) for one in contents_of_it])
    return given


def _best(contents: Sequence[Content]) -> tuple[Content, bool]:
    """Which of them stands if nothing else is known of the record, and whether it does whatever else is known.

    A reading that we know of already may deny the highest of them and not a lower one, if that was stamped later, as
    after a restore. Then they are written one after the other.
    """
    best = max(contents, key=_by_version)
    within = COMMITTED_WITHIN.get(best[1].version.source)
    if within is None:
        return best, True
    last = max(contents, key=lambda one: one[0].shown)[0]
    settled_at = last.read_at - within if last.read_at > NEVER else NEVER
    left = [one for one in contents if one[0][:2] <= last[:2] or one[0].version_at > settled_at]
    best = max(left, key=_by_version)
    return best, all(order.version_at <= best[0].version_at for order, _ in left)


def _by_version(one: Content) -> Order:
    return one[0]


# ---- the same against what stands already

SEEN_COLUMNS = (
    "id", "source", "entity", "source_key", "kind", "version_no", "version_at", "payload", "payload_hash", "feed",
    "delivery_id", "observed_at", "read_at", "shown_at", "newest", "echo", "observed",
)  # fmt: skip


def _row(record_id: UUID, one: Content, newest: bool, shown_at: datetime) -> tuple[Any, ...]:
    (version_no, version_at, read_at, digest), sighting = one
    v, feed, delivery_id, observed_at, echo = sighting
    return (
        record_id, v.source, v.entity, v.key, v.kind, version_no, version_at, v.payload, digest, feed, delivery_id,
        observed_at, read_at, shown_at, newest, echo, v.observed,
    )  # fmt: skip


def _within(source: str) -> str:
    """The time within which a version of this source has committed; null where no reading denies one."""
    cases = " ".join(
        f"when '{each.value}' then interval '{within.total_seconds():.0f} s'"
        for each, within in COMMITTED_WITHIN.items()
    )
    return f"case {source} {cases} end"


# Of `seen`, `shown_at` is when the API last showed the record in whatever version. An absence ends with a reading of
# the API that is later than it; a webhook may be older than the delete it follows. What stood higher than what stands
# now is looked for in the table as it was before the statement.
MOVE_HEADS = text(
    f"""
with moved as (
  insert into mirror.record as here (tenant_id, id, source, entity, source_key, kind, version_no, version_at,
                                     payload_hash, revision_id, read_at, shown_at)
  select (select app.tenant()), s.id, s.source, s.entity, s.source_key, s.kind, s.version_no, s.version_at,
         s.payload_hash,
         (select r.id from mirror.revision r
           where r.tenant_id = (select app.tenant()) and r.record_id = s.id and r.version_no = s.version_no
             and r.payload_hash = s.payload_hash), s.read_at, s.shown_at
    from seen s where s.newest and not s.known order by s.id
  on conflict (tenant_id, id) do update
     set kind = excluded.kind, version_no = excluded.version_no, version_at = excluded.version_at,
         payload_hash = excluded.payload_hash, revision_id = excluded.revision_id, read_at = excluded.read_at,
         shown_at = greatest(here.shown_at, excluded.shown_at),
         gone_at = case when here.gone_at >= excluded.shown_at then here.gone_at end
   where ((excluded.version_no, excluded.version_at) > (here.version_no, here.version_at)
          and not (excluded.shown_at < here.shown_at
                   and coalesce(excluded.version_at <= here.shown_at - {_within("here.source")}, false)))
      or (excluded.version_no = here.version_no and excluded.version_at = here.version_at
          and excluded.payload_hash <> here.payload_hash
          and (excluded.read_at, excluded.payload_hash) > (here.read_at, here.payload_hash))
      or ((excluded.version_no, excluded.version_at) < (here.version_no, here.version_at)
          and excluded.shown_at > here.shown_at
          and here.version_at <= excluded.shown_at - {_within("here.source")})
  returning id, kind, revision_id, gone_at, here.xmax = 0 as fresh,
            here.xmax <> 0 and (select (was.version_no, was.version_at) > (here.version_no, here.version_at)
                                  from mirror.record was where was.tenant_id = here.tenant_id and was.id = here.id)
              as fell)
insert into head select id, kind, revision_id, gone_at, fresh, coalesce(fell, false) from moved
"""  # noqa: S608 - our own text
)
SEEN_AGAIN = text("""
update mirror.record m
   set shown_at = greatest(m.shown_at, s.shown_at), read_at = greatest(m.read_at, s.read_at),
       gone_at = case when m.gone_at >= s.shown_at then m.gone_at end
  from (select s.id, max(s.read_at) as shown_at,
               max(s.read_at) filter (where s.version_no = r.version_no and s.version_at = r.version_at
                                        and s.payload_hash = r.payload_hash) as read_at
          from seen s join mirror.record r on r.tenant_id = (select app.tenant()) and r.id = s.id group by s.id) s
 where m.tenant_id = (select app.tenant()) and m.id = s.id and (m.shown_at < s.shown_at or m.read_at < s.read_at)
""")
