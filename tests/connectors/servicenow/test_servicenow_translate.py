"""What a raw record says, and what it must not be made to say."""

import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.servicenow.contract import read_contract, standard
from connectors.servicenow.translate import translator
from connectors.source import Hook, Poison, Unreadable, Version
from engine.refusal import Code, Refused
from engine.words import IssueCode, MirrorKind, Source
from schema.identity import mirror_id
from schema.tables.mirror import TYPED

NOW = datetime(2026, 3, 9, tzinfo=UTC)
READ = translator(standard())


def sys_id(number: int) -> str:
    return f"{number:032x}"


def record(**columns: Any) -> dict[str, Any]:
    return {"sys_id": sys_id(1), "sys_mod_count": "3", "sys_updated_on": "2026-03-05 10:00:00"} | columns


def incident(**columns: Any) -> dict[str, Any]:
    usual = {"number": "INC1", "state": "6", "opened_at": "2026-03-03 16:00:00", "resolved_at": "2026-03-05 10:00:00"}
    return record(**(usual | columns))


def one(entity: str, raw: dict[str, Any]) -> Version:
    (version,) = READ.translate(entity, raw, NOW)
    return version


def found(version: Version) -> list[tuple[str, str, str]]:
    return [(issue.code.value, issue.field, issue.value) for issue in version.issues]


def test_an_incident_keeps_the_tools_word_beside_ours() -> None:
    version = one("incident", incident(assignment_group=sys_id(7), made_sla="false", reopen_count="2", priority="2"))
    assert (version.key, version.version_no, version.kind) == (sys_id(1), 3, MirrorKind.INCIDENT)
    assert version.version_at == datetime(2026, 3, 5, 10, tzinfo=UTC)
    expected = {"state": "RESOLVED", "source_state": "6", "made_sla": False, "reopen_count": 2, "priority": 2}
    assert {name: version.values[name] for name in expected} == expected
    assert version.values["team_id"] == mirror_id(Source.SERVICENOW, "sys_user_group", sys_id(7))
    assert version.values["service_id"] is None
    assert version.issues == ()


def test_resolving_is_measured_on_the_wall_clock() -> None:
    assert one("incident", incident()).values["resolve_seconds"] == 42 * 3600


@pytest.mark.capability("I7.1")
def test_an_unknown_state_stays_unknown_and_is_listed_with_what_to_do() -> None:
    version = one("incident", incident(state="42"))
    assert version.values["state"] is None
    assert version.values["source_state"] == "42"
    assert found(version) == [("UNMAPPED_SOURCE_VALUE", "state", "42")]
    assert "contract.yaml" in version.issues[0].fix


@pytest.mark.capability("T3.3")
@pytest.mark.parametrize(
    ("columns", "issue"),
    [
        ({"resolved_at": "2026-03-01 00:00:00"}, ("TIME_ORDER", "resolved_at", "2026-03-01 00:00:00")),
        ({"resolved_at": "05/03/2026 10:00"}, ("MALFORMED", "resolved_at", "05/03/2026 10:00")),
        ({"opened_at": "2026-02-30 10:00:00"}, ("MALFORMED", "opened_at", "2026-02-30 10:00:00")),
        ({"opened_at": "0000-00-00 00:00:00"}, ("MALFORMED", "opened_at", "0000-00-00 00:00:00")),
    ],
)
def test_times_that_cannot_be_give_no_duration(columns: dict[str, str], issue: tuple[str, str, str]) -> None:
    version = one("incident", incident(**columns))
    assert found(version) == [issue]
    assert version.values["resolve_seconds"] is None


@pytest.mark.capability("I7.1")
def test_a_closed_problem_without_a_cause_is_no_evidence() -> None:
    closed = {"number": "PRB1", "state": "107", "u_root_cause": ""}
    assert found(one("problem", record(**closed))) == [("EVIDENCE_REQUIRED", "u_root_cause", "")]
    assert found(one("problem", record(**closed | {"state": "104"}))) == []
    assert found(one("problem", record(**closed | {"u_root_cause": "gremlins"}))) == [
        ("UNMAPPED_SOURCE_VALUE", "u_root_cause", "gremlins")
    ]
    no_vendor = one("problem", record(**closed | {"u_root_cause": "vendor"}))
    assert found(no_vendor) == [("EVIDENCE_REQUIRED", "u_root_cause_vendor", "")]
    assert no_vendor.values["root_cause"] == "VENDOR"


@pytest.mark.parametrize("column", ["sys_id", "sys_mod_count", "sys_updated_on"])
@pytest.mark.parametrize("value", ["", "x", None, "-1", "99999999999999999999", ["3"], "\0"])
def test_a_record_that_cannot_be_placed_is_poison(column: str, value: Any) -> None:
    with pytest.raises(Poison) as poison:
        one("incident", incident(**{column: value}))
    assert poison.value.field == column
    assert poison.value.key == ("" if column == "sys_id" else sys_id(1))


def test_a_nul_character_is_left_out_and_listed() -> None:
    version = one("incident", incident(number="INC\x001", state="6\0"))
    assert version.values["number"] == ""
    assert version.values["state"] is None
    assert version.values["source_state"] is None
    assert found(version) == [
        ("MALFORMED", "number", "INC\\u00001"), ("MALFORMED", "state", "6\\u0000"),
        ("REQUIRED_FIELD_MISSING", "number", ""),
    ]  # fmt: skip
    assert b"u0000" not in version.payload


def test_text_that_is_not_unicode_is_poison() -> None:
    with pytest.raises(Poison, match="Unicode"):
        one("incident", incident(number="\ud800"))


def test_read_time_columns_of_a_clock_do_not_make_a_version() -> None:
    clock = record(task=sys_id(2), sla=sys_id(3), stage="completed", business_duration="1970-01-02 03:00:00",
                   end_time="2026-03-04 10:00:00")  # fmt: skip
    again = clock | {"time_left": "1970-01-01 00:10:00", "percentage": "97", "duration": "1970-01-01 01:00:00"}
    assert one("task_sla", clock).payload == one("task_sla", again).payload
    assert one("task_sla", clock).values["business_seconds"] == 27 * 3600


def test_a_column_that_is_calculated_cannot_be_mapped() -> None:
    """Two readings of one version would differ, and which of them came last would decide."""
    document = """
    entities:
      task_sla:
        kind: TASK_SLA
        fields: {business_seconds: {from: duration, as: duration}}
        calculated: [duration]
    """
    with pytest.raises(Refused, match="duration"):
        read_contract(document)


def test_the_same_version_has_the_same_payload_however_it_is_spelled() -> None:
    """A script sends flags as 1 and 0, adds columns, and leaves nothing out; the API does the opposite."""
    page = one("incident", incident(made_sla="true", assigned_to="", caused_by={"link": "x", "value": sys_id(5)}))
    hook = one("incident", dict(reversed(incident(made_sla="1", caused_by=sys_id(5), u_mood="blue").items())))
    assert page.payload == hook.payload
    assert page.values == hook.values


@pytest.mark.parametrize(
    ("columns", "human"),
    [
        ({"identity_type": "human"}, True),
        ({"identity_type": "machine"}, False),
        ({"identity_type": "ai_agent"}, False),
        ({"identity_type": "unclassified"}, None),
        ({}, None),
        ({"identity_type": "human", "internal_integration_user": "true"}, False),
        ({"identity_type": "human", "web_service_access_only": "1"}, False),
    ],
)
def test_only_humans_are_human(columns: dict[str, str], human: bool | None) -> None:
    assert one("sys_user", record(name="A", **columns)).values["human"] is human


def test_an_approval_points_at_a_change_only_when_it_stands_on_one() -> None:
    change = mirror_id(Source.SERVICENOW, "change_request", sys_id(4))
    on_change = {"source_table": "change_request", "document_id": sys_id(4), "state": "approved"}
    assert one("sysapproval_approver", record(**on_change)).values["change_id"] == change
    older = {"document_id": "", "sysapproval": sys_id(4)}
    assert one("sysapproval_approver", record(**on_change | older)).values["change_id"] == change
    elsewhere = on_change | {"source_table": "sc_request"}
    assert one("sysapproval_approver", record(**elsewhere)).values["change_id"] is None


@pytest.mark.parametrize(
    ("value", "rating", "issues"),
    [("4", 4, 0), ("4.00", 4, 0), ("-1", None, 0), ("7", None, 1), ("", None, 0), ("4.5", None, 1)],
)
def test_only_marks_of_finished_questionnaires_on_incidents_count(value: str, rating: int | None, issues: int) -> None:
    answer = record(actual_value=value, **{
        "instance.trigger_table": "incident", "instance.trigger_id": sys_id(9), "instance.state": "complete",
        "instance.taken_on": "2026-03-04 10:00:00",
    })  # fmt: skip
    version = one("asmt_metric_result", answer)
    assert version.values["rating"] == rating
    assert len(version.issues) == issues
    assert version.values["task_id"] == mirror_id(Source.SERVICENOW, "incident", sys_id(9))
    open_one = one("asmt_metric_result", answer | {"instance.state": "wip"})
    assert open_one.values["rating"] is None
    elsewhere = one("asmt_metric_result", answer | {"instance.trigger_table": "sc_request"})
    assert elsewhere.values["task_id"] is None


@pytest.mark.capability("I6.1")
def test_an_underpinning_contract_names_its_vendor() -> None:
    values = one(
        "contract_sla", record(name="V", type="Underpinning contract", target="resolution", vendor=sys_id(8))
    ).values
    assert (values["sla_type"], values["target"]) == ("UNDERPINNING_CONTRACT", "RESOLUTION")
    assert values["vendor_id"] == mirror_id(Source.SERVICENOW, "core_company", sys_id(8))


def test_a_webhook_brings_a_record_a_hint_or_a_suspicion() -> None:
    body = {"event_id": "e", "table": "incident", "op": "update", "record": incident()}
    assert READ.read_hook(body).records == (("incident", incident()),)
    deleted = READ.read_hook(body | {"op": "delete"})
    assert [hint.key for hint in deleted.suspected] == [sys_id(1)]
    assert deleted.records == ()
    thin = READ.read_hook(body | {"table": "asmt_metric_result", "record": record(actual_value="4")})
    assert [(hint.entity, hint.key) for hint in thin.refetch] == [("asmt_metric_result", sys_id(1))]
    assert READ.read_hook(body | {"table": "kb_knowledge"}) == Hook(
        note="The table kb_knowledge is not in the data contract; nothing of it is mirrored."
    )


@pytest.mark.parametrize("change", [{"table": 3}, {"op": "query"}, {"record": []}, {"record": None}, {"op": None}])
def test_another_body_is_unreadable(change: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        READ.read_hook({"table": "incident", "op": "update", "record": incident()} | change)


@pytest.mark.parametrize(
    "change",
    [
        ("as: reference", "as: guess"), ("NEW", "NOVEL"), ("kind: INCIDENT", "kind: TICKET"),
        ("team_id:", "squad_id:"), ('"1"', "1"), ("values:", "meanings:"), ("entities", "tables"),
    ],
)  # fmt: skip
def test_a_wrong_contract_is_refused_before_any_record_is_read(change: tuple[str, str]) -> None:
    good = """
    entities:
      incident:
        kind: INCIDENT
        fields:
          state: {from: state, as: choice, values: {"1": NEW}}
          team_id: {from: assignment_group, as: reference, to: sys_user_group}
    """
    assert set(read_contract(good)) == {"incident"}
    with pytest.raises(Refused) as refused:
        read_contract(good.replace(*change))
    assert refused.value.code == Code.PLAN_INVALID


def test_the_standard_contract_fills_every_column_of_its_kinds() -> None:
    """What it leaves out is known by name; a new column of a table is not forgotten in silence."""
    ours = {"tenant_id", "id", "source", "source_key", "revision_id", "gone_at"}
    left_out = {
        column
        for shape in standard().values()
        for column in set(TYPED[shape.kind].model_fields) - ours - {field.name for field in shape.fields}
    }
    assert left_out == {
        "resolve_seconds", "resolve_business_seconds", "calendar_hash", "sla_type", "target", "vendor_id",
    }  # fmt: skip


@given(st.dictionaries(st.sampled_from(standard()["incident"].asked), st.one_of(st.text(), st.integers(), st.none())))
def test_no_value_breaks_the_reading(columns: dict[str, Any]) -> None:
    """Whatever stands in a record, it is a version without a guess, or poison."""
    try:
        version = one("incident", record() | columns)
    except Poison:
        return
    assert orjson.loads(version.payload)["sys_id"] == version.key
    assert set(version.values) <= set(TYPED[MirrorKind.INCIDENT].model_fields)
    assert all(issue.code in IssueCode and issue.fix for issue in version.issues)
    assert "\0" not in "".join(str(value) for value in version.values.values())


def test_eighty_thousand_records_are_read_in_eight_seconds_of_one_core() -> None:
    raw = [incident(sys_id=sys_id(number), assignment_group=sys_id(number % 40)) for number in range(4_000)]
    began = time.process_time()
    for each in raw:
        one("incident", each)
    assert (time.process_time() - began) * 20 < 8
