"""Satisfaction surveys as the tool asks them: who was asked what, and on which scale. Answers in words are not kept.

The question is mirrored with the answer, because editing a question changes answers that are already stored; which
question an answer belonged to is found in the revisions.
"""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Index

from schema.tables.columns import maybe_instant, shown
from schema.tables.revisions import SCHEMA, Mirrored


class Survey(Mirrored, table=True):
    """A questionnaire. `source_method` tells a survey from a quiz or an assessment."""

    __tablename__ = "survey"
    __table_args__ = (SCHEMA,)
    name: str
    source_method: str | None = None
    active: bool | None = None


class SurveyCategory(Mirrored, table=True):
    __tablename__ = "survey_category"
    __table_args__ = (SCHEMA,)
    name: str
    survey_id: UUID | None = None
    position: int | None = None


class SurveyQuestion(Mirrored, table=True):
    """A question with its scale; `source_type` is the tool's word for what an answer may be."""

    __tablename__ = "survey_question"
    __table_args__ = (SCHEMA,)
    name: str
    question: str | None = None
    survey_id: UUID | None = None
    category_id: UUID | None = None
    source_type: str | None = None
    weight: Decimal | None = shown()
    lowest: Decimal | None = shown()
    highest: Decimal | None = shown()
    active: bool | None = None


class SurveyOption(Mirrored, table=True):
    """One answer that may be chosen, and what it counts."""

    __tablename__ = "survey_option"
    __table_args__ = (SCHEMA,)
    question_id: UUID | None = None
    value: Decimal | None = shown()
    label: str | None = None


class SurveyInstance(Mirrored, table=True):
    """One questionnaire for one person about one task."""

    __tablename__ = "survey_instance"
    __table_args__ = (Index("survey_instance_task", "tenant_id", "task_id"), SCHEMA)
    survey_id: UUID | None = None
    person_id: UUID | None = None
    task_id: UUID | None = None
    source_state: str | None = None
    due_on: date | None = None
    taken_at: datetime | None = maybe_instant()


class SurveyAnswer(Mirrored, table=True):
    __tablename__ = "survey_answer"
    __table_args__ = (Index("survey_answer_instance", "tenant_id", "instance_id"), SCHEMA)
    instance_id: UUID | None = None
    question_id: UUID | None = None
    value: Decimal | None = shown()
