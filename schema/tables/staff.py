"""People and money around the tickets: accounts and groups of the identity provider, employment, budgets, payroll.

An account says whether somebody may enter; the person in the mirror says who he is. `person_id` joins them by e-mail
address or employee number, and stays unknown where that is not clear. Amounts are minor units of the currency beside.
"""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Index

from schema.tables.columns import big, shown
from schema.tables.revisions import SCHEMA, Mirrored


class Account(Mirrored, table=True):
    """A login as the identity provider keeps it. User name and address stand in lower case, to be compared."""

    __tablename__ = "account"
    __table_args__ = (
        Index("account_person", "tenant_id", "person_id"),
        Index("account_email", "tenant_id", "email"),
        Index("account_number", "tenant_id", "employee_number"),
        Index("account_user_name", "tenant_id", "user_name"),
        Index("account_external", "tenant_id", "external_id"),
        SCHEMA,
    )
    user_name: str
    external_id: str | None = None
    name: str | None = None
    email: str | None = None
    employee_number: str | None = None
    active: bool | None = None
    person_id: UUID | None = None


class AccountGroup(Mirrored, table=True):
    """A group of accounts; who is in it stands in its revision."""

    __tablename__ = "account_group"
    __table_args__ = (Index("account_group_external", "tenant_id", "external_id"), SCHEMA)
    name: str
    external_id: str | None = None


class Employment(Mirrored, table=True):
    """One stretch of employment. `ends_on` is the first day without it."""

    __tablename__ = "employment"
    __table_args__ = (Index("employment_person", "tenant_id", "person_id"), SCHEMA)
    employee_number: str | None = None
    person_id: UUID | None = None
    legal_entity: str | None = None
    cost_center: str | None = None
    job: str | None = None
    grade: str | None = None
    full_time_share: Decimal | None = shown()
    starts_on: date | None = None
    ends_on: date | None = None


class Budget(Mirrored, table=True):
    """What a unit may spend on incentives in a period."""

    __tablename__ = "budget"
    __table_args__ = (SCHEMA,)
    name: str
    unit: str | None = None
    period_starts_on: date | None = None
    period_ends_on: date | None = None
    currency: str | None = None
    amount_minor: int | None = big(None)


class PayrollResult(Mirrored, table=True):
    """What payroll says it has paid for one of our lines."""

    __tablename__ = "payroll_result"
    __table_args__ = (Index("payroll_result_line", "tenant_id", "line_ref"), SCHEMA)
    employee_number: str | None = None
    person_id: UUID | None = None
    line_ref: str | None = None
    pay_period: str | None = None
    currency: str | None = None
    amount_minor: int | None = big(None)
    paid_on: date | None = None
    source_status: str | None = None
