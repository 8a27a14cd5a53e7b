"""A question that is written in another way has the same answer."""

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from api.graphql.served import CORE
from tests.api.graphql.generated.asking import Document, Place
from tests.api.graphql.generated.campaign import codes, viewer_of
from tests.api.graphql.generated.documents import document
from tests.api.graphql.generated.pool import Pool
from tests.api.graphql.generated.rewrites import REWRITES, rewritten

EXAMPLES = 300
PARTS = 4
FIRST = 2_000_000
LARGER = {"DOCUMENT_TOO_COMPLEX", "COST_EXCEEDED"}  # what a longer text may be refused for


@pytest.mark.parametrize("part", range(PARTS))
async def test_rewrites_keep_the_answer(place: Place, pool: Pool, part: int) -> None:
    tried: Counter[str] = Counter()
    for seed in range(FIRST + part, FIRST + EXAMPLES, PARTS):
        asked, rng = replace(document(CORE, pool, seed), more=()), Random(f"rewrite {seed}")
        who = viewer_of(place, seed)
        said = await place.ask(who, asked, planned=True)
        if not said.executed:
            continue
        words, other = changed(asked, rng)
        again = await place.ask(who, other, planned=True)
        if LARGER & set(codes(again)):
            continue
        tried.update(words)
        assert (again.data, again.errors) == (said.data, said.errors), f"{words}\n{asked.text}\n---\n{other}"
    assert set(tried) == set(REWRITES), "every rewrite was tried"


def changed(asked: Document, rng: Random) -> tuple[list[str], Document]:
    words: list[str] = []
    for _ in range(rng.randint(1, 4)):
        if "extracted" in words or "bound" in words:
            break  # these give their new parts one name each
        found = rewritten(CORE, asked, rng)
        if found is not None:
            words.append(found[0])
            asked = found[1]
    return words, asked
