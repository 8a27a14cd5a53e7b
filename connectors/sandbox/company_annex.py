"""What else the instance of the made-up company holds: contracts, offerings, survey options, roles, notes, history.

Nothing that was there before depends on it: it has a source of chance of its own and writes tables of its own.
Contracts stand behind the vendors' agreements; history is the audit of state moves, of every change and approval and of
the first incidents of the year.
"""

from random import Random

from connectors.sandbox.company_book import Book, Row, record_id
from connectors.sandbox.company_hours import DAY, stamp
from connectors.sandbox.company_people import Staff
from connectors.sandbox.company_services import Service
from connectors.sandbox.servicenow_columns import blank, empty_row

NOTES, ASKED = 300, 200
SET_UP = 80 * DAY
ROLES = ("itil", "sn_incident_read", "sn_change_read", "sn_problem_read", "evenhand.reader")
INTEGRATION = "evenhand.integration"
WORDS = ("Very poor", "Poor", "Fair", "Good", "Very good")


def annex(book: Book, staff: Staff, services: list[Service], vendors: list[str]) -> None:
    _contracts(book, staff, services, vendors)
    _questionnaire(book)
    _rights(book)
    _notes(book)
    book.tables["sys_audit"] = history(book)


def _put(book: Book, table: str, second: int, who: str, row: Row) -> str:
    sys_id = book.new_id(table)
    book.write(table, sys_id, blank(table) | row, [(second, who, {})])
    return sys_id


def _contracts(book: Book, staff: Staff, services: list[Service], vendors: list[str]) -> None:
    contracts = {}
    for number, vendor in enumerate(vendors):
        name, owner = book.tables["core_company"][vendor]["name"], staff.directors[number].sys_id
        row = {
            "number": f"CNTR{1001 + number:07}", "short_description": f"{name} support", "vendor": vendor,
            "vendor_contract": f"{name.split()[0].upper()}-{2024 + number}", "state": "active", "substate": "",
            "starts": "2024-07-01", "ends": "2026-06-30", "renewable": "true", "renewal_date": "2026-04-01",
            "contract_administrator": owner, "business_owner": owner, "approver": staff.people[0].sys_id,
            "yearly_cost": str(180_000 + 40_000 * number), "monthly_cost": str((180_000 + 40_000 * number) // 12),
            "total_cost": str(2 * (180_000 + 40_000 * number)), "process_non_contractual_slas": "false",
        }  # fmt: skip
        contracts[vendor] = _put(book, "ast_contract", SET_UP + number, "admin", row)
    for number, service in enumerate(services):
        row = {
            "name": f"{service.name} standard", "number": f"SO{number + 1:04}", "parent": service.sys_id,
            "support_group": service.teams[0].sys_id, "owned_by": service.owner.sys_id, "vendor": service.vendor,
            "contract": contracts[service.vendor], "technical_contact": service.teams[0].manager.sys_id,
            "service_classification": "Service Offering", "operational_status": "1", "install_status": "1",
        }  # fmt: skip
        _put(book, "service_offering", SET_UP + 100 + number, "admin", row)


def _questionnaire(book: Book) -> None:
    """Category and options of the survey, and what was asked in its last instances."""
    kind = next(iter(book.tables["asmt_metric_type"]))
    mark = next(i for i, row in book.tables["asmt_metric"].items() if row["datatype"] == "scale")
    category = _put(book, "asmt_metric_category", SET_UP, "admin",
                    {"name": "Service", "metric_type": kind, "order": "100"})  # fmt: skip
    for value, display in enumerate(WORDS, 1):
        _put(book, "asmt_metric_definition", SET_UP, "admin", {"metric": mark, "value": str(value), "display": display})
    results = [row for row in book.tables["asmt_metric_result"].values() if row["metric"] == mark]
    for result in results[-ASKED:]:
        asked = {name: result[name] for name in ("instance", "metric", "source_table", "source_id", "string_value")}
        row = {**asked, "category": category, "value": result["actual_value"]}
        sys_id = book.new_id("asmt_assessment_instance_question")
        made = {name: result[name] for name in result if name.startswith("sys_")}
        book.tables.setdefault("asmt_assessment_instance_question", {})[sys_id] = {
            **made, "sys_id": sys_id, "sys_class_name": "asmt_assessment_instance_question", **row,
        }  # fmt: skip


def _rights(book: Book) -> None:
    """The integration account may read what it needs; an invalid part of a query is ignored, as by default."""
    account = next(i for i, row in book.tables["sys_user"].items() if row["user_name"] == INTEGRATION)
    for name in ROLES:
        role = _put(book, "sys_user_role", SET_UP, "admin", {"name": name})
        given = {"user": account, "role": role, "state": "active", "inherited": "false"}
        _put(book, "sys_user_has_role", SET_UP, "admin", given)
    _put(book, "sys_properties", SET_UP, "admin",
         {"name": "glide.invalid_query.returns_no_rows", "value": "false", "type": "boolean"})  # fmt: skip


def _notes(book: Book) -> None:
    """Work notes of some incidents that were still worked on lately."""
    rng, rows = Random(f"notes:{book.seed}"), list(book.tables["incident"].values())
    for row in rng.sample(rows[-3 * NOTES :], NOTES):
        entry = _entry(book, "sys_journal_field", row["sys_updated_on"], row["sys_updated_by"])
        entry |= {"name": "incident", "element": "work_notes", "element_id": row["sys_id"], "value": "Looked at it."}
        book.tables.setdefault("sys_journal_field", {})[entry["sys_id"]] = entry


def history(book: Book) -> dict[str, Row]:
    """sys_audit: the moves that the book remembers, up to `LIVE_START`."""
    rows = {}
    for number, (table, sys_id, second, who, count, column, old, new) in enumerate(book.moves):
        when, audit_id = stamp(second), record_id(book.seed, "sys_audit", number)
        rows[audit_id] = {
            "sys_id": audit_id, "sys_class_name": "sys_audit", "sys_created_on": when, "sys_created_by": who,
            "sys_domain": "global", "sys_domain_path": "/", "tablename": table, "documentkey": sys_id,
            "fieldname": column, "oldvalue": old, "newvalue": new, "user": who, "reason": "",
            "record_checkpoint": str(count), "internal_checkpoint": "",
        }  # fmt: skip
    return rows


def _entry(book: Book, table: str, when: str, who: str) -> Row:
    return empty_row(table) | {
        "sys_id": book.new_id(table), "sys_class_name": table, "sys_created_on": when, "sys_created_by": who,
        "sys_domain": "global", "sys_domain_path": "/",
    }  # fmt: skip
