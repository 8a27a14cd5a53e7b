"""Parts of answers that are written once: what stands below a score of a closed cycle never changes.

Decides: what may be kept: a list that its declaration calls settled (rows that nobody can change, seen by exactly those
who see the score), asked for by a registered document, with nothing in it but values of its own rows and no variable.
A kept part is found by its score and by the hash of the SQL that would make it, so a schema, a document or a planner
that writes it differently never finds an old one. What was not kept is made as ever.
"""

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from graphql import FragmentDefinitionNode, print_ast
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from api.graphql import relations
from api.graphql.binding import TYPES
from api.graphql.planner.bind import Unplannable, recipe, values
from api.graphql.planner.catalogue import Leaf
from api.graphql.planner.sql import WRITERS, Asked, Row, Sql, Writing
from api.graphql.writing import literal
from schema.tables import scores

STORED: Any = scores.StoredJson.__table__  # type: ignore[attr-defined]
DIALECT = dialect()  # type: ignore[no-untyped-call]
SPREAD = re.compile(r"\.\.\.\s*([A-Za-z_][A-Za-z0-9_]*)")
OWN = (Leaf, relations.Id, relations.Text, relations.Json, relations.Part)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part that may be kept. `sql` gives (id of the score, text) for the scores in its last parameter."""

    hash: str
    sql: str
    parameters: tuple[Any, ...]


def some(writing: Writing, relation: relations.Some, row: Row, asked: Asked) -> Sql:
    """The list as it was kept, otherwise as it is made."""
    made = WRITERS[relations.Some](writing, relation, row, asked)
    if not (relation.settled and _own_rows(writing, relation, asked) and _fixed(writing, asked)):
        return made
    fragment = _fragment(writing, relation, asked)
    writing.fragments.append(fragment)
    kept = STORED.alias(writing.name("k"))
    found = select(kept.c.body).where(kept.c.score_id == row.c.id, kept.c.fragment_hash == literal(fragment.hash))
    return func.coalesce(found.correlate(*row.all).scalar_subquery(), made)


def _own_rows(writing: Writing, relation: relations.Some, asked: Asked) -> bool:
    chosen = writing.selection.fields(relation.target, asked.details)
    names = (details[0].node.name.value for details in chosen.values())
    return all(
        name == "__typename" or isinstance(writing.catalogue.get((relation.target, name)), OWN) for name in names
    )


def _fixed(writing: Writing, asked: Asked) -> bool:
    """Whether no variable stands in it, also not in a fragment that it spreads."""
    fragments = {
        each.name.value: each
        for each in writing.selection.document.definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    texts, seen = [print_ast(details.node) for details in asked.details], set[str]()
    while texts:
        text = texts.pop()
        if "$" in text:
            return False
        for name in set(SPREAD.findall(text)) & fragments.keys() - seen:
            seen.add(name)
            texts.append(print_ast(fragments[name]))
    return True


def _fragment(writing: Writing, relation: relations.Some, asked: Asked) -> Fragment:
    alone = Writing(writing.schema, writing.catalogue, writing.selection, WRITERS)
    source = TYPES[asked.parent].table.alias("t0")
    body = WRITERS[relations.Some](alone, relation, Row(source), asked)
    made = select(source.c.id, body.label("body")).compile(dialect=DIALECT)
    recipes = [recipe(name, made.params) for name in made.positiontup or ()]
    given = values(alone.sites, recipes, writing.selection.variables)
    if not all(isinstance(each, int | str) for each in given):
        raise Unplannable("defect")
    sql = f"{made} where t0.id = any(${len(given) + 1}::uuid[])"
    return Fragment(sha256(f"{sql} {given!r}".encode()).hexdigest(), sql, given)
