"""What arguments can name: ids that exist, are hidden, foreign or broken, words that rows hold, cursors of pages."""

import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

from graphql import GraphQLSchema, get_named_type, is_object_type, is_required_argument

from api.graphql.binding import TYPES
from api.graphql.ordering import ORDERS
from api.ids import global_id
from schema.tables import audit, mirror, money, scores
from tests.api.graphql.generated.asking import Document, Place
from tests.api.graphql.generated.organisation import OTHER_TENANT, Organisation
from tests.api.graphql.generated.values import TEXTS, fresh

SEERS = ("auditor", "lead")  # whose pages give cursors: of all rows, and of some
Order = tuple[str, str, str]  # type of the items, name of the order, direction

# words that a filter of this name can find
COLUMNS: Mapping[str, tuple[Any, str]] = {
    "metric": (scores.KpiValue, "metric"),
    "component": (scores.KpiValue, "component"),
    "receiver": (money.File, "receiver"),
    "entity": (mirror.DataIssue, "entity"),
    "action": (audit.Entry, "ty"),
    "objectId": (audit.Entry, "object_id"),
    "email": (mirror.Person, "email"),
}


@dataclass
class Pool:
    ids: dict[str, list[str]]
    foreign: list[str]
    words: dict[str, list[str]]
    cursors: dict[Order, list[str]] = field(default_factory=dict)

    def id(self, rng: Random, *kinds: str) -> str:
        """Mostly the id of something of these kinds; of anything without kinds."""
        chance = rng.random()
        if chance < 0.9:
            there = [kind for kind in kinds or self.ids if self.ids.get(kind)]
            return rng.choice(self.ids[rng.choice(there)]) if there else "x"
        if chance < 0.94:
            return rng.choice(self.foreign)
        kind = rng.choice(kinds or list(self.ids))
        if chance < 0.98:
            return global_id(kind, fresh(rng))
        return rng.choice(BROKEN)(kind, fresh(rng), rng)

    def word(self, rng: Random, name: str) -> str:
        if name == "state":
            return rng.choice(["OPEN", "RESOLVED", "open"])
        if name in self.words and rng.random() < 0.85:
            return rng.choice(self.words[name])
        return rng.choice([*TEXTS, "x" * 201, "nul \0"])

    def cursor(self, rng: Random, order: Order) -> str:
        chance = rng.random()
        if chance < 0.85 and self.cursors.get(order):
            return rng.choice(self.cursors[order])
        if chance < 0.88:
            return rng.choice(rng.choice([some for some in self.cursors.values() if some]))
        if chance < 0.97:
            return forged(rng, order, self.cursors.get(order, ()))
        return rng.choice(["", "x", "W10", "bm90IGpzb24", "====", "\N{GRINNING FACE}", "A" * 5000, "WzFd\n"])


def forged(rng: Random, order: Order, real: Sequence[str] = ()) -> str:
    """A cursor of this order that no page has given: a real one with another value in it, or made up altogether."""
    if not real or rng.random() < 0.2:
        return _cursor([order[1], order[2], *(rng.choice(ODD) for _ in range(rng.randint(0, 4)))])
    text = rng.choice(real)
    values = _values(text)
    values[rng.randrange(2, len(values)) if rng.random() < 0.9 else 0] = rng.choice(ODD)
    return _cursor(values)


def _values(cursor: str) -> list[Any]:
    found: list[Any] = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return found


def _cursor(value: Any) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


ODD: tuple[Any, ...] = (
    "ana", "", "nul \0", "half \ud800", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+14:00", "2026-W01-1",
    "2026-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999-12:00", "2026-02-30", "1", "-1",
    " 7 ", "1_000", "\u0661", "70000", "3000000000", "-3000000000", "9" * 30, str(2**63), str(2**63 - 1),
    "12345678-1234-1234-1234-123456789abc", "PERSON",
    "{12345678-1234-1234-1234-123456789ABC}", "urn:uuid:12345678123412341234123456789abc", 1, None, True, [], {}, 1.5,
)  # fmt: skip

BROKEN: tuple[Any, ...] = (
    lambda kind, key, rng: "",
    lambda kind, key, rng: rng.choice(TEXTS),
    lambda kind, key, rng: f"{kind}:{key}",
    lambda kind, key, rng: b64encode(f"{kind}:{key}".upper().encode()).decode(),
    lambda kind, key, rng: b64encode(f"{kind}:{key.hex}".encode()).decode(),
    lambda kind, key, rng: b64encode(f"{kind}:{{{key}}}".encode()).decode(),
    lambda kind, key, rng: b64encode(f"{kind}:".encode()).decode(),
    lambda kind, key, rng: b64encode(f"{kind}:{key} ".encode()).decode(),
    lambda kind, key, rng: b64encode(f"Viewer:{key}".encode()).decode(),
    lambda kind, key, rng: b64encode(f"DataIssue:{key}".encode()).decode(),
    lambda kind, key, rng: global_id(kind, key).rstrip("="),
    lambda kind, key, rng: global_id(kind, key) + "\n",
)


def pool(made: Organisation) -> Pool:
    ids: dict[str, list[str]] = {}
    foreign: list[str] = []
    for name, bound in TYPES.items():
        mine = {row[bound.key] for row in made.here(bound.table) if isinstance(row.get(bound.key), UUID)}
        theirs = {
            row[bound.key] for row in made.here(bound.table, OTHER_TENANT) if isinstance(row.get(bound.key), UUID)
        }
        ids[name] = [global_id(name, key) for key in sorted(mine)]
        foreign += [global_id(name, key) for key in sorted(theirs)]
    words = {
        name: sorted({row[column] for row in made.here(table) if row[column] is not None})
        for name, (table, column) in COLUMNS.items()
    }
    words["sourceKey"] = sorted({f"{row['source']}:{row['source_key']}" for row in made.here(mirror.Person)})
    return Pool({kind: some for kind, some in ids.items() if some}, foreign, words)


def way_to(schema: GraphQLSchema, kind: str) -> str:
    """The shortest question for a list of this kind, with a place for its arguments."""
    waiting: list[tuple[Any, str]] = [(schema.query_type, "%s")]
    seen = set()
    while waiting:
        parent, text = waiting.pop(0)
        for name, field_ in getattr(parent, "fields", {}).items():
            target = get_named_type(field_.type)
            if target.name == f"{kind}Connection":
                return text % f"{name}%s"
            if target.name in seen or any(is_required_argument(each) for each in field_.args.values()):
                continue
            seen.add(target.name)
            if target.name.endswith("Connection"):
                waiting.append(
                    (get_named_type(target.fields["nodes"].type), text % f"{name}(first: 20) {{ nodes {{ %s }} }}")
                )
            elif is_object_type(target):
                waiting.append((target, text % f"{name} {{ %s }}"))
    return ""


async def with_cursors(place: Place, schema: GraphQLSchema) -> Pool:
    """The pool with cursors of real pages: of every list, in every order and direction."""
    found = pool(place.made)
    for kind, ordering in ORDERS.items():
        way = way_to(schema, kind)
        for order in ordering.columns if way else ():
            asked = f"(first: 60, orderBy: {{field: {order}, direction: ASC}}) {{ edges {{ cursor }} }}"
            cursors: list[str] = []
            for who in SEERS:
                said = await place.ask(who, Document("{ " + way % asked + " }"), planned=False)
                cursors += _cursors(said.value)
            found.cursors[kind, order, "ASC"] = cursors
            found.cursors[kind, order, "DESC"] = [
                _cursor(["DESC" if at == 1 else v for at, v in enumerate(_values(c))]) for c in cursors
            ]
    return found


def _cursors(value: Any) -> list[str]:
    if isinstance(value, list):
        return [cursor for each in value for cursor in _cursors(each)]
    if isinstance(value, dict):
        return [value["cursor"]] if "cursor" in value else _cursors(list(value.values()))
    return []
