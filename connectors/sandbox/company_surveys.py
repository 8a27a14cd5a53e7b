"""What callers of the made-up company say: one question from 1 to 5 after a closed incident, sometimes a comment.

Decides 6,000 answered surveys. The mark follows how long it took against what is usual, the skill of the person, and
the mood of the caller. A comment is an answer of type text and carries -1 as its value, as the platform does.
"""

from connectors.sandbox.company_book import Book, Row
from connectors.sandbox.company_hours import DAY, HOUR, MINUTE, WEEKDAYS, YEAR_END, stamp
from connectors.sandbox.company_incidents import MEDIAN_WORK, Incident

ANSWERS = 6_000
WORDS = {"1": "Very poor", "2": "Poor", "3": "Fair", "4": "Good", "5": "Very good"}
SET_UP = 70 * DAY


def answer(book: Book, incidents: list[Incident]) -> None:
    rng = book.rng
    kind, mark, comment = (book.new_id("asmt_metric_type"), book.new_id("asmt_metric"), book.new_id("asmt_metric"))
    book.write("asmt_metric_type", kind, {"name": "After an incident", "evaluation_method": "survey", "active": "true"},
               [(SET_UP, "admin", {})])  # fmt: skip
    for sys_id, name, datatype in ((mark, "Satisfaction", "scale"), (comment, "Anything else?", "string")):
        question = {"name": name, "question": name, "category": "", "metric_type": kind, "datatype": datatype,
                    "weight": "10", "min": "1", "max": "5", "mandatory": "true" if sys_id == mark else "false",
                    "depends_on": "", "active": "true"}  # fmt: skip
        book.write("asmt_metric", sys_id, question, [(SET_UP, "admin", {})])
    asked = [case for case in incidents if not case.cancelled and case.resolved < YEAR_END - DAY]
    chosen = sorted(rng.sample(range(len(asked)), ANSWERS))
    for number, place in enumerate(chosen):
        case = asked[place]
        taken = min(case.resolved + rng.randrange(10 * MINUTE, 2 * DAY), YEAR_END - HOUR)
        instance = book.new_id("asmt_assessment_instance")
        row: Row = {
            "number": f"AINST{10001 + number:07}", "metric_type": kind, "user": case.caller.sys_id,
            "state": "complete", "due_date": "", "expiration_date": "", "taken_on": stamp(taken),
            "trigger_table": "incident", "trigger_id": case.sys_id, "task_id": case.sys_id, "assessment_group": "",
        }  # fmt: skip
        book.write("asmt_assessment_instance", instance, row, [(taken, case.caller.user_name, {})])
        value = _mark(book, case)
        _result(book, instance, mark, case, taken, value, WORDS[value])
        if rng.random() < 0.12:
            _result(book, instance, comment, case, taken, "-1", "Thank you." if value > "3" else "It took too long.")


def _mark(book: Book, case: Incident) -> str:
    usual = MEDIAN_WORK[case.priority] * 2
    slow = min(WEEKDAYS.between(case.opened, case.resolved) / usual, 6.0)
    feeling = 4.6 - 0.45 * slow + 0.25 * case.assignee.skill + book.rng.gauss(0, 0.8)
    return str(min(max(round(feeling), 1), 5))


def _result(book: Book, instance: str, metric: str, case: Incident, taken: int, value: str, text: str) -> None:
    row: Row = {
        "instance": instance, "metric": metric, "assessment_group": "", "source_id": case.sys_id,
        "source_table": "incident", "actual_value": value, "normalized_value": value, "string_value": text,
    }  # fmt: skip
    book.write("asmt_metric_result", book.new_id("asmt_metric_result"), row, [(taken, case.caller.user_name, {})])
