"""Both lanes of execution answer every generated document the same; and the documents reach the whole schema."""

import pytest

from api.graphql.served import CORE
from tests.api.graphql.generated.asking import Place
from tests.api.graphql.generated.campaign import Tally, compare
from tests.api.graphql.generated.coverage import reachable, reached, shown_words
from tests.api.graphql.generated.documents import document
from tests.api.graphql.generated.pool import Pool

EXAMPLES = 300
PARTS = 6
FIRST = 1_000_000  # away from the seeds of the campaign
ENOUGH = 9000  # documents that reach everything


@pytest.mark.parametrize("part", range(PARTS))
async def test_both_lanes_answer_the_same(place: Place, pool: Pool, part: int) -> None:
    size, tally = EXAMPLES // PARTS, Tally()
    for seed in range(FIRST + part * size, FIRST + (part + 1) * size):
        await compare(place, pool, seed, tally)
    assert not tally.differences, "\n\n".join(tally.differences)
    assert tally.lanes["planned"] >= size // 3, f"too few were planned to prove something: {tally.lanes}"


def test_documents_reach_every_field_argument_and_word(pool: Pool) -> None:
    missing = reachable(CORE)
    for seed in range(ENOUGH):
        missing -= reached(CORE, document(CORE, pool, seed))
        if not missing:
            break
    assert missing == set()


def test_the_organisation_shows_every_word(place: Place) -> None:
    """A word that no row holds is a branch that no answer takes."""
    assert shown_words(place, CORE) == {}
