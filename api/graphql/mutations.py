"""Deciding over GraphQL. Each mutation calls one action; an expected no is a userError, and nothing was changed.

The payload is read after the action has committed, under the viewer's own row security.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any, TypeVar
from uuid import UUID

import strawberry
from sqlalchemy.exc import DBAPIError

from api.actions import awards, payouts, repeats
from api.actions.drafts import receiver_called
from api.graphql.binding import by_key, computed
from api.graphql.code_words import ABOUT, CODE_SENTENCES
from api.graphql.context import Asked
from api.graphql.errors import LOCK_NOT_AVAILABLE, sqlstate
from api.graphql.types.money import Award, PayoutBatch
from api.graphql.words import describe
from api.ids import parsed
from engine.refusal import Code, Refused

T = TypeVar("T")

describe(Code, ABOUT, CODE_SENTENCES)


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


KEPT = (
    "A key of the caller's own, 1 to 200 characters, kept for 24 hours: with the same input the act is not done again "
    "and the answer is the same; with another input it is refused."
)


@strawberry.input(description="An approval.")
class ApproveAwardInput:
    idempotency_key: strawberry.ID = strawberry.field(description=KEPT)
    award_id: strawberry.ID = strawberry.field(description="Which award.")
    expected_version: int = strawberry.field(description="Its `version` as it was read.")


@strawberry.input(description="A rejection.")
class RejectAwardInput:
    idempotency_key: strawberry.ID = strawberry.field(description=KEPT)
    award_id: strawberry.ID = strawberry.field(description="Which award.")
    expected_version: int = strawberry.field(description="Its `version` as it was read.")
    reason: str = strawberry.field(description="What is wrong, 20 to 2,000 characters; it is kept in the audit log.")


@strawberry.input(description="The awards that a run proposes.")
class SubmitAwardsInput:
    idempotency_key: strawberry.ID = strawberry.field(description=KEPT)
    run_id: strawberry.ID = strawberry.field(description="Which run.")


@strawberry.input(description="The awards of a cycle that wait.")
class ApproveAwardsInput:
    idempotency_key: strawberry.ID = strawberry.field(description=KEPT)
    cycle_id: strawberry.ID = strawberry.field(description="Which cycle.")


@strawberry.input(description="The next payout file: the approved and unpaid awards of a cycle.")
class ApprovePayoutInput:
    idempotency_key: strawberry.ID = strawberry.field(description=KEPT)
    cycle_id: strawberry.ID = strawberry.field(description="Which cycle.")
    receiver: str = strawberry.field(description="Which payroll, as in `PayoutBatch.receiver`.")


@strawberry.input(description="The payout file that two people approved.")
class ReleasePayoutInput:
    idempotency_key: strawberry.ID = strawberry.field(description=KEPT)
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


HELD = "Somebody else is working on the same thing."


async def tried(info: Asked, given: Any, act: Callable[[], Awaitable[T]], otherwise: T) -> tuple[T, list[UserError]]:
    """What the act answers or answered under this key, and reads after it see what it did; or its refusal."""
    context = info.context
    said = {name: value for name, value in asdict(given).items() if name != "idempotency_key"}
    await context.reading.renew()  # gives its connection back: the act needs some
    call = repeats.Call(type(given).__name__, said, given.idempotency_key)
    try:
        done = await repeats.once(context.house.store, context.reading.viewer, call, context.house.clock(), act)
    except Refused as no:
        return otherwise, [UserError(field=["input", *no.field], code=no.code, message=no.what, fix=no.fix)]
    except DBAPIError as failed:
        if sqlstate(failed) != LOCK_NOT_AVAILABLE:
            raise
        return otherwise, [UserError(field=None, code=Code.TIMEOUT, message=HELD, fix="Try again in a second.")]
    await context.reading.renew()
    return done, []


async def decided(
    info: Asked, given: ApproveAwardInput | RejectAwardInput, decide: Callable[[UUID], Awaitable[None]]
) -> AwardPayload:
    """Run the decision and read the award anew."""

    async def act() -> str | None:
        key = meant("Award", given.award_id)
        await decide(key)
        return str(key)

    key, errors = await tried(info, given, act, None)
    found = await by_key(info.context.reading, "Award", UUID(key)) if key else None
    return AwardPayload(award=found, user_errors=errors)


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

        return await decided(info, input, decide)

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

        return await decided(info, input, decide)

    @computed("HR submits what a run proposes, as it is. What was submitted before is left out.")
    async def submit_awards(
        self, info: Asked, input: Annotated[SubmitAwardsInput, strawberry.argument(description="Which run.")]
    ) -> SubmitAwardsPayload:
        house, viewer = info.context.house, info.context.reading.viewer

        async def act() -> int:
            return await awards.submit(house.store, house.log, viewer, meant("Run", input.run_id), house.clock())

        submitted, errors = await tried(info, input, act, 0)
        return SubmitAwardsPayload(submitted=submitted, user_errors=errors)

    @computed("Finance approves every award of a cycle that waits: they are promised and booked, or none is.")
    async def approve_awards(
        self, info: Asked, input: Annotated[ApproveAwardsInput, strawberry.argument(description="Which cycle.")]
    ) -> ApproveAwardsPayload:
        house, viewer = info.context.house, info.context.reading.viewer

        async def act() -> int:
            cycle_id = meant("Cycle", input.cycle_id)
            return await awards.approve_cycle(house.store, house.log, viewer, cycle_id, house.clock())

        approved, errors = await tried(info, input, act, 0)
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

        approved, errors = await tried(info, input, act, False)
        return ApprovePayoutPayload(approved=approved, user_errors=errors)

    @computed("Finance releases the file that two people approved: it is booked, signed, and payroll may pull it.")
    async def release_payout(
        self,
        info: Asked,
        input: Annotated[ReleasePayoutInput, strawberry.argument(description="Which cycle, for which payroll.")],
    ) -> ReleasePayoutPayload:
        house, viewer = info.context.house, info.context.reading.viewer

        async def act() -> str | None:
            cycle_id, receiver = meant("Cycle", input.cycle_id), receiver_called(input.receiver)
            file_id = await payouts.release(
                house.store, house.log, house.signer, viewer, cycle_id, receiver, house.clock()
            )
            return str(file_id) if file_id else None

        key, errors = await tried(info, input, act, None)
        batch = await by_key(info.context.reading, "PayoutBatch", UUID(key)) if key else None
        return ReleasePayoutPayload(payout_batch=batch, user_errors=errors)
