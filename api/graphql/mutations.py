"""Deciding over GraphQL. Each mutation calls one action; an expected no is a userError, and nothing was changed.

The payload is read after the action has committed, under the viewer's own row security.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar
from uuid import UUID

import strawberry

from api.actions import awards, payouts
from api.actions.drafts import receiver_called
from api.graphql.binding import by_key, computed
from api.graphql.context import Asked, Context
from api.graphql.types.money import Award, PayoutBatch
from api.graphql.words import describe
from api.ids import parsed
from engine.refusal import Code, Refused

T = TypeVar("T")

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


@strawberry.type(description="What became of the awards that a run proposes.")
class SubmitAwardsPayload:
    submitted: int = strawberry.field(description="New awards. 0 when all were submitted before, or it was refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was done.")


@strawberry.type(description="What became of the awards of a cycle that waited.")
class ApproveAwardsPayload:
    approved: int = strawberry.field(description="Awards approved. 0 when none waited, or it was refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was done.")


@strawberry.type(description="What became of the approval of a payout.")
class ApprovePayoutPayload:
    approved: bool = strawberry.field(
        description="False when there is nothing to pay, when the viewer approved this file before, or on a refusal."
    )
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was done.")


@strawberry.type(description="What became of the release of a payout.")
class ReleasePayoutPayload:
    payout_batch: PayoutBatch | None = strawberry.field(
        description="The signed file as payroll may pull it now; null when there is nothing to pay, or on a refusal."
    )
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


@strawberry.input(description="The awards that a run proposes.")
class SubmitAwardsInput:
    run_id: strawberry.ID = strawberry.field(description="Which run.")


@strawberry.input(description="The awards of a cycle that wait.")
class ApproveAwardsInput:
    cycle_id: strawberry.ID = strawberry.field(description="Which cycle.")


@strawberry.input(description="The next payout file: the approved and unpaid awards of a cycle.")
class ApprovePayoutInput:
    cycle_id: strawberry.ID = strawberry.field(description="Which cycle.")
    receiver: str = strawberry.field(description="Which payroll, as in `PayoutBatch.receiver`.")


@strawberry.input(description="The payout file that two people approved.")
class ReleasePayoutInput:
    cycle_id: strawberry.ID = strawberry.field(description="Which cycle.")
    receiver: str = strawberry.field(description="Which payroll, as in `PayoutBatch.receiver`.")


REASON_MAX = 2000


def meant(kind: str, id_: str) -> UUID:
    """The key behind an id of this kind. The field of the input is called after the kind."""
    found = parsed(id_)
    if found is None or found[0] != kind:
        word = kind.lower()
        raise Refused(Code.NOT_FOUND, f"There is no such {word}.", f"Read the list of {word}s again.", (f"{word}Id",))
    return found[1]


async def tried(context: Context, act: Awaitable[T], otherwise: T) -> tuple[T, list[UserError]]:
    """What the act answers, and reads after it see what it did; or the refusal as a userError."""
    try:
        done = await act
    except Refused as no:
        return otherwise, [UserError(field=["input", *no.field], code=no.code, message=no.what, fix=no.fix)]
    await context.reading.renew()
    return done, []


async def decided(context: Context, award_id: str, decide: Callable[[UUID], Awaitable[None]]) -> AwardPayload:
    """Run the decision and read the award anew."""

    async def act() -> UUID | None:
        key = meant("Award", award_id)
        await decide(key)
        return key

    key, errors = await tried(context, act(), None)
    return AwardPayload(award=await by_key(context.reading, "Award", key) if key else None, user_errors=errors)


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

    @computed("HR submits what a run proposes, as it is. What was submitted before is left out.")
    async def submit_awards(
        self, info: Asked, input: Annotated[SubmitAwardsInput, strawberry.argument(description="Which run.")]
    ) -> SubmitAwardsPayload:
        house, viewer = info.context.house, info.context.reading.viewer

        async def act() -> int:
            return await awards.submit(house.store, house.log, viewer, meant("Run", input.run_id), house.clock())

        submitted, errors = await tried(info.context, act(), 0)
        return SubmitAwardsPayload(submitted=submitted, user_errors=errors)

    @computed("Finance approves every award of a cycle that waits: they are promised and booked, or none is.")
    async def approve_awards(
        self, info: Asked, input: Annotated[ApproveAwardsInput, strawberry.argument(description="Which cycle.")]
    ) -> ApproveAwardsPayload:
        house, viewer = info.context.house, info.context.reading.viewer

        async def act() -> int:
            cycle_id = meant("Cycle", input.cycle_id)
            return await awards.approve_cycle(house.store, house.log, viewer, cycle_id, house.clock())

        approved, errors = await tried(info.context, act(), 0)
        return ApproveAwardsPayload(approved=approved, user_errors=errors)

    @computed("One of two people of finance approves the next payout file, byte for byte.")
    async def approve_payout(
        self,
        info: Asked,
        input: Annotated[ApprovePayoutInput, strawberry.argument(description="Which cycle, for which payroll.")],
    ) -> ApprovePayoutPayload:
        house, viewer = info.context.house, info.context.reading.viewer

        async def act() -> bool:
            cycle_id, receiver = meant("Cycle", input.cycle_id), receiver_called(input.receiver)
            environment = house.signer.environment
            return await payouts.approve(house.store, house.log, viewer, cycle_id, receiver, environment, house.clock())

        approved, errors = await tried(info.context, act(), False)
        return ApprovePayoutPayload(approved=approved, user_errors=errors)

    @computed("Finance releases the file that two people approved: it is booked, signed, and payroll may pull it.")
    async def release_payout(
        self,
        info: Asked,
        input: Annotated[ReleasePayoutInput, strawberry.argument(description="Which cycle, for which payroll.")],
    ) -> ReleasePayoutPayload:
        house, viewer = info.context.house, info.context.reading.viewer

        async def act() -> UUID | None:
            cycle_id, receiver = meant("Cycle", input.cycle_id), receiver_called(input.receiver)
            return await payouts.release(
                house.store, house.log, house.signer, viewer, cycle_id, receiver, house.clock()
            )

        key, errors = await tried(info.context, act(), None)
        batch = await by_key(info.context.reading, "PayoutBatch", key) if key else None
        return ReleasePayoutPayload(payout_batch=batch, user_errors=errors)
