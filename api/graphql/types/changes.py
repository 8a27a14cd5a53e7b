"""What a subscription tells: that something changed, when and why, and the thing as it is by now.

A change is told only to who may read the thing, so the thing is never null; it is read when the change is told, and may
have moved on since.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import strawberry

from api.graphql.binding import by_key, computed
from api.graphql.context import Asked
from api.graphql.types.money import Award, PayoutBatch
from api.graphql.types.scores import Score
from api.graphql.words import describe
from engine.feed_words import ScoreChangeReason
from engine.words import AwardState, PayFileState

describe(
    ScoreChangeReason,
    "Why a score is told: what is new against the run before of the same cycle and plan.",
    {
        "FIRST": "The subject had no score in the run before.",
        "VALUE": "Its value or its status is another one.",
        "EVIDENCE": "The value is the same, but what it rests on is not.",
    },
)


def _cursor() -> Any:
    return strawberry.field(
        description="Place of this change; give it as `after` to go on behind it. The same cursor is the same change."
    )


def _at() -> Any:
    return strawberry.field(description="When it was changed.")


@strawberry.type(description="A newer run found something else about a subject.")
class ScoreChange:
    cursor: str = _cursor()
    occurred_at: datetime = _at()
    reason: ScoreChangeReason = strawberry.field(description="Why it is told.")
    row_id: strawberry.Private[UUID]

    @computed("The newer score.")
    async def score(self, info: Asked) -> Score:
        found: Score = await by_key(info.context.reading, "Score", self.row_id)
        return found


@strawberry.type(description="An award was submitted, or came to another state.")
class AwardChange:
    cursor: str = _cursor()
    occurred_at: datetime = _at()
    state: AwardState = strawberry.field(description="The state that it came to then.")
    row_id: strawberry.Private[UUID]

    @computed("The award as it is by now.")
    async def award(self, info: Asked) -> Award:
        found: Award = await by_key(info.context.reading, "Award", self.row_id)
        return found


@strawberry.type(description="A payout file was made, or came to another state.")
class PayoutBatchChange:
    cursor: str = _cursor()
    occurred_at: datetime = _at()
    state: PayFileState = strawberry.field(description="The state that it came to then.")
    row_id: strawberry.Private[UUID]

    @computed("The payout file as it is by now.")
    async def payout_batch(self, info: Asked) -> PayoutBatch:
        found: PayoutBatch = await by_key(info.context.reading, "PayoutBatch", self.row_id)
        return found
