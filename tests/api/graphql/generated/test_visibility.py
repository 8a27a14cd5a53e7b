"""What somebody reads holds no row that the written rules do not show him, and the lists hold all that they do."""

import pytest

from api.graphql.binding import TYPES
from api.graphql.relations import Pages
from api.graphql.served import CORE
from tests.api.graphql.generated.asking import Document, Place
from tests.api.graphql.generated.campaign import viewer_of
from tests.api.graphql.generated.documents import document
from tests.api.graphql.generated.pool import Pool
from tests.api.graphql.generated.visibility import SEES, Marks, Sight, foreign_rows

EXAMPLES = 300
PARTS = 3
FIRST = 3_000_000
MARKS = Marks(CORE)
STRANGERS = ("leaver", "gone", "locked", "unsure", "unknown", "nobody")


def test_every_table_has_a_rule() -> None:
    assert {f"{bound.table.schema}.{bound.table.name}" for bound in TYPES.values()} - set(SEES) == set()


@pytest.mark.parametrize("part", range(PARTS))
async def test_an_answer_holds_no_foreign_row(place: Place, pool: Pool, part: int) -> None:
    looked = 0
    for seed in range(FIRST + part, FIRST + EXAMPLES, PARTS):
        asked = document(CORE, pool, seed)
        who = viewer_of(place, seed)
        marked = Document(MARKS.added(asked.text), asked.variables, asked.operation, seed)
        said = await place.ask(who, marked, planned=seed % 2 == 0)
        foreign, number = foreign_rows(MARKS, Sight(place.made, who), said.value)
        assert foreign == [], f"{who} reads {foreign}\n{marked.text}\n{marked.variables}"
        looked += number
    assert looked >= EXAMPLES // PARTS // 3, "too few rows were read to prove something"


async def test_the_lists_are_what_the_rules_show(place: Place) -> None:
    """No row less, either; and who may not enter gets nothing at all."""
    for who in place.made.viewers:
        sight = Sight(place.made, who)
        said = {}
        roots = {name: relation_of(name) for name in CORE.query_type.fields}  # type: ignore[union-attr]
        names = [name for name, relation in roots.items() if relation is not None]
        for at in range(0, len(names), 19):
            some = " ".join(f"{name}(first: 1) {{ totalCount }}" for name in names[at : at + 19])
            answer = await place.ask(who, Document(f"{{ {some} }}"), planned=at == 0)
            assert answer.executed == sight.member
            said |= answer.value or {}
        if not sight.member:
            assert who in STRANGERS
            continue
        newest = sight.newest()
        for name in names:
            relation = roots[name]
            assert relation is not None
            rows = sight.seen(TYPES[relation.target].table)
            if relation.always is not None:
                rows = [row for row in rows if row["run_id"] in newest]
            assert said[name]["totalCount"] == len(rows), (who, name)


def relation_of(name: str) -> Pages | None:
    field = CORE.query_type.fields[name]  # type: ignore[union-attr]
    found = field.extensions["strawberry-definition"].metadata.get("relation")
    return found if isinstance(found, Pages) else None
