"""Deciding over GraphQL. Each mutation calls one action; an expected no is a userError, and nothing was changed.

The payload is read after the action has committed, under the viewer's own row security.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

import strawberry

from api.actions import awards
from api.graphql.binding import by_key, computed
from api.graphql.context import Asked, Context
from api.graphql.types.money import Award
from api.graphql.words import describe
from api.ids import parsed
from engine.refusal import Code, Refused

describe(Code, "Why something was refused. Clients handle codes that they do not know.", {})


@strawberry.type(description="An expected no: nothing was changed.")
class UserError:
    field: list[str] | None = strawberry.field(description="Which part of the input; null for the whole.")
    code: Code = strawberry.field(description="Why.")
    message: str = strawberry.field(description="What is wrong.")
    fix: str | None = strawberry.field(description="The next step.")


@strawberry.type(description="What became of an award.")
class AwardPayload:
    award: Award | None = strawberry.field(description="The award after the decision; null when it was refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was done.")


@strawberry.input(description="An approval.")
class ApproveAwardInput:
    award_id: strawberry.ID = strawberry.field(description="Which award.")
    expected_version: int = strawberry.field(description="Its `version` as it was read.")


@strawberry.input(description="A rejection.")
class RejectAwardInput:
    award_id: strawberry.ID = strawberry.field(description="Which award.")
    expected_version: int = strawberry.field(description="Its `version` as it was read.")
    reason: str = strawberry.field(description="What is wrong, 20 to 2,000 characters; it is kept in the audit log.")


REASON_MAX = 2000


async def decided(context: Context, award_id: str, decide: Callable[[UUID], Awaitable[None]]) -> AwardPayload:
    """Run the decision and read the award anew; a refusal becomes a userError."""
    found = parsed(award_id)
    try:
        if found is None or found[0] != "Award":
            raise Refused(Code.NOT_FOUND, "There is no such award.", "Read the list of awards again.", ("awardId",))
        await decide(found[1])
    except Refused as no:
        error = UserError(field=["input", *no.field], code=no.code, message=no.what, fix=no.fix)
        return AwardPayload(award=None, user_errors=[error])
    await context.reading.renew()
    return AwardPayload(award=await by_key(context.reading, "Award", found[1]), user_errors=[])


@strawberry.type(description="Everything that can be decided here.")
class Mutation:
    @computed("Finance approves an award that waits: it is promised and booked.")
    async def approve_award(
        self,
        info: Asked,
        input: Annotated[ApproveAwardInput, strawberry.argument(description="Which award, in which version.")],
    ) -> AwardPayload:
        house, viewer = info.context.house, info.context.reading.viewer

        async def decide(key: UUID) -> None:
            await awards.approve(house.store, house.log, viewer, key, input.expected_version, house.clock())

        return await decided(info.context, input.award_id, decide)

    @computed("Finance sends an award back. Nothing was booked, so nothing is taken back.")
    async def reject_award(
        self,
        info: Asked,
        input: Annotated[RejectAwardInput, strawberry.argument(description="Which award, and why.")],
    ) -> AwardPayload:
        house, viewer = info.context.house, info.context.reading.viewer

        async def decide(key: UUID) -> None:
            if len(input.reason) > REASON_MAX or "\0" in input.reason:
                raise Refused(
                    Code.BAD_INPUT, "The reason cannot be kept.", "Write up to 2,000 characters.", ("reason",)
                )
            version = input.expected_version
            await awards.reject(house.store, house.log, viewer, key, version, input.reason, house.clock())

        return await decided(info.context, input.award_id, decide)
