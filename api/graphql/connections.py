"""Pages: one Relay connection for every list without a bound of its own.

Decides: keyset pages over a closed list of orders, forwards (`first`, `after`) or backwards (`last`, `before`). A
cursor is base64url of a JSON list: order, direction, sort values. It is neither secret nor trusted: it is decoded,
typed and bound, and one of another order is refused. Size is mandatory, 1 to 200. `totalCount` is counted only when
it is asked for, up to 10,000. Nothing here depends on rows that the viewer does not see.
"""

import inspect
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

import strawberry
from sqlalchemy import BigInteger, ColumnElement, Integer, Select, SmallInteger, func, select, tuple_
from sqlalchemy.types import TypeDecorator, TypeEngine
from strawberry.types import Info

from api.graphql.arguments import ORDERS, OrderDirection, Ordering, storable
from api.graphql.binding import TYPES, Bound, computed, per_parent
from api.graphql.narrowing import fields_given, wanted
from api.graphql.reading import Reading
from api.graphql.relations import Always, Match, OfRoot, Pages
from api.graphql.scalars import moment_of, moment_text
from engine.refusal import Code, Refused

T = TypeVar("T")
PAGE_MAX = 200
COUNT_MAX = 10_000


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(
        description="Whether more follows. Going backwards: whether `before` was given."
    )
    has_previous_page: bool = strawberry.field(
        description="Whether `after` was given. Going backwards: whether more precedes."
    )
    start_cursor: str | None = strawberry.field(description="Cursor of the first item of this page.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last item of this page; give it as `after`.")


@strawberry.type(description="One item of a page with its place.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Place of this item in the chosen order.")
    node: T = strawberry.field(description="The item.")


@strawberry.type(description="One page of a list that the viewer may see.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The items with their cursors.")
    nodes: list[T] = strawberry.field(description="The items.")
    page_info: PageInfo = strawberry.field(description="Where this page stands.")
    count: strawberry.Private[Callable[[], Any]]

    @computed("How many items the whole list has for the viewer; exact to 10,000, then 10,000.")
    async def total_count(self) -> int:
        return int(await self.count())


@dataclass(frozen=True, slots=True)
class Page:
    """What part of a list is asked for."""

    size: int
    order: str
    columns: tuple[str, ...]
    descending: bool
    backwards: bool
    beyond: str | None  # the cursor to go on from


def connection(
    target: str,
    about: str,
    *,
    filters: type | None = None,
    keys: tuple[str, ...] = (),
    match: Match | None = None,
    always: Always | None = None,
    of_root: OfRoot | None = None,
) -> Any:
    """A paged field: the whole list at the root, or with `match` what belongs to a parent.

    `always` narrows the list whatever the filter says: it gets the names that were given and the columns. `of_root`
    narrows the list by the single parent that it hangs on: it gets that parent and the table.
    """
    ordering = ORDERS[target]

    async def resolve(root: Any, info: Info, **given: Any):  # type: ignore[no-untyped-def]  # the class says the type
        bound, page = TYPES[target], page_of(ordering, TYPES[target], given)
        which = given.get("filter")
        narrow = [each.sql(bound.table.c) for each in wanted(which)] + (
            always(fields_given(which), bound.table.c) if always else []
        )
        narrow += of_root(root, bound.table) if of_root else []
        source = Listing(info.context.reading, bound, narrow, repr(which), keys, match, root)
        return await source.page(page)

    resolve.__signature__ = inspect.Signature(_parameters(ordering, filters))  # type: ignore[attr-defined]
    relation = Pages(target, filters, keys, match, always, of_root)
    return strawberry.field(resolver=resolve, description=about, metadata={"keys": keys, "relation": relation})


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that can be read page by page: of everything, or of what belongs to `root`."""

    reading: Reading
    bound: Bound
    narrow: list[ColumnElement[bool]]
    name: str  # tells this list's filter from others in the same request
    keys: tuple[str, ...] = ()
    match: Match | None = None
    root: Any = None

    async def page(self, page: Page) -> Connection[Any]:
        beyond = decoded(page, self.bound) if page.beyond is not None else None
        columns = [self.bound.table.c[name] for name in page.columns]
        downwards = page.descending != page.backwards

        def narrowed(statement: Select[Any]) -> Select[Any]:
            statement = statement.where(*self.narrow)
            if beyond is not None:
                here, there = tuple_(*columns), tuple_(*beyond)
                statement = statement.where(here < there if downwards else here > there)
            order = [column.desc() if downwards else column.asc() for column in columns]
            return statement.order_by(*order).limit(page.size + 1)

        found = list(await self._read(("page", page), narrowed))
        more, found = len(found) > page.size, found[: page.size]
        if page.backwards:
            found.reverse()
        return self._connection(page, found, more)

    async def _read(self, kind: tuple[Any, ...], narrowed: Callable[[Select[Any]], Select[Any]]) -> Sequence[Any]:
        if self.match is None:
            rows = await self.reading.rows(narrowed(select(*self.bound.columns)))
            return [self.bound.born(row) for row in rows]
        kind = (*kind, self.match, self.name)
        return list(await per_parent(self.reading, kind, self.bound, self.keys, self.match, self.root, narrowed))

    async def count(self) -> int:
        def capped(statement: Select[Any]) -> Select[Any]:
            return statement.where(*self.narrow).limit(COUNT_MAX)

        if self.match is None:
            some = capped(select(self.bound.table.c[self.bound.unique[0]])).subquery()
            return int((await self.reading.rows(select(func.count().label("items")).select_from(some)))[0]["items"])
        kind = ("count", self.match, self.name)
        parents = (self.keys, self.match, self.root)
        return int(await per_parent(self.reading, kind, self.bound, *parents, capped, counted=True))

    def _connection(self, page: Page, found: list[Any], more: bool) -> Connection[Any]:
        edges = [Edge(cursor=encoded(page, item), node=item) for item in found]
        continued = page.beyond is not None
        return Connection(
            edges=edges,
            nodes=found,
            page_info=PageInfo(
                has_next_page=continued if page.backwards else more,
                has_previous_page=more if page.backwards else continued,
                start_cursor=edges[0].cursor if edges else None,
                end_cursor=edges[-1].cursor if edges else None,
            ),
            count=self.count,
        )


def page_of(ordering: Ordering, bound: Bound, given: dict[str, Any]) -> Page:
    """The page that the arguments ask for; refuses a missing or impossible size."""
    first, last = given.get("first"), given.get("last")
    after, before = given.get("after"), given.get("before")
    if (first is None) == (last is None):
        raise _size("Give exactly one of `first` and `last`.")
    if (first is None and after is not None) or (last is None and before is not None):
        raise _size("`after` goes with `first`, `before` with `last`.")
    size = int(given["first" if last is None else "last"])
    if not 1 <= size <= PAGE_MAX:
        raise _size(f"A page has 1 to {PAGE_MAX} items.")
    chosen = given.get("order_by")
    order = str(chosen.field if chosen else ordering.default)
    columns = tuple(dict.fromkeys((*ordering.columns[order], *bound.unique)))
    descending = chosen.direction == OrderDirection.DESC if chosen else ordering.descending
    return Page(size, order, columns, descending, first is None, before if first is None else after)


def _size(fix: str) -> Refused:
    return Refused(Code.PAGE_SIZE_REQUIRED, "The size of the page is missing or cannot be given.", fix, ("first",))


def encoded(page: Page, item: Any) -> str:
    values = [_text(getattr(item, name)) for name in page.columns]
    direction = "DESC" if page.descending else "ASC"
    raw = json.dumps([page.order, direction, *values], ensure_ascii=False, separators=(",", ":"))
    return urlsafe_b64encode(raw.encode()).rstrip(b"=").decode()


def decoded(page: Page, bound: Bound) -> list[Any]:
    """The sort values of a cursor; refuses one that was made for another order."""
    text = page.beyond or ""
    try:
        order, direction, *texts = json.loads(urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)))
        if (order, direction) != (page.order, "DESC" if page.descending else "ASC"):
            raise ValueError
        if len(texts) != len(page.columns) or any(not isinstance(each, str) or not storable(each) for each in texts):
            raise ValueError
        return [_sort_value(bound.table.c[name].type, each) for name, each in zip(page.columns, texts, strict=True)]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        raise Refused(
            Code.INVALID_CURSOR, "The cursor does not belong to this list and order.", "Use one of its own pages."
        ) from None


def _sort_value(column: TypeEngine[Any], text: str) -> Any:
    """A text of a cursor as a value that the column could hold; ValueError or OverflowError for any other."""
    kind: Any = column.impl_instance if isinstance(column, TypeDecorator) else column
    value = _READ[kind.python_type](text)
    if isinstance(value, int):
        most = 2 ** next(bits - 1 for of, bits in BITS if isinstance(kind, of))
        if not -most <= value < most:
            raise OverflowError
    return value


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return moment_text(value)
    return value.isoformat() if isinstance(value, date) else str(value)


# of whole numbers, with their sign; the narrower types first, since they are kinds of Integer
BITS: tuple[tuple[type[TypeEngine[Any]], int], ...] = ((SmallInteger, 16), (BigInteger, 64), (Integer, 32))
_READ: dict[type, Callable[[str], Any]] = {
    str: str,
    int: int,
    UUID: UUID,
    datetime: moment_of,
    date: date.fromisoformat,
}


def _parameters(ordering: Ordering, filters: type | None) -> list[inspect.Parameter]:
    """root, info, and the arguments that every connection has, each with its description."""
    offered: list[tuple[str, Any, str]] = [
        ("first", int, f"How many items from the start of the list, 1 to {PAGE_MAX}."),
        ("after", str, "Go on behind this cursor; with `first`."),
        ("last", int, f"How many items from the end of the list, 1 to {PAGE_MAX}."),
        ("before", str, "Go back from this cursor; with `last`."),
        ("order_by", ordering.input, f"The order; {ordering.said} when left out."),
    ]
    if filters is not None:
        offered.append(("filter", filters, "Which items; all that are visible when left out."))
    arguments = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=strawberry.UNSET,
            annotation=Annotated[kind | None, strawberry.argument(description=said)],
        )
        for name, kind, said in offered
    ]
    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [
        inspect.Parameter("root", plain, annotation=Any),
        inspect.Parameter("info", plain, annotation=Info),
        *arguments,
    ]
