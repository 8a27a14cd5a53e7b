"""The tables of the imitated instance and their columns, as its dictionary (sys_dictionary) tells them.

Decides which columns a table knows although no row fills them, and of what type they are. Source: the product's table
definitions. A word is `column:type`; without a type it is text. Types: i integer, n decimal, b boolean, t date and
time, d date, u duration, h html, j journal, x document id, m money, c choice, `>table` reference, `*table` list.
"""

from dataclasses import dataclass
from functools import cache

from connectors.sandbox.company_book import Row, record_id

BASE = "sys_id:x sys_class_name sys_created_on:t sys_created_by sys_domain sys_domain_path"
UPDATES = "sys_updated_on:t sys_updated_by sys_mod_count:i"
TASK = """
number parent:>task short_description description correlation_id correlation_display state:c active:b priority:i
impact:i urgency:i escalation:i approval:c approval_set:t opened_by:>sys_user closed_by:>sys_user
assigned_to:>sys_user assignment_group:>sys_user_group additional_assignee_list:*sys_user watch_list:*sys_user
work_notes_list:*sys_user group_list:*sys_user_group opened_at:t closed_at:t expected_start:t due_date:t follow_up:t
activity_due:t work_start:t work_end:t sla_due:t reassignment_count:i made_sla:b calendar_duration:u
business_duration:u time_worked business_service:>cmdb_ci_service service_offering:>service_offering cmdb_ci
company:>core_company contract:>ast_contract contact_type location comments:j work_notes:j close_notes
upon_approval upon_reject
"""
SERVICE = """
name number busines_criticality service_classification used_for service_status operational_status:i install_status:i
owned_by:>sys_user managed_by:>sys_user supported_by:>sys_user assigned_to:>sys_user delivery_manager:>sys_user
business_contact:>sys_user business_relation_manager:>sys_user support_group:>sys_user_group
managed_by_group:>sys_user_group assignment_group:>sys_user_group change_control:>sys_user_group
user_group:>sys_user_group company:>core_company vendor:>core_company manufacturer:>core_company
schedule:>cmn_schedule maintenance_schedule:>cmn_schedule business_unit department location
parent:>cmdb_ci_service start_date:t end_date:t duplicate_of:>cmdb_ci_service sys_class_path u_annual_budget:n
u_annual_budget_currency
"""
_TABLES = {
    "task": TASK,
    "incident": """
        incident_state:i category subcategory severity:i hold_reason:c cause business_impact notify:i
        u_evenhand_score caller_id:>sys_user problem_id:>problem rfc:>change_request caused_by:>change_request
        parent_incident:>incident child_incidents:i origin_table origin_id:x resolved_at:t resolved_by:>sys_user
        close_code:c reopen_count:i reopened_time:t reopened_by:>sys_user calendar_stc:i business_stc:i""",
    "change_request": """
        type:c chg_model std_change_producer_version category reason scope:i risk:i production_system:b
        copied_from:>change_request start_date:t end_date:t requested_by:>sys_user requested_by_date:t justification
        implementation_plan backout_plan test_plan change_plan risk_impact_analysis cab_required:b cab_date_time:t
        cab_date:d cab_delegate:>sys_user cab_recommendation phase phase_state on_hold:b on_hold_reason on_hold_task
        unauthorized:b outside_maintenance_schedule:b conflict_status conflict_last_run:t close_code:c
        review_status:i review_date:d review_comments""",
    "problem": """
        problem_state:i category subcategory major_problem:b known_error:b prb_model review_outcome confirmed_at:t
        confirmed_by:>sys_user workaround:h workaround_applied:b workaround_communicated_at:t
        workaround_communicated_by:>sys_user fix_at:t fix_by:>sys_user fix_notes:h fix_communicated_at:t
        fix_communicated_by:>sys_user cause_notes:h resolution_code:c resolved_at:t resolved_by:>sys_user
        reopened_at:t reopened_by:>sys_user reopen_count:i rfc:>change_request duplicate_of:>problem
        first_reported_by_task:>task related_incidents:i primary_known_error_article u_root_cause
        u_root_cause_vendor:>core_company""",
    "sysapproval_group": "",
    "sysapproval_approver": """
        approver:>sys_user state:c sysapproval:>task source_table document_id:x comments:j group:>sysapproval_group
        expected_start:t due_date:t wf_activity""",
    "task_sla": """
        task:>task sla:>contract_sla stage:c active:b has_breached:b start_time:t end_time:t planned_end_time:t
        original_breach_time:t pause_time:t pause_duration:u business_pause_duration:u schedule:>cmn_schedule timezone
        duration:u time_left:u business_duration:u business_time_left:u percentage:n business_percentage:n""",
    "contract_sla": """
        name type:c target:c collection vendor:>core_company duration:u duration_type schedule:>cmn_schedule
        schedule_source:c timezone timezone_source start_condition stop_condition pause_condition resume_condition
        cancel_condition reset_condition when_to_cancel:c when_to_resume:c reset_action:c retroactive:b
        retroactive_pause:b set_start_to flow workflow active:b sys_overrides:>contract_sla""",
    "cmn_schedule": "name time_zone type description",
    "core_company": """
        name vendor:b manufacturer:b customer:b primary:b vendor_type vendor_manager:*sys_user rank_tier:c
        contact:>sys_user parent:>core_company country city website notes""",
    "ast_contract": """
        number short_description vendor:>core_company customer:>core_company vendor_contract contract_model state:c
        substate:c starts:d ends:d renewable:b renewal_date:d renewal_end_date:d parent_contract:>ast_contract
        contract_administrator:>sys_user business_owner:>sys_user approver:>sys_user renewal_contact:>sys_user
        total_cost:m monthly_cost:m yearly_cost:m process_non_contractual_slas:b active:b""",
    "cmdb_ci_service": SERVICE,
    "service_offering": "contract:>ast_contract technical_contact:>sys_user price:m billing",
    "sys_user": """
        user_name name first_name last_name title email employee_number active:b locked_out:b vip:b
        manager:>sys_user department company:>core_company location cost_center building schedule:>cmn_schedule
        time_zone source identity_type:c web_service_access_only:b internal_integration_user:b last_login_time:t""",
    "sys_user_group": """
        name description manager:>sys_user parent:>sys_user_group type email default_assignee:>sys_user cost_center
        roles source include_members:b exclude_manager:b active:b""",
    "sys_user_grmember": "user:>sys_user group:>sys_user_group",
    "sys_user_role": "name description",
    "sys_user_has_role": "user:>sys_user role:>sys_user_role state inherited:b",
    "cab_definition": """
        name description manager:>sys_user board_groups:*sys_user_group board_members:*sys_user active:b""",
    "cab_meeting": """
        name cab_definition:>cab_definition manager:>sys_user delegates:*sys_user board_groups:*sys_user_group
        board_members:*sys_user state:c start:t end:t meeting_notes locations auto_add_changes:b pre_approved:b""",
    "cab_agenda_item": """
        cab_meeting:>cab_meeting task:>task order:i state:c decision:c allotted_time:u elapsed_time:u
        notification_recipients:*sys_user short_description work_notes:j""",
    "cab_attendee": "cab_meeting:>cab_meeting attendee:>sys_user attendance:c reason",
    "asmt_metric_type": "name evaluation_method active:b",
    "asmt_metric_category": "name metric_type:>asmt_metric_type order:i",
    "asmt_metric": """
        name question category:>asmt_metric_category metric_type:>asmt_metric_type datatype:c weight:n min:n max:n
        mandatory:b depends_on:>asmt_metric active:b""",
    "asmt_metric_definition": "metric:>asmt_metric value:n display",
    "asmt_assessment_instance": """
        number metric_type:>asmt_metric_type user:>sys_user state:c due_date:d expiration_date:d taken_on:t
        trigger_table trigger_id:x task_id:>task assessment_group""",
    "asmt_assessment_instance_question": """
        instance:>asmt_assessment_instance metric:>asmt_metric category:>asmt_metric_category value:n string_value
        source_table source_id:x""",
    "asmt_metric_result": """
        instance:>asmt_assessment_instance metric:>asmt_metric assessment_group source_table source_id:x
        actual_value:n normalized_value:n string_value""",
    "sys_audit": """
        tablename documentkey:x fieldname oldvalue newvalue user reason record_checkpoint:i internal_checkpoint""",
    "sys_journal_field": "name element element_id:x value",
    "sys_audit_delete": "tablename documentkey:x display_value payload",
    "sys_properties": "name value description type",
    "u_evenhand_score": "",
}  # fmt: skip
DESCRIBED = frozenset(_TABLES) - {"u_evenhand_score"}  # a table of ours takes what it is given
# The product's words for the types.
TYPES = {
    "": "string", "i": "integer", "n": "decimal", "b": "boolean", "t": "glide_date_time", "d": "glide_date",
    "u": "glide_duration", "h": "html", "j": "journal_input", "x": "document_id", "m": "currency", "c": "choice",
    ">": "reference", "*": "glide_list",
}  # fmt: skip
# A child has its parent's columns, and its own; the dictionary names the parent for the parent's.
PARENTS = {"incident": "task", "change_request": "task", "problem": "task", "sysapproval_group": "task",
           "service_offering": "cmdb_ci_service"}  # fmt: skip
ABSTRACT = frozenset({"task"})  # imitated as a parent alone: its rows are read from its children
TABLES = (*(name for name in _TABLES if name not in ABSTRACT), "sys_dictionary", "sys_db_object")
INSERT_ONLY = frozenset({"sys_audit", "sys_journal_field"})  # no sys_updated_on, sys_updated_by, sys_mod_count
AUDITED = frozenset({"incident", "change_request", "problem", "sysapproval_approver", "sysapproval_group",
                     "cmdb_ci_service", "service_offering", "ast_contract"})  # fmt: skip
# Tables whose after-rule calls our webhook; the logs, the dictionary and our own score table have none.
_SILENT = {"sys_audit", "sys_journal_field", "sys_audit_delete", "sys_properties", "sys_user_role",
           "sys_user_has_role", "u_evenhand_score"}  # fmt: skip
HOOKED = frozenset(_TABLES) - ABSTRACT - _SILENT
NO_DELETE_ROW = frozenset({"sys_audit", "sys_journal_field", "sys_audit_delete", "task_sla"})  # `no_audit_delete`
DEFAULTS = {
    "incident": {"incident_state": "1", "state": "1", "active": "true", "priority": "4", "impact": "3", "urgency": "3",
                 "severity": "3", "category": "inquiry", "made_sla": "true", "reopen_count": "0", "escalation": "0",
                 "reassignment_count": "0", "approval": "not requested", "child_incidents": "0", "notify": "1"},
    "change_request": {"state": "-5", "active": "true", "type": "normal", "approval": "not requested", "risk": "3",
                       "phase": "requested", "phase_state": "open", "category": "Other", "scope": "3", "priority": "4",
                       "impact": "3", "urgency": "3", "on_hold": "false", "unauthorized": "false", "made_sla": "true",
                       "conflict_status": "Not Run", "reassignment_count": "0", "cab_required": "false"},
    "problem": {"state": "101", "problem_state": "101", "active": "true", "priority": "4", "impact": "3",
                "urgency": "3", "major_problem": "false", "known_error": "false", "reopen_count": "0"},
    "sysapproval_group": {"approval": "requested", "state": "1", "active": "true", "made_sla": "true"},
    "sysapproval_approver": {"state": "requested"},
    "sys_user": {"active": "true", "locked_out": "false", "vip": "false", "identity_type": "human",
                 "web_service_access_only": "false", "internal_integration_user": "false", "time_zone": "GMT"},
    "sys_user_group": {"active": "true"},
    "cab_meeting": {"state": "Pending"},
    "ast_contract": {"state": "draft", "substate": "awaiting_review", "active": "true"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    kind: str  # a word of TYPES' values
    target: str  # the table that a reference or a list points at


@cache
def columns(table: str) -> dict[str, Column]:
    """What a table has, its parent's first; system columns alone for a table that the dictionary does not know."""
    parent = PARENTS.get(table)
    return (columns(parent) if parent else _system(table)) | _own(table)


def _system(table: str) -> dict[str, Column]:
    return _read(BASE if table in INSERT_ONLY else f"{BASE} {UPDATES}")


def _own(table: str) -> dict[str, Column]:
    return _read(_TABLES.get(table, ""))


def _read(words: str) -> dict[str, Column]:
    parts = (word.partition(":") for word in words.split())
    return {name: Column(TYPES[kind[:1]], kind[1:]) for name, _, kind in parts}


@cache
def empty_row(table: str) -> Row:
    """A row of the table in which nothing is filled in but what the dictionary fills in by itself."""
    return dict.fromkeys(columns(table), "") | DEFAULTS.get(table, {})


def blank(table: str) -> Row:
    """Such a row without the columns that the instance fills in."""
    return {name: value for name, value in empty_row(table).items() if not name.startswith("sys_")}


@cache
def dictionary() -> dict[str, dict[str, Row]]:
    """sys_dictionary, a row for each column, and sys_db_object, a row for each table. Every instance has the same."""
    tables = {name: record_id(0, "sys_db_object", number) for number, name in enumerate(_TABLES)}
    objects = {}
    for name, sys_id in tables.items():
        above = tables.get(PARENTS.get(name, ""), "")
        objects[sys_id] = {"sys_id": sys_id, "name": name, "super_class": above, **_same("sys_db_object")}
    found = {}
    pairs = ((t, c, kind) for t in _TABLES for c, kind in (_own(t) if t in PARENTS else columns(t)).items())
    for number, (table, name, column) in enumerate(pairs):
        sys_id, audit = record_id(0, "sys_dictionary", number), "true" if table in AUDITED else "false"
        found[sys_id] = {"sys_id": sys_id, "name": table, "element": name, "internal_type": column.kind,
                         "reference": column.target, "active": "true", "audit": audit,
                         **_same("sys_dictionary")}  # fmt: skip
    return {"sys_dictionary": dict(sorted(found.items())), "sys_db_object": dict(sorted(objects.items()))}


def _same(table: str) -> Row:
    made = "2024-01-01 00:00:00"
    return {
        "sys_class_name": table, "sys_created_on": made, "sys_created_by": "admin", "sys_updated_on": made,
        "sys_updated_by": "admin", "sys_mod_count": "0", "sys_domain": "global", "sys_domain_path": "/",
    }  # fmt: skip
