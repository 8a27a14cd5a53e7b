"""One thing by a key of its own, as people know it: a reference, a number, the tool's key.

Decides: which keys a thing has. Exactly one is given. Where two tools use the same number, the first by id is meant.
Hidden and missing are null.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import strawberry
from sqlalchemy import select
from strawberry.types import Info

from api.graphql.arguments import stored
from api.graphql.binding import TYPES, by_key
from api.graphql.relations import Lookup
from api.ids import parsed

GLOBAL = "The global id."
IN_THE_TOOL = "Tool and key there, such as `servicenow:6816f79cc0a8016401c5a33be04be441`."


def key(about: str) -> Any:
    return strawberry.field(default=strawberry.UNSET, description=about)


@strawberry.input(one_of=True, description="One award.")
class AwardBy:
    id: strawberry.ID | None = key(GLOBAL)
    award_ref: str | None = key("Its reference, as on the payout file.")


@strawberry.input(one_of=True, description="One record with a number.")
class RecordBy:
    id: strawberry.ID | None = key(GLOBAL)
    number: str | None = key("The number in the tool.")
    source_key: str | None = key(IN_THE_TOOL)


@strawberry.input(one_of=True, description="One service.")
class ServiceBy:
    id: strawberry.ID | None = key(GLOBAL)
    name: str | None = key("The name, as the tool has it.")
    source_key: str | None = key(IN_THE_TOOL)


def columns_of(target: str) -> Callable[[Any], Mapping[str, Any] | None]:
    """What the columns of the target must be for the key that was given."""

    def columns(by: Any) -> Mapping[str, Any] | None:
        name, value = next((name, value) for name, value in vars(by).items() if isinstance(value, str))
        if name == "id":
            found = parsed(value)
            return {"id": found[1]} if found and found[0] == target else None
        if name == "source_key":
            source, _, there = stored(value).partition(":")
            return {"source": source, "source_key": there}
        return {name: stored(value)}

    return columns


def one(target: str, by: type, about: str) -> Any:
    """The thing of type `target` that the argument `by` names."""
    columns = columns_of(target)

    async def resolve(root: Any, info: Info, by: Any):  # type: ignore[no-untyped-def]  # the class says the type
        wanted, bound = columns(by), TYPES[target]
        if wanted is None:
            return None
        same = [bound.table.c[name] == value for name, value in wanted.items()]
        first = select(bound.table.c.id).where(*same).order_by(bound.table.c.id).limit(1)
        rows = await info.context.reading.rows(first)
        return await by_key(info.context.reading, target, rows[0]["id"]) if rows else None

    resolve.__annotations__["by"] = Annotated[by, strawberry.argument(description="Which one.")]
    return strawberry.field(
        resolver=resolve, description=about, metadata={"keys": (), "relation": Lookup(target, columns)}
    )
