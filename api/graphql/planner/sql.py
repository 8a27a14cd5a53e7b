"""The statement: PostgreSQL writes every object of the answer as text; a relation is a subquery of its parent's row.

Decides: no joins, so a hidden target never takes its parent away. Whatever may be null is wrapped: one NULL would make
the text around it NULL. A null where the schema promises a value raises GQ001, and the standard execution answers
instead. Order of keys is that of the selection.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from graphql import GraphQLField, GraphQLNonNull, GraphQLObjectType, get_named_type
from graphql.execution.collect_fields import FieldDetailsList
from sqlalchemy import ARRAY, ColumnElement, FromClause, Integer, Uuid, and_, case, column, func, literal_column, select
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import ClauseList
from strawberry.schema import Schema

from api.graphql import relations
from api.graphql.binding import TYPES, Bound, Node
from api.graphql.planner.bind import Read, Reader, Site, Unplannable, parameter
from api.graphql.planner.catalogue import Catalogue, Leaf
from api.graphql.planner.given import given
from api.graphql.planner.select import Chosen, Selection
from api.graphql.writing import literal, quoted, string
from api.ids import parsed

Sql = ColumnElement[Any]
Condition = Callable[[Any], Sql]
RELATIONS_MAX = 24
NULL = literal("null")


def joined(*pieces: str | Sql) -> Sql:
    """The pieces one after the other; texts that meet become one."""
    found: list[str | Sql] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        else:
            found.append(piece)
    clauses = [literal(each) if isinstance(each, str) else each for each in found]
    return clauses[0] if len(clauses) == 1 else _Concatenation(clauses)


def braces(chosen: Chosen, written: Callable[[str, str, FieldDetailsList], str | Sql]) -> Sql:
    """A JSON object: (response key, name of the field, where it stands) -> its value."""
    pieces: list[str | Sql] = []
    for key, details in chosen.items():
        pieces += ["," if pieces else "{", f'"{key}":', written(key, details[0].node.name.value, details)]
    return joined(*(pieces or ["{"]), "}")


class _Concatenation(ClauseList, ColumnElement[Any]):
    """a || b || c, flat: a tree of operators would be as deep as the answer is wide."""

    inherit_cache = True
    type = SqlText()
    _select_iterable = property(lambda self: (self,))  # one column, not as many as it has pieces

    def __init__(self, clauses: list[Sql]) -> None:
        super().__init__(*clauses, operator=operators.concat_op, group=False, group_contents=False)


@dataclass(frozen=True, slots=True)
class Row:
    """The row that fields are read from, and the rows around it that subqueries may speak of. None: no row."""

    source: FromClause | None = None
    around: tuple[FromClause, ...] = ()

    @property
    def table(self) -> FromClause:
        assert self.source is not None  # noqa: S101 - only types with a table have columns
        return self.source

    @property
    def c(self) -> Any:
        return self.table.c

    @property
    def all(self) -> tuple[FromClause, ...]:
        return (*self.around, self.source) if self.source is not None else self.around

    def below(self, source: FromClause) -> "Row":
        return Row(source, self.all)


@dataclass(slots=True)
class Writing:
    """One statement in the making: numbers its aliases and sites as they come, so the same tree gives the same text."""

    schema: Schema
    catalogue: Catalogue
    selection: Selection
    writers: Mapping[type, "Writer"]
    sites: list[Site] = field(default_factory=list)
    fragments: list[Any] = field(default_factory=list)  # parts that may be kept (settled.py)
    aliases: int = 0
    relations: int = 0

    def alias(self, bound: Bound) -> FromClause:
        self.aliases += 1
        return bound.table.alias(f"t{self.aliases}")

    def name(self, prefix: str) -> str:
        self.aliases += 1
        return f"{prefix}{self.aliases}"

    def site(self, asked: "Asked", reader: Reader) -> tuple[int, Read]:
        """Read the arguments now, and remember how, for every later request of this shape."""
        read = reader(self.selection.arguments(asked.field, asked.node))
        how = given(self.schema, asked.field, asked.node, self.selection.variables)
        self.sites.append(Site(reader, how, read.form, None if how else read))
        return len(self.sites) - 1, read

    def relation(self) -> None:
        self.relations += 1
        if self.relations > RELATIONS_MAX:
            raise Unplannable("relations")

    def object(self, kind: str, row: Row, details: FieldDetailsList) -> Sql:
        """An object of this type as JSON text; never NULL."""
        return braces(self.selection.fields(kind, details), lambda key, name, below: self.value(kind, row, below))

    def value(self, kind: str, row: Row, details: FieldDetailsList) -> str | Sql:
        """One field as JSON text; never NULL."""
        node = details[0].node
        name = node.name.value
        if name == "__typename":
            return f'"{kind}"'
        meaning = self.catalogue.get((kind, name))
        if meaning is None:
            raise Unplannable("computed")
        parent = self.selection.core.type_map[kind]
        assert isinstance(parent, GraphQLObjectType)  # noqa: S101 - the document is valid
        asked = Asked(kind, parent.fields[name], details)
        if isinstance(meaning, Leaf):
            written = meaning.form(row.c[meaning.column])
            return written if meaning.certain else self.present(written, f"{kind}.{name}", asked)
        if not isinstance(meaning, relations.Id | relations.Text | relations.Json | relations.Part | relations.Place):
            self.relation()
        return self.present(self.writers[type(meaning)](self, meaning, row, asked), f"{kind}.{name}", asked)

    def present(self, written: Sql, place: str, asked: "Asked") -> Sql:
        required = isinstance(asked.field.type, GraphQLNonNull)
        return func.coalesce(written, func.app.null_violation(literal(place)) if required else NULL)

    def one(
        self, bound: Bound, row: Row, details: FieldDetailsList, condition: Condition, *, first: bool = False
    ) -> Sql:
        """The object that the condition finds, as a subquery; NULL where there is none. `first` of several."""
        target = row.below(self.alias(bound))
        found = select(self.object(bound.name, target, details)).select_from(target.table)
        found = found.where(condition(target.c)).correlate(*row.all)
        if first:
            found = found.order_by(*(target.c[name] for name in bound.unique)).limit(literal_column("1"))
        return found.scalar_subquery()


@dataclass(frozen=True, slots=True)
class Asked:
    """A field of the answer: how it is declared, and where it stands in the document."""

    parent: str
    field: GraphQLField
    details: FieldDetailsList

    @property
    def node(self) -> Any:
        return self.details[0].node

    @property
    def kind(self) -> str:
        return get_named_type(self.field.type).name


def _id(writing: Writing, relation: relations.Id, row: Row, asked: Asked) -> Sql:
    bound = TYPES[asked.parent]
    return quoted(func.app.global_id(literal(bound.name), row.c[bound.key]))


def _text(writing: Writing, relation: relations.Text, row: Row, asked: Asked) -> Sql:
    return string(relation.sql(row.source.c if row.source is not None else None))


def _json(writing: Writing, relation: relations.Json, row: Row, asked: Asked) -> Sql:
    return relation.sql(row.source.c if row.source is not None else None)


def _part(writing: Writing, relation: relations.Part, row: Row, asked: Asked) -> Sql:
    def written(key: str, name: str, details: FieldDetailsList) -> str | Sql:
        return f'"{asked.kind}"' if name == "__typename" else string(relation.fields[name](row.c))

    return braces(writing.selection.fields(asked.kind, asked.details), written)


def _place(writing: Writing, relation: relations.Place, row: Row, asked: Asked) -> Sql:
    return writing.object(asked.kind, Row(), asked.details)


def _to_one(writing: Writing, relation: relations.ToOne, row: Row, asked: Asked) -> Sql:
    bound, key = TYPES[relation.target], row.c[relation.key]
    return writing.one(bound, row, asked.details, lambda c: c[bound.key] == key)


def _the_one(writing: Writing, relation: relations.TheOne, row: Row, asked: Asked) -> Sql:
    bound = TYPES[relation.target]
    keys = [row.c[name] for name in relation.keys]
    return writing.one(bound, row, asked.details, lambda c: relation.match(c, keys), first=True)


def _one_of(writing: Writing, relation: relations.OneOf, row: Row, asked: Asked) -> Sql:
    key = row.c[relation.key]
    branches: list[tuple[Any, Sql]] = []
    for word, kind in relation.kinds.items():
        bound = TYPES[kind]
        condition = _equals(bound, key)
        branches.append((row.c[relation.kind] == literal(word), writing.one(bound, row, asked.details, condition)))
    return case(*branches, else_=None)


def _equals(bound: Bound, key: Sql) -> Condition:
    return lambda c: c[bound.key] == key


def _some(writing: Writing, relation: relations.Some, row: Row, asked: Asked) -> Sql:
    def reader(given: dict[str, Any]) -> Read:
        return Read((), [max(0, min(given.get("limit", relation.at_most), relation.at_most))])

    bound = TYPES[relation.target]
    site, _ = writing.site(asked, reader)
    target = row.below(writing.alias(bound))
    keys = [row.c[name] for name in relation.keys]
    items = (
        select(writing.object(bound.name, target, asked.details).label("j"))
        .select_from(target.table)
        .where(relation.match(target.c, keys))
        .order_by(*(target.c[name] for name in relation.order))
        .limit(parameter(site, 0, Integer))
        .correlate(*row.all)
        .subquery(writing.name("l"))
    )
    # A subquery hands its rows on in its own order; nothing stands between it and the aggregate.
    return select(array(items.c.j)).scalar_subquery()


def array(items: Sql, *, order: Any = None, where: Any = None) -> Sql:
    """These texts as a JSON array."""
    within = func.string_agg(items, literal(",") if order is None else aggregate_order_by(literal(","), order))
    return joined("[", func.coalesce(within if where is None else within.filter(where), literal("")), "]")


def _by_id(writing: Writing, relation: relations.ById, row: Row, asked: Asked) -> Sql:
    def reader(given: dict[str, Any]) -> Read:
        found = _shown(parsed(given[relation.argument]))
        return Read(found[0], [found[1]]) if found else Read(None, [])

    site, read = writing.site(asked, reader)
    if read.form is None:
        return NULL
    bound = TYPES[read.form]
    return writing.one(bound, row, asked.details, _equals(bound, parameter(site, 0, bound.table.c[bound.key].type)))


def _by_ids(writing: Writing, relation: relations.ByIds, row: Row, asked: Asked) -> Sql:
    def reader(given: dict[str, Any]) -> Read:
        if len(given[relation.argument]) > relation.at_most:
            raise Unplannable("arguments")
        found = [_shown(parsed(text)) for text in given[relation.argument]]
        kinds = tuple(sorted({each[0] for each in found if each}))
        return Read(kinds, [[each[0] if each else "" for each in found], [each[1] if each else None for each in found]])

    site, read = writing.site(asked, reader)
    shape = [column("kind", SqlText), column("id", Uuid)]
    lists = [parameter(site, at, ARRAY(each.type)) for at, each in enumerate(shape)]
    ids = func.unnest(*lists).table_valued(*shape, with_ordinality="no", name=writing.name("i")).render_derived()
    around = row.below(ids)
    branches = [
        (ids.c.kind == literal(kind), writing.one(TYPES[kind], around, asked.details, _equals(TYPES[kind], ids.c.id)))
        for kind in read.form
    ]
    written = func.coalesce(case(*branches, else_=None), NULL) if branches else NULL
    return select(array(written, order=ids.c.no)).select_from(ids).correlate(*row.all).scalar_subquery()


def _shown(found: tuple[str, UUID] | None) -> tuple[str, UUID] | None:
    known = found is not None and found[0] in TYPES and issubclass(TYPES[found[0]].cls, Node)
    return found if known else None


def _lookup(writing: Writing, relation: relations.Lookup, row: Row, asked: Asked) -> Sql:
    def reader(given: dict[str, Any]) -> Read:
        found = relation.columns(given["by"])
        return Read(None, []) if found is None else Read(tuple(found), list(found.values()))

    site, read = writing.site(asked, reader)
    if read.form is None:
        return NULL
    bound = TYPES[relation.target]

    def condition(c: Any) -> Sql:
        return and_(*(c[name] == parameter(site, at, c[name].type) for at, name in enumerate(read.form)))

    return writing.one(bound, row, asked.details, condition, first=True)


Writer = Callable[[Writing, Any, Row, Asked], Sql]
WRITERS: Mapping[type, Writer] = {
    relations.Id: _id,
    relations.Text: _text,
    relations.Json: _json,
    relations.Part: _part,
    relations.Place: _place,
    relations.ToOne: _to_one,
    relations.TheOne: _the_one,
    relations.OneOf: _one_of,
    relations.Some: _some,
    relations.ById: _by_id,
    relations.ByIds: _by_ids,
    relations.Lookup: _lookup,
}
