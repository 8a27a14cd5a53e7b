"""Paged lists as SQL: keyset pages by the rules of connections.py, and one item more to see whether more follows.

Decides: what of a page is computed at all. Items and cursors are written in the order of the index and cut to size;
`totalCount` is a count of its own under the same conditions. Nothing here depends on rows that the viewer does not see.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql.execution.collect_fields import FieldDetailsList
from sqlalchemy import Date, DateTime, Integer, case, cast, func, literal_column, select, true, tuple_
from sqlalchemy import Text as SqlText
from sqlalchemy.dialects.postgresql import aggregate_order_by

from api.graphql import relations
from api.graphql.arguments import ORDERS
from api.graphql.binding import TYPES
from api.graphql.connections import COUNT_MAX, Page, decoded, page_of
from api.graphql.narrowing import Condition, fields_given, wanted
from api.graphql.planner.bind import Read, Unplannable, parameter
from api.graphql.planner.sql import Asked, Row, Sql, Writing, array, braces, joined
from api.graphql.writing import literal, moment, quoted, string

# Columns of ours beside those of response keys, which begin with a letter or _
CURSOR, NUMBER = "0cursor", "0number"


@dataclass(frozen=True, slots=True)
class Wish:
    """What the arguments of a list mean."""

    page: Page
    beyond: bool
    conditions: tuple[Condition, ...]
    given: frozenset[str]


def reader_of(relation: relations.Pages) -> Any:
    bound = TYPES[relation.target]

    def reader(given: dict[str, Any]) -> Read:
        page = page_of(ORDERS[relation.target], bound, given)
        beyond = decoded(page, bound) if page.beyond is not None else []
        which = given.get("filter")
        conditions = tuple(wanted(which))
        form = (
            page.order,
            page.descending,
            page.backwards,
            page.beyond is None,
            tuple((each.column, each.word) for each in conditions),
        )
        values = [page.size, *beyond, *(each.value for each in conditions)]
        return Read(form, values, Wish(page, page.beyond is not None, conditions, fields_given(which)))

    return reader


def pages(writing: Writing, relation: relations.Pages, row: Row, asked: Asked) -> Sql:
    """One page of a list as JSON text; never NULL."""
    site, read = writing.site(asked, reader_of(relation))
    listing = Listing(writing, relation, row, site, read.about)
    return listing.written(asked)


@dataclass(frozen=True, slots=True)
class Listing:
    writing: Writing
    relation: relations.Pages
    row: Row
    site: int
    wish: Wish

    def written(self, asked: Asked) -> Sql:
        chosen = self.writing.selection.fields(asked.kind, asked.details)
        names = {key: details[0].node.name.value for key, details in chosen.items()}
        columns: dict[str, Sql] = {}
        target = self.row.below(self.writing.alias(TYPES[self.relation.target]))
        for key, details in chosen.items():
            if names[key] == "nodes":
                columns[key] = self.writing.object(self.relation.target, target, details)
            elif names[key] == "edges":
                columns[key] = self._edge(asked.kind, target, details)
        continued = "pageInfo" in names.values()
        if continued:
            columns[CURSOR] = self._cursor(target.c)
        source = self._page(target, columns, continued=continued) if columns else None
        fields: dict[str, Callable[[str, FieldDetailsList], str | Sql]] = {
            "__typename": lambda key, details: f'"{asked.kind}"',
            "totalCount": lambda key, details: self._count(),
            "pageInfo": lambda key, details: self._page_info(source, details),
            "nodes": lambda key, details: self._items(source, key),
            "edges": lambda key, details: self._items(source, key),
        }
        written = braces(chosen, lambda key, name, details: fields[name](key, details))
        if source is None:
            return written
        # HAVING makes it one row also where nothing of the page is counted or joined: `pageInfo { __typename }`.
        return select(written).select_from(source).having(true()).scalar_subquery()

    def _conditions(self, target: Row) -> list[Sql]:
        found: list[Sql] = []
        if self.relation.match is not None:
            found.append(self.relation.match(target.c, [self.row.c[name] for name in self.relation.keys]))
        after = 1 + (len(self.wish.page.columns) if self.wish.beyond else 0)
        for at, each in enumerate(self.wish.conditions):
            found.append(each.sql(target.c, parameter(self.site, after + at, each.kind(target.c))))
        if self.relation.always is not None:
            found += self.relation.always(self.wish.given, target.c)
        if self.relation.of_root is not None:
            if self.row.source is not None:
                raise Unplannable("computed")
            found += self.relation.of_root(None, target.table)  # type: ignore[arg-type]
        return found

    def _page(self, target: Row, columns: Mapping[str, Sql], *, continued: bool) -> Any:
        """The rows of the page, and one more where it must be said how it goes on. Numbered where that is used."""
        page = self.wish.page
        keys = [target.c[name] for name in page.columns]
        downwards = page.descending != page.backwards
        size = self._size() + literal_column("1") if continued else self._size()
        rows = (
            select(*(written.label(name) for name, written in columns.items()))
            .select_from(target.table)
            .where(*self._conditions(target))
            .order_by(*(key.desc() if downwards else key.asc() for key in keys))
            .limit(size)
            .correlate(*self.row.all)
        )
        if self.wish.beyond:
            beyond = [parameter(self.site, 1 + at, key.type) for at, key in enumerate(keys)]
            here, there = tuple_(*keys), tuple_(*beyond)
            rows = rows.where(here < there if downwards else here > there)
        inner = rows.subquery(self.writing.name("p"))
        if not continued and not page.backwards:
            return inner
        number = func.row_number().over().label(NUMBER)
        return select(*inner.c, number).subquery(self.writing.name("e"))

    def _size(self) -> Sql:
        return parameter(self.site, 0, Integer)

    def _items(self, source: Any, key: str) -> Sql:
        """Unnumbered rows are taken in the order in which they come, as `_some` does."""
        items = source.c[key]
        if NUMBER not in source.c:
            return array(items)
        order = source.c[NUMBER].desc() if self.wish.page.backwards else source.c[NUMBER]
        return array(items, order=order, where=source.c[NUMBER] <= self._size())

    def _edge(self, connection: str, target: Row, details: FieldDetailsList) -> Sql:
        kind = connection.removesuffix("Connection") + "Edge"
        fields: dict[str, Callable[[FieldDetailsList], str | Sql]] = {
            "__typename": lambda below: f'"{kind}"',
            "cursor": lambda below: quoted(self._cursor(target.c)),
            "node": lambda below: self.writing.object(self.relation.target, target, below),
        }
        return braces(self.writing.selection.fields(kind, details), lambda key, name, below: fields[name](below))

    def _cursor(self, c: Any) -> Sql:
        page = self.wish.page
        pieces: list[str | Sql] = [f'["{page.order}","{"DESC" if page.descending else "ASC"}"']
        for name in page.columns:
            pieces += [",", _cursor_text(c[name])]
        return func.app.cursor(joined(*pieces, "]"))

    def _page_info(self, source: Any, details: FieldDetailsList) -> Sql:
        backwards, beyond = self.wish.page.backwards, self.wish.beyond
        more = case((func.count() > self._size(), literal("true")), else_=literal("false"))
        continued = literal("true" if beyond else "false")
        fields: dict[str, str | Sql] = {
            "__typename": '"PageInfo"',
            "hasNextPage": continued if backwards else more,
            "hasPreviousPage": more if backwards else continued,
            "startCursor": self._end(source) if backwards else self._start(source),
            "endCursor": self._start(source) if backwards else self._end(source),
        }
        return braces(self.writing.selection.fields("PageInfo", details), lambda key, name, below: fields[name])

    def _start(self, source: Any) -> Sql:
        """Cursor of the first row that was read."""
        found = func.max(source.c[CURSOR]).filter(source.c[NUMBER] == literal_column("1"))
        return func.coalesce(quoted(found), literal("null"))

    def _end(self, source: Any) -> Sql:
        """Cursor of the last row within the size."""
        number = source.c[NUMBER]
        cursors = func.array_agg(aggregate_order_by(source.c[CURSOR], number.desc())).filter(number <= self._size())
        return func.coalesce(quoted(func.app.first_of(cursors)), literal("null"))

    def _count(self) -> Sql:
        target = self.row.below(self.writing.alias(TYPES[self.relation.target]))
        some = (
            select(literal_column("1").label("one"))
            .select_from(target.table)
            .where(*self._conditions(target))
            .limit(literal_column(str(COUNT_MAX)))
            .correlate(*self.row.all)
            .subquery(self.writing.name("n"))
        )
        return cast(select(func.count()).select_from(some).scalar_subquery(), SqlText)


def _cursor_text(column: Sql) -> Sql:
    """The sort value as connections.py writes it into a cursor, as a JSON string."""
    kind = getattr(column.type, "impl_instance", column.type)
    if isinstance(kind, DateTime):
        return quoted(moment(column))
    return quoted(cast(column, SqlText)) if isinstance(kind, Date | Integer) else string(column)
