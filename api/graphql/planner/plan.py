"""Plans: the statement of an operation and where its parameters come from. No data, no identity and no value is in one.

Decides: one statement for all root fields, each a column of it; all or nothing: what cannot be planned goes to the
standard execution whole. Plans are kept with their document, one for each shape of the variables, at most 64;
of documents that are not registered, the 500 that were used last.
"""

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode
from graphql.execution.values import VariableValues
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.exc import ArgumentError
from strawberry.schema import Schema

from api.graphql import relations
from api.graphql.planner.bind import Recipe, Site, Unplannable, recipe, values
from api.graphql.planner.catalogue import Catalogue, catalogue
from api.graphql.planner.pages import pages
from api.graphql.planner.select import Selection, shape
from api.graphql.planner.settled import Fragment, some
from api.graphql.planner.sql import WRITERS, Row, Writer, Writing
from api.graphql.writing import literal
from engine.refusal import Refused

SHAPES_MAX = 64
AD_HOC_MAX = 500
_log = logging.getLogger("evenhand.graphql")
DIALECT = dialect()  # type: ignore[no-untyped-call]
# Beside its own parameters a statement takes those of the viewer. A select list is worked out when there is a row, so
# nothing is read before the viewer is told; were it, nobody would be there to see a row.
ENTERED = "{statement} FROM app.enter(${tenant}, ${person}, ${request}) AS known WHERE known"


@dataclass(frozen=True, slots=True)
class Plan:
    """`keys` are the response keys of the root fields, quoted and with their colon.

    The statement answers one text for each key, as bytes; no row where nobody knows the viewer. Its last parameters are
    the viewer's.
    """

    keys: tuple[bytes, ...]
    sql: str
    recipes: tuple[Recipe, ...]
    sites: tuple[Site, ...]
    fragments: tuple[Fragment, ...] = ()


Plans = dict[tuple[Any, ...], Plan | Unplannable]


@dataclass(frozen=True)
class Planner:
    """Plans operations of one schema. `kept`: where plans stand and under which key, the next to be forgotten first."""

    schema: Schema
    kept: OrderedDict[tuple[int, Any], Plans] = field(default_factory=OrderedDict)

    @cached_property
    def catalogue(self) -> Catalogue:
        return catalogue(self.schema._schema)

    def plan(
        self,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: VariableValues,
        known: Plans,
        *,
        registered: bool = False,
    ) -> tuple[Plan, tuple[Any, ...]]:
        """The plan for these variables and its parameters. `known` keeps the plans of this document.

        Settled parts of a `registered` document are looked for where they are kept.

        Raises Unplannable where the standard execution must answer, also for arguments that it will refuse.
        """
        name = operation.name.value if operation.name else None
        key = (name, *shape(self.schema._schema, operation, variables))
        found = known.get(key)
        try:
            if found is None:
                found = self._written(Selection(self.schema, document, operation, variables), registered)
                if registered or len(known) < SHAPES_MAX:
                    known[key] = found
            if not registered and key in known:
                self._keep(known, key)
            if isinstance(found, Unplannable):
                raise found
            return found, values(found.sites, found.recipes, variables)
        except (GraphQLError, Refused):
            raise Unplannable("arguments") from None

    def _keep(self, known: Plans, key: Any) -> None:
        """Of texts that anybody may send, only the plans that were used last are kept."""
        self.kept[id(known), key] = known
        self.kept.move_to_end((id(known), key))
        if len(self.kept) > AD_HOC_MAX:
            (_, oldest), where = self.kept.popitem(last=False)
            where.pop(oldest, None)

    def _written(self, selection: Selection, registered: bool) -> Plan | Unplannable:
        writers: dict[type, Writer] = {**WRITERS, relations.Pages: pages}
        if registered:
            writers[relations.Some] = some
        writing = Writing(self.schema, self.catalogue, selection, writers)
        try:
            roots = selection.roots()
            columns = [
                func.convert_to(_column(writing, details), literal("UTF8")).label(f"r{at}")
                for at, details in enumerate(roots.values())
            ]
        except Unplannable as no:
            return no
        except (ArgumentError, AssertionError, AttributeError, KeyError, TypeError) as wrong:
            _log.error("defect in planning: %s", type(wrong).__name__, exc_info=wrong)  # names of the schema, no values
            return Unplannable("defect")
        return compiled(tuple(roots), columns, writing)


def _column(writing: Writing, details: Any) -> Any:
    written = writing.value("Query", Row(), details)
    return literal(written) if isinstance(written, str) else written


def compiled(keys: tuple[str, ...], columns: Sequence[Any], writing: Writing) -> Plan:
    made = select(*columns).compile(dialect=DIALECT)
    recipes = tuple(recipe(name, made.params) for name in made.positiontup or ())
    own = len(recipes)
    sql = ENTERED.format(statement=made, tenant=own + 1, person=own + 2, request=own + 3)
    names = tuple(f'"{key}":'.encode() for key in keys)
    return Plan(names, sql, recipes, tuple(writing.sites), tuple(writing.fragments))
