"""What HR, finance and payroll hand over: employment, budgets, and what payroll says it has paid.

Employment is for the person, HR and auditors; budgets are for finance and auditors; what was paid is for the person,
payroll and auditors. Employee numbers are shown to nobody.
"""

from datetime import date, datetime
from decimal import Decimal

from api.graphql.binding import Node, about, shown, to_one
from api.graphql.scalars import BigInt
from api.graphql.types.organisation import GONE, Person
from schema.tables import staff

CURRENCY = "ISO 4217 code."


@shown(staff.Employment, "One stretch of employment. For the person, HR and auditors.")
class Employment(Node):
    legal_entity: str | None = about("The company.")
    cost_center: str | None = about("The cost centre.")
    job: str | None = about("The job.")
    grade: str | None = about("The grade.")
    full_time_share: Decimal | None = about("1 is full time.")
    starts_on: date | None = about("The first day.")
    ends_on: date | None = about("The first day without it; null while it lasts.")
    gone_at: datetime | None = about(GONE)
    person: Person | None = to_one("Person", "person_id", "Whose it is; null where that is not certain.")


@shown(staff.Budget, "What a unit may spend on incentives in a period. For finance and auditors.")
class Budget(Node):
    name: str = about("The name.")
    unit: str | None = about("Which unit.")
    period_starts_on: date | None = about("The first day of the period.")
    period_ends_on: date | None = about("The last day of the period, as the file has it.")
    currency: str | None = about(CURRENCY)
    amount_minor: BigInt | None = about("In minor units of `currency`, such as cents.")
    gone_at: datetime | None = about(GONE)


@shown(staff.PayrollResult, "What payroll says it has paid for one of our lines. For the person, payroll and auditors.")
class PayrollResult(Node):
    line_ref: str | None = about("Our line, as `PayoutLine.lineId`.")
    pay_period: str | None = about("The period in which it was paid.")
    currency: str | None = about(CURRENCY)
    amount_minor: BigInt | None = about("In minor units of `currency`, such as cents.")
    paid_on: date | None = about("The day of payment.")
    source_status: str | None = about("Payroll's own word for how it went.")
    gone_at: datetime | None = about(GONE)
    person: Person | None = to_one("Person", "person_id", "Who was paid; null where the viewer may not see him.")
