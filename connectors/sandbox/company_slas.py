"""Clocks on the incidents of the made-up company: response, resolution, takeover between teams, vendor contracts.

Decides 30,000 task_sla rows: a resolution clock for every incident, 1,500 underpinning-contract clocks where a vendor
was waited for, and response and OLA clocks for the rest. Pauses of the incident stop the clock; a clock that runs past
its planned end is breached at that very second, whether the work is finished or not.
"""

from connectors.sandbox.company_book import Book, Row, Step
from connectors.sandbox.company_hours import WEEKDAYS, duration, stamp
from connectors.sandbox.company_incidents import WAITS_FOR_VENDOR, Incident
from connectors.sandbox.company_services import Agreements, Definition

CLOCKS, VENDOR_CLOCKS = 30_000, 1_500


def run_clocks(book: Book, agreed: Agreements, incidents: list[Incident]) -> None:
    waited = [case for case in incidents if case.hold_reason == WAITS_FOR_VENDOR]
    others = [case for case in incidents if case.cause == "vendor" and case.hold_reason != WAITS_FOR_VENDOR]
    of_vendor = {case.sys_id for case in (waited + others)[:VENDOR_CLOCKS]}
    more = set(book.rng.sample(range(len(incidents)), CLOCKS - len(incidents) - len(of_vendor)))
    for place, case in enumerate(incidents):
        _attach(book, agreed.resolution[case.priority], case, case.opened, case.resolved, case.hold)
        if case.sys_id in of_vendor:
            start, end = case.hold if case.hold else (case.responded, case.resolved)
            _attach(book, agreed.vendor[case.service.vendor], case, start, end, None)
        if place in more:
            if case.priority in "12" or book.rng.random() < 0.6:
                _attach(book, agreed.response[case.priority], case, case.opened, case.responded, None)
            else:
                _attach(book, agreed.team, case, case.responded, case.resolved, case.hold)


def _attach(book: Book, agreed: Definition, case: Incident, start: int, end: int, hold: tuple[int, int] | None) -> None:
    """One clock and its versions: attached, paused, resumed, breached, completed, in the order of time."""
    clock, due, breach = agreed.clock, agreed.due(start), agreed.breach(start, hold)
    row: Row = {
        "task": case.sys_id, "sla": agreed.sys_id, "stage": "in_progress", "active": "true", "has_breached": "false",
        "start_time": stamp(start), "end_time": "", "planned_end_time": stamp(due), "original_breach_time": stamp(due),
        "pause_time": "", "pause_duration": "", "business_pause_duration": "", "schedule": agreed.schedule,
        "timezone": "GMT", "duration": "", "business_duration": "", "time_left": "", "business_time_left": "",
        "percentage": "0", "business_percentage": "0",
    }  # fmt: skip
    steps: list[Step] = [(start, "flow.engine", {})]
    paused = paused_business = 0
    if hold is not None:
        paused, paused_business = hold[1] - hold[0], clock.between(*hold)
        moved = {"stage": "in_progress", "pause_time": "", "pause_duration": duration(paused),
                 "business_pause_duration": duration(paused_business), "planned_end_time": stamp(breach)}  # fmt: skip
        steps.append((hold[0], "flow.engine", {"stage": "paused", "pause_time": stamp(hold[0])}))
        steps.append((hold[1], "flow.engine", moved))
    late = end > breach
    if late:
        steps.append((breach, "flow.engine", {"has_breached": "true"}))
        steps.sort(key=lambda step: step[0])
    used = clock.between(start, end) - paused_business
    share = f"{100 * used / agreed.seconds:.2f}"
    worked = WEEKDAYS.between(start, end) - (WEEKDAYS.between(*hold) if hold else 0)
    done = {
        "stage": "cancelled" if case.cancelled else "completed", "active": "false", "end_time": stamp(end),
        "has_breached": "true" if late else "false", "duration": duration(end - start - paused),
        "business_duration": duration(worked if agreed.schedule else used), "percentage": share,
        "business_percentage": share,
    }  # fmt: skip
    steps.append((end, "flow.engine", done))
    book.write("task_sla", book.new_id("task_sla"), row, steps)
