"""Satisfaction surveys as the tools ask them: questions and scales. Who was asked and what he chose is not shown."""

from datetime import datetime
from decimal import Decimal

from api.graphql.binding import Node, about, bounded, shown
from api.graphql.types.organisation import GONE, SOURCE, SOURCE_KEY
from engine.words import Source
from schema.tables import surveys


@shown(surveys.SurveyQuestion, "A question with its scale. For auditors and administrators.")
class SurveyQuestion(Node):
    name: str = about("The name.")
    question: str | None = about("The question, as it is asked.")
    source_type: str | None = about("The tool's word for what an answer may be.")
    weight: Decimal | None = about("Its weight among the questions.")
    lowest: Decimal | None = about("The lowest answer.")
    highest: Decimal | None = about("The highest answer.")
    active: bool | None = about("Whether it is still asked.")
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)


@shown(surveys.Survey, "A questionnaire. For auditors and administrators.")
class Survey(Node):
    name: str = about("The name.")
    source_method: str | None = about("The tool's word that tells a survey from a quiz or an assessment.")
    active: bool | None = about("Whether it is still asked.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    questions: list[SurveyQuestion] = bounded(
        "SurveyQuestion", ("id",), lambda c, keys: c.survey_id == keys[0], ("id",), 100, "Its questions."
    )
