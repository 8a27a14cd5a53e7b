"""Trying a data contract on a sample before anybody relies on it: what would become of each record.

Source: raw records, either put together again from what the mirror keeps or just read from the tool. Pure but for the
statement that fetches the sample. Counts rows as PASS, WARN or REJECT, the values that the contract does not know, and
the columns of ours that stay empty in the whole sample. Nothing is written.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors.replay import Restore
from connectors.rules import Rule, Verdict, check
from connectors.source import Page, Poison, Translator, Unreadable, Version
from engine.words import IssueCode, MirrorKind, Source
from schema.typed import columns_of

SAMPLE_RECORDS = 200
MOST_LISTED = 50
NEWEST = text("""
select s.entity, s.source_key, s.version_at, p.body
  from (select distinct entity from mirror.record where source = :source) e
  cross join lateral (
    select r.entity, r.source_key, r.version_at, r.revision_id from mirror.record r
     where r.source = :source and r.entity = e.entity and r.gone_at is null
     order by r.version_at desc, r.id limit :count) s
  join mirror.revision v on v.tenant_id = (select app.tenant()) and v.id = s.revision_id
  join mirror.payload p on p.tenant_id = v.tenant_id and p.month = v.month and p.revision_id = v.id
 order by s.entity, s.version_at desc
""")


@dataclass(frozen=True, slots=True)
class Sample:
    """One raw record of an entity, and when it was read or last changed. `key` is empty for a whole page's record."""

    entity: str
    key: str
    record: Mapping[str, Any]
    at: datetime
    within: str = ""  # the entity that a put-together record belongs to, where a page holds several


@dataclass(slots=True)
class Tried:
    """What became of the sample of one entity."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    codes: Counter[IssueCode] = field(default_factory=Counter)
    unmapped: Counter[tuple[str, str]] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    filled: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)

    def report(self) -> dict[str, Any]:
        """As it is kept beside the document, and shown."""
        return {
            "rows": sum(self.verdicts.values()),
            **{verdict.value: self.verdicts[verdict] for verdict in Verdict},
            "issues": {code.value: count for code, count in sorted(self.codes.items())},
            "unmapped": [
                {"field": name, "value": value, "count": count}
                for (name, value), count in self.unmapped.most_common(MOST_LISTED)
            ],
            "never_filled": sorted(self.known - self.filled),
            "unreadable": dict(self.unreadable.most_common(MOST_LISTED)),
        }


async def newest(
    connection: AsyncConnection, source: Source, restore: Restore, count: int = SAMPLE_RECORDS
) -> list[Sample]:
    """The newest standing records of every entity of a source, as the tool once gave them."""
    rows = (await connection.execute(NEWEST, {"source": source, "count": count})).all()
    found = []
    for row in rows:
        entity, record = restore(row.entity, orjson.loads(row.body))
        found.append(Sample(entity, row.source_key, record, row.version_at, row.entity))
    return found


def of_pages(pages: Iterable[Page], count: int = SAMPLE_RECORDS) -> Iterator[Sample]:
    """Up to `count` records of each entity that these pages hold."""
    taken: Counter[str] = Counter()
    for page in pages:
        for record in orjson.loads(page.body):
            if taken[page.entity] < count:
                taken[page.entity] += 1
                yield Sample(page.entity, "", record, page.observed_at)


def try_out(
    samples: Iterable[Sample], translator: Translator, rules: Mapping[MirrorKind, tuple[Rule, ...]]
) -> dict[str, Any]:
    """What the contract makes of the sample, by entity."""
    tried: dict[str, Tried] = defaultdict(Tried)
    for sample in samples:
        name = sample.within or sample.entity
        try:
            versions = list(translator.translate(sample.entity, sample.record, sample.at))
        except Poison as poison:
            tried[name].verdicts[Verdict.REJECT] += 1
            tried[name].unreadable[f"{poison.field}: {poison.what}"] += 1
        except (Unreadable, LookupError, TypeError, ValueError) as error:
            tried[name].verdicts[Verdict.REJECT] += 1
            tried[name].unreadable[str(error) if isinstance(error, Unreadable) else type(error).__name__] += 1
        else:
            for version in versions:
                if not sample.key or (version.entity, version.key) == (sample.within, sample.key):
                    _count(tried[version.entity], version, rules)
    return {entity: tried[entity].report() for entity in sorted(tried)}


def _count(tried: Tried, version: Version, rules: Mapping[MirrorKind, tuple[Rule, ...]]) -> None:
    checked = check(rules, version)
    tried.verdicts[checked.verdict] += 1
    tried.known |= set(columns_of(version.kind)) & set(version.values)
    tried.filled |= {name for name, value in checked.version.values.items() if value not in (None, "")}
    for issue in checked.version.issues:
        tried.codes[issue.code] += 1
        if issue.code is IssueCode.UNMAPPED_SOURCE_VALUE:
            tried.unmapped[issue.field, issue.value] += 1
