"""Pages joined are the list, forwards and backwards, in the asked order, whoever looks and whatever the filter."""

import json
from base64 import urlsafe_b64decode
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

import pytest
from graphql import get_named_type, is_required_argument

from api.graphql.binding import TYPES
from api.graphql.ordering import ORDERS
from api.graphql.served import CORE
from tests.api.graphql.generated.asking import Document, Place
from tests.api.graphql.generated.inputs import Inputs
from tests.api.graphql.generated.pool import Pool

EXAMPLES = 300
PARTS = 4
PAGES_MAX = 40
SEERS = ("auditor", "boss", "lead", "hr_lead", "itsm", "finance", "staff1")


def lists() -> list[tuple[str, str]]:
    """(type, field) of every paged list that one question reaches: at the root, and on things with an id."""
    found = []
    for kind in CORE.type_map.values():
        if kind.name in ("Query", "Viewer") or (kind.name in TYPES and "id" in getattr(kind, "fields", {})):
            for name, field in kind.fields.items():  # type: ignore[attr-defined]
                if "after" in field.args and not any(is_required_argument(each) for each in field.args.values()):
                    found.append((kind.name, name))
    return found


LISTS = lists()


class Endless(AssertionError):
    """The pages of a list do not end."""


class Listing:
    """A list of one parent, with a filter and an order: asked page by page, or whole."""

    def __init__(self, place: Place, pool: Pool, seed: int) -> None:
        rng = Random(f"pages {seed}")
        self.place, self.who = place, rng.choice(SEERS)
        self.kind, self.name = LISTS[seed % len(LISTS)] if rng.random() < 0.7 else rng.choice(LISTS)
        field = CORE.type_map[self.kind].fields[self.name]  # type: ignore[attr-defined]
        self.item = get_named_type(field.type).name.removesuffix("Connection")
        self.order = rng.choice(list(ORDERS[self.item].columns))
        self.direction = rng.choice(["ASC", "DESC"])
        self.size = rng.choice([1, 2, 3, 5, 7])
        inputs = Inputs(rng, pool, wrong=0)
        self.filter = ""
        if "filter" in field.args and rng.random() < 0.4:
            tree = inputs.value(field.args["filter"].type, name="filter")
            self.filter = ", filter: " + inputs.literal(tree, constant=True)
        self.parent = pool.id(rng, self.kind) if self.kind in TYPES else ""

    async def ask(self, arguments: str, *, planned: bool) -> dict[str, Any] | None:
        order = f"orderBy: {{field: {self.order}, direction: {self.direction}}}"
        asked = f"""{self.name}({arguments}, {order}{self.filter}) {{
            totalCount edges {{ cursor }} nodes {{ __typename }}
            pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} }}"""
        around = {
            "Query": f"{{ {asked} }}",
            "Viewer": f"{{ viewer {{ {asked} }} }}",
        }.get(self.kind, f"query ($id: ID!) {{ node(id: $id) {{ ... on {self.kind} {{ {asked} }} }} }}")
        said = await self.place.ask(self.who, Document(around, {"id": self.parent}), planned=planned)
        if said.errors:
            assert '"BAD_INPUT"' in said.errors[0] or '"INPUT_TOO_LARGE"' in said.errors[0], (around, said)
            return None
        value = said.value if self.kind == "Query" else said.value["viewer" if self.kind == "Viewer" else "node"]
        return value[self.name] if value else None

    async def joined(self, forwards: bool, planned: bool, most: int) -> list[str]:
        """All pages in turn. Their places say what came before and what follows."""
        found: list[str] = []
        word, beyond, more, continued = (
            ("first", "after", "hasNextPage", "hasPreviousPage")
            if forwards
            else ("last", "before", "hasPreviousPage", "hasNextPage")
        )
        arguments = f"{word}: {self.size}"
        for _ in range(most // self.size + 2):
            page = await self.ask(arguments, planned=planned)
            assert page is not None
            cursors, info = [edge["cursor"] for edge in page["edges"]], page["pageInfo"]
            assert len(page["nodes"]) == len(cursors) <= self.size
            assert (info["startCursor"], info["endCursor"]) == ((cursors[0], cursors[-1]) if cursors else (None, None))
            assert info[continued] == (beyond in arguments)
            found = found + cursors if forwards else cursors + found
            if not info[more]:
                return found
            arguments = f'{word}: {self.size}, {beyond}: "{cursors[-1 if forwards else 0]}"'
        raise Endless(f"{self.kind}.{self.name}")


def sort_key(item: str, order: str, cursor: str) -> list[Any]:
    """The values of a cursor, comparable: numbers and moments as such, ids as they sort, texts by code point."""
    texts = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[2:]
    names = dict.fromkeys((*ORDERS[item].columns[order], *TYPES[item].unique))
    read: dict[type, Any] = {int: int, UUID: UUID, datetime: datetime.fromisoformat}
    columns = [TYPES[item].table.c[name].type for name in names]
    kinds = [getattr(each, "impl_instance", each).python_type for each in columns]
    return [read.get(kind, str)(text) for kind, text in zip(kinds, texts, strict=True)]


@pytest.mark.parametrize("part", range(PARTS))
async def test_pages_join_to_the_list(place: Place, pool: Pool, part: int) -> None:
    long = 0
    for seed in range(part, EXAMPLES, PARTS):
        listing = Listing(place, pool, seed)
        planned = seed % 5 != 0
        whole = await listing.ask("first: 200", planned=planned)
        if whole is None:
            continue
        everything = [edge["cursor"] for edge in whole["edges"]]
        assert whole["totalCount"] == len(everything), (listing.kind, listing.name)
        assert len(set(everything)) == len(everything)
        keys = [sort_key(listing.item, listing.order, each) for each in everything]
        assert keys == sorted(keys, reverse=listing.direction == "DESC"), (listing.kind, listing.name, listing.order)
        if len(everything) // listing.size > PAGES_MAX:
            listing.size = 50
        if len(everything) > 1:
            long += 1
            for forwards in (True, False):
                assert await listing.joined(forwards, planned, len(everything)) == everything, vars(listing)
    assert long >= EXAMPLES // PARTS // 8, "too few lists were long enough to prove something"
