"""Faults that are planted into the planner are found: a net that catches nothing would prove nothing."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from graphql import GraphQLNonNull
from sqlalchemy import exists, func, literal_column, select, tuple_

from api.graphql import relations
from api.graphql.binding import TYPES
from api.graphql.documents import prepared
from api.graphql.planner import pages, plan, sql
from tests.api.graphql.generated.asking import Document, Place
from tests.api.graphql.generated.campaign import Tally, both, compare, different
from tests.api.graphql.generated.pool import Pool
from tests.api.graphql.generated.test_pages import Endless, Listing

FIRST = 4_000_000
ENOUGH = 250  # documents within which each fault is found


class Loose:
    """A row of values that is also below and above its equal."""

    def __init__(self, *values: Any) -> None:
        self.values = tuple_(*values)

    def __lt__(self, other: "Loose") -> Any:
        return self.values <= other.values

    def __gt__(self, other: "Loose") -> Any:
        return self.values >= other.values


def inner_join(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of a list go where the first thing that they point to is hidden or missing."""
    conditions = pages.Listing._conditions

    def joined(listing: pages.Listing, target: sql.Row) -> list[Any]:
        found = conditions(listing, target)
        for (kind, _), meaning in listing.writing.catalogue.items():
            if kind == listing.relation.target and isinstance(meaning, relations.ToOne):
                other = TYPES[meaning.target]
                there = other.table.alias("joined")
                found.append(exists(select(literal_column("1")).select_from(there).where(
                    there.c[other.key] == target.c[meaning.key])).correlate(target.table))  # fmt: skip
                break
        return found

    monkeypatch.setattr(pages.Listing, "_conditions", joined)


def missing_coalesce(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be null is joined to the text as it is."""

    def present(writing: sql.Writing, written: Any, place: str, asked: Any) -> Any:
        required = isinstance(asked.field.type, GraphQLNonNull)
        return func.coalesce(written, func.app.null_violation(sql.literal(place))) if required else written

    monkeypatch.setattr(sql.Writing, "present", present)


def loose_keyset(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page begins with the item that the cursor came from."""
    monkeypatch.setattr(pages, "tuple_", Loose)


def key_without_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan is used again whatever the variables are."""
    monkeypatch.setattr(plan, "shape", lambda schema, operation, variables: ())


FAULTS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    inner_join, missing_coalesce, loose_keyset, key_without_shape,
)  # fmt: skip


@pytest.fixture
def fresh_plans() -> Any:
    """No plan is left from before a fault, or after it."""
    prepared.cache_clear()
    yield
    prepared.cache_clear()


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_a_fault_in_the_planner_is_found(
    place: Place, pool: Pool, monkeypatch: pytest.MonkeyPatch, fresh_plans: None, fault: Any
) -> None:
    async def unshrunk(place: Place, who: str, asked: Document) -> str:
        return asked.text

    monkeypatch.setattr("tests.api.graphql.generated.campaign.told", unshrunk)
    fault(monkeypatch)
    tally = Tally()
    for seed in range(FIRST, FIRST + ENOUGH):
        await compare(place, pool, seed, tally)
        if tally.differences:
            return
    raise AssertionError(f"{ENOUGH} documents did not find it: {tally.lanes}")


async def test_joined_pages_find_a_loose_keyset(
    place: Place, pool: Pool, monkeypatch: pytest.MonkeyPatch, fresh_plans: None
) -> None:
    """Without the other lane: an item that comes twice is seen in the pages themselves."""
    listing = Listing(place, pool, 0)
    listing.who, listing.kind, listing.name, listing.item = "auditor", "Query", "people", "Person"
    listing.order, listing.direction, listing.filter, listing.size = "NAME", "ASC", "", 3
    whole = await listing.ask("first: 200", planned=True)
    assert whole is not None
    everything = [edge["cursor"] for edge in whole["edges"]]
    assert await listing.joined(True, True, len(everything)) == everything
    loose_keyset(monkeypatch)
    prepared.cache_clear()
    with suppress(Endless):
        assert await listing.joined(True, True, len(everything)) != everything


async def test_equal_answers_are_not_called_different(place: Place) -> None:
    answers = await both(place, "auditor", Document("{ people(first: 5) { nodes { name manager { name } } } }"))
    assert not different(*answers)
    assert answers[0].lane == "planned"
