"""What the caller may still ask: his bucket of query points (api/graphql/bucket.py)."""

import strawberry

from api.graphql.context import Asked


@strawberry.type(description="The caller's budget of query points. `extensions.cost` of every answer says the same.")
class QueryBudget:
    maximum_available: int = strawberry.field(description="Points that a full budget holds.")
    currently_available: int = strawberry.field(description="Points that are left, after this operation was paid.")
    restore_rate: int = strawberry.field(description="Points that come back in a second.")


def of_caller(info: Asked) -> QueryBudget:
    standing = info.context.purse.standing()
    return QueryBudget(
        maximum_available=standing.maximum_available,
        currently_available=standing.currently_available,
        restore_rate=standing.restore_rate,
    )
