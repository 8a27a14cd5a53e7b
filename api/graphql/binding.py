"""How a type of the API is bound to its table: plain fields are columns of the same name, relations name their keys.

A type is annotations. `shown` binds it, `about` describes a column, `to_one` and `bounded` follow a key into another
table; paged relations are in connections.py. Every relation reads for all its parents at once, in one statement.
What a viewer may not see is not there: a hidden target is null, as if it did not exist.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from uuid import UUID

import strawberry
from sqlalchemy import ARRAY, Column, RowMapping, Select, Table, bindparam, column, func, select, true
from sqlmodel import SQLModel
from strawberry.types import Info

from api.graphql.arguments import ORDERS
from api.graphql.reading import Reading
from api.graphql.relations import Id, Match, Relation, Some, TheOne, ToOne
from api.ids import global_id, parsed

T = TypeVar("T")
Keys = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """A type and its table. `key` is the column behind the global id; `unique` ends every order."""

    name: str
    cls: type
    table: Table
    key: str
    unique: tuple[str, ...]
    names: tuple[str, ...]

    @property
    def columns(self) -> list[Column[Any]]:
        return [self.table.c[name] for name in self.names]

    def born(self, row: RowMapping) -> Any:
        """The row as an object of the type. Fields are read as attributes; nothing is computed or checked."""
        thing: Any = object.__new__(self.cls)
        thing.__dict__.update({name: row[name] for name in self.names})
        return thing


def computed(description: str, *keys: str, sql: Relation | None = None) -> Callable[[Callable[..., Any]], Any]:
    """A field that a method answers from these columns of its own row; `sql` says the same to the planner."""
    said = {"keys": keys, "relation": sql}
    return lambda method: strawberry.field(resolver=method, description=description, metadata=said)


TYPES: dict[str, Bound] = {}


@strawberry.interface(description="A thing with a global id.")
class Node:
    @computed("Opaque id, the same for ever; `node(id)` finds the thing again.", sql=Id())
    def id(self) -> strawberry.ID:
        bound = TYPES[type(self).__name__]
        return strawberry.ID(global_id(bound.name, getattr(self, bound.key)))


def shown(
    model: type[SQLModel], about: str, *, key: str = "id", unique: tuple[str, ...] = ()
) -> Callable[[type[T]], type[T]]:
    """Make a GraphQL type of the class and bind it to the table of the model."""

    def bind(cls: type[T]) -> type[T]:
        typed = strawberry.type(cls, description=about)
        fields = typed.__strawberry_definition__.fields  # type: ignore[attr-defined]
        table: Table = model.__table__  # type: ignore[attr-defined]
        names = [field.python_name for field in fields if field.base_resolver is None]
        for field in fields:
            names += field.metadata.get("keys", ())
        for columns in ORDERS[cls.__name__].columns.values() if cls.__name__ in ORDERS else ():
            names += columns
        names += unique or (key,)
        TYPES[cls.__name__] = Bound(cls.__name__, typed, table, key, unique or (key,), tuple(dict.fromkeys(names)))
        return typed

    return bind


def about(description: str) -> Any:
    """A field that is the column of its name."""
    return strawberry.field(description=description)


def to_one(target: str, key: str, about: str) -> Any:
    """The thing of type `target` whose id stands in the column `key`."""

    async def resolve(root: Any, info: Info):  # type: ignore[no-untyped-def]  # the class says the type
        return await by_key(info.context.reading, target, getattr(root, key))

    return strawberry.field(
        resolver=resolve, description=about, metadata={"keys": (key,), "relation": ToOne(target, key)}
    )


def bounded(
    target: str,
    keys: tuple[str, ...],
    match: Match,
    order: tuple[str, ...],
    at_most: int,
    about: str,
    *,
    settled: bool = False,
) -> Any:
    """A list with a bound of its own, in a fixed order."""

    async def resolve(root: Any, info: Info, limit: int = at_most):  # type: ignore[no-untyped-def]
        size = max(0, min(limit, at_most))
        return await belonging(info.context.reading, target, keys, match, root, order=order, limit=size)

    said = f"How many at most; never more than {at_most}."
    resolve.__annotations__["limit"] = Annotated[int, strawberry.argument(description=said)]
    relation = Some(target, keys, match, order, at_most, settled)
    return strawberry.field(resolver=resolve, description=about, metadata={"keys": keys, "relation": relation})


def the_one(target: str, keys: tuple[str, ...], match: Match, about: str) -> Any:
    """The single thing that matches; null when there is none."""

    async def resolve(root: Any, info: Info):  # type: ignore[no-untyped-def]
        order = TYPES[target].unique
        found = await belonging(info.context.reading, target, keys, match, root, order=order, limit=1)
        return found[0] if found else None

    relation = TheOne(target, keys, match)
    return strawberry.field(resolver=resolve, description=about, metadata={"keys": keys, "relation": relation})


async def by_key(reading: Reading, target: str, key: UUID | None) -> Any:
    if key is None:
        return None
    bound = TYPES[target]

    async def load(keys: list[UUID]) -> list[Any]:
        column_ = bound.table.c[bound.key]
        wanted = bindparam("keys", keys, ARRAY(column_.type))
        rows = await reading.rows(select(*bound.columns).where(column_ == func.any(wanted)))
        found = {row[bound.key]: bound.born(row) for row in rows}
        return [found.get(each) for each in keys]

    return await reading.load(("key", target), load, key)


async def by_id(reading: Reading, text: str) -> Any:
    """The thing of this global id, of whatever type; null if there is none that the viewer may see."""
    found = parsed(text)
    if found is None or found[0] not in TYPES or not issubclass(TYPES[found[0]].cls, Node):
        return None
    return await by_key(reading, found[0], found[1])


async def belonging(
    reading: Reading, target: str, keys: tuple[str, ...], match: Match, root: Any, *, order: tuple[str, ...], limit: int
) -> list[Any]:
    """The first `limit` things that belong to this parent, read for all parents of the level together."""
    bound = TYPES[target]

    def narrowed(statement: Select[Any]) -> Select[Any]:
        return statement.order_by(*(bound.table.c[name] for name in order)).limit(limit)

    found = await per_parent(reading, ("list", match, limit), bound, keys, match, root, narrowed)
    return list(found)


async def per_parent(
    reading: Reading,
    kind: Hashable,
    bound: Bound,
    keys: tuple[str, ...],
    match: Match,
    root: Any,
    narrowed: Callable[[Select[Any]], Select[Any]],
    *,
    counted: bool = False,
) -> Any:
    """What belongs to this parent, by one statement for all: the parents' keys joined laterally with their page.

    A list of things, or with `counted` how many they are.
    """
    parent = TYPES[type(root).__name__].table
    types = [parent.c[name].type for name in keys]

    async def load(parents: list[Keys]) -> list[Any]:
        lists = [bindparam(f"k{at}", [each[at] for each in parents], ARRAY(type_)) for at, type_ in enumerate(types)]
        shape = [column(f"k{at}", type_) for at, type_ in enumerate(types)]
        wanted = func.unnest(*lists).table_valued(*shape, with_ordinality="no", name="wanted").render_derived()
        page = narrowed(
            select(*bound.columns).where(match(bound.table.c, [wanted.c[each.name] for each in shape]))
        ).lateral("page")
        joined = wanted.join(page, true())
        if counted:
            counts = select(wanted.c.no, func.count().label("items")).select_from(joined).group_by(wanted.c.no)
            found = {row["no"]: row["items"] for row in await reading.rows(counts)}
            return [found.get(no, 0) for no in range(1, len(parents) + 1)]
        lists_of: list[list[Any]] = [[] for _ in parents]
        for row in await reading.rows(select(wanted.c.no, page).select_from(joined).order_by(wanted.c.no)):
            lists_of[row["no"] - 1].append(bound.born(row))
        return lists_of

    return await reading.load((bound.name, kind), load, tuple(getattr(root, name) for name in keys))
