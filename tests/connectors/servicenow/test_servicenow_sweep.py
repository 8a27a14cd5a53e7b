"""What stands in an instance, and when the list of it may say that something does not."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from connectors.servicenow import sweep as sweeping
from connectors.servicenow.contract import standard
from connectors.servicenow.sweep import exists, sweep
from connectors.source import Key, KeySet, SourceRefused, SourceUnavailable
from engine.refusal import Refused
from engine.words import Source
from tests.connectors.servicenow.imitation import Imitation

NOBODY = "0" * 32


def swept(instance: Imitation, entity: str = "problem", **changes: Any) -> KeySet:
    return sweep(instance.configured(**{"page_size": 50} | changes), entity)


def truth(instance: Imitation, entity: str = "problem") -> list[Key]:
    rows = instance.tables[entity].rows
    return [
        Key(key, int(row["sys_mod_count"]), datetime.fromisoformat(row["sys_updated_on"] + "+00:00"))
        for key, row in sorted(rows.items())
    ]


def test_every_key_with_its_version_and_nothing_else(instance: Imitation) -> None:
    began = len(instance.asked())
    found = swept(instance)
    assert found.complete, found.why
    assert found.keys == truth(instance)
    assert (found.source, found.entity) == (Source.SERVICENOW, "problem")
    fields = [
        httpx.URL(f"http://x/?{entry['query']}").params["sysparm_fields"]
        for entry in instance.asked()[began:]
        if "/table/" in entry["path"]
    ]
    assert set(fields) == {"sys_id,sys_mod_count,sys_updated_on"}


def test_the_clock_of_the_list_is_the_instances_at_its_beginning(instance: Imitation) -> None:
    first = swept(instance).observed_at
    instance.write("problem", short_description="the clock goes on")
    assert swept(instance).observed_at == first + timedelta(seconds=1)


@pytest.mark.parametrize("counts_hidden", [True, False])
def test_a_list_with_a_gap_proves_nothing(instance: Imitation, counts_hidden: bool) -> None:
    lost = sorted(instance.tables["problem"].rows)[77]
    instance.veil.hidden.add(lost)
    instance.veil.counts_hidden = counts_hidden
    found = swept(instance)
    assert not found.complete
    assert len(found.keys) == len(truth(instance)) - 1
    assert "counts" in found.why
    assert "read rights" in found.why


def test_rows_that_the_contract_explains_are_no_gap_but_one_more_is(instance: Imitation) -> None:
    known, lost = sorted(instance.tables["problem"].rows)[10:12]
    contract = {"problem": replace(standard()["problem"], hidden=1)}
    instance.veil.hidden.add(known)
    assert swept(instance, contract=contract).complete
    instance.veil.hidden.add(lost)
    assert not swept(instance, contract=contract).complete


def test_a_row_that_was_added_meanwhile_does_not_make_up_for_a_hidden_one(
    instance: Imitation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count was taken before it came; without a look at its stamp the numbers would agree."""
    instance.veil.hidden.add(sorted(instance.tables["problem"].rows)[3])
    counted = sweeping.count_rows

    def count_and_go_on(*given: Any) -> Any:
        count = counted(*given)
        for _ in range(3):
            instance.write("problem", short_description="new")
        return count

    monkeypatch.setattr(sweeping, "count_rows", count_and_go_on)
    before = len(truth(instance))
    found = swept(instance)
    assert len(found.keys) == before + 2
    assert not found.complete


@pytest.mark.parametrize("told", [True, False])
def test_rows_that_are_deleted_meanwhile(instance: Imitation, monkeypatch: pytest.MonkeyPatch, told: bool) -> None:
    """The count knew them. The instance's own list of deletes explains the difference, where it has one for us."""
    doomed = [instance.write("problem", short_description=f"doomed {n}") for n in range(3)]
    counted = sweeping.count_rows

    def count_and_go_on(*given: Any) -> Any:
        count = counted(*given)
        instance.write("problem", short_description="the clock goes on")
        for key in doomed:
            instance.delete("problem", key)
        return count

    monkeypatch.setattr(sweeping, "count_rows", count_and_go_on)
    if not told:
        instance.veil.forbidden.add("sys_audit_delete")
    found = swept(instance)
    assert not {*doomed} & {key.key for key in found.keys}
    assert found.complete is told


def test_a_delete_of_a_row_that_was_seen_explains_no_gap(instance: Imitation, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = sorted(instance.tables["problem"].rows)[5]
    last = sorted(instance.tables["problem"].rows)[0]
    drained = sweeping.drain

    def drain_and_delete(*given: Any) -> Iterator[Any]:
        pages = drained(*given)
        yield next(pages)
        if last in instance.tables["problem"].rows:
            instance.write("problem", short_description="the clock goes on")
            instance.delete("problem", last)
        yield from pages

    instance.veil.hidden.add(lost)
    monkeypatch.setattr(sweeping, "drain", drain_and_delete)
    found = swept(instance)
    assert last in {key.key for key in found.keys}
    assert not found.complete


def test_deletes_of_another_table_or_time_explain_no_gap(instance: Imitation, monkeypatch: pytest.MonkeyPatch) -> None:
    early = instance.write("problem", short_description="early")
    instance.delete("problem", early)
    instance.write("problem", short_description="the clock goes on")
    elsewhere = instance.write("sys_user_group", name="elsewhere")
    instance.veil.hidden.add(sorted(instance.tables["problem"].rows)[5])
    counted = sweeping.count_rows

    def count_and_go_on(*given: Any) -> Any:
        count = counted(*given)
        instance.write("problem", short_description="the clock goes on")
        instance.delete("sys_user_group", elsewhere)
        return count

    monkeypatch.setattr(sweeping, "count_rows", count_and_go_on)
    assert not swept(instance).complete


@pytest.mark.parametrize("rule", ["forbidden", "emptied"])
def test_a_table_that_is_kept_from_us_says_nothing(instance: Imitation, rule: str) -> None:
    """Some access rules answer 403, and some show a table as if it were empty."""
    getattr(instance.veil, rule).add("problem")
    found = swept(instance)
    assert (found.keys, found.complete) == ([], False)
    assert "right" in found.why


def test_a_right_that_is_lost_half_way_says_nothing(instance: Imitation, monkeypatch: pytest.MonkeyPatch) -> None:
    drained = sweeping.drain

    def drain_and_lose(*given: Any) -> Iterator[Any]:
        pages = drained(*given)
        yield next(pages)
        instance.veil.emptied.add("problem")
        yield from pages

    monkeypatch.setattr(sweeping, "drain", drain_and_lose)
    found = swept(instance)
    assert 0 < len(found.keys) < len(truth(instance))
    assert not found.complete


@pytest.mark.parametrize("fault", ["transaction_cancelled", "truncate", "row_cap"])
def test_broken_and_capped_answers_leave_no_gap(instance: Imitation, fault: str) -> None:
    params: dict[str, Any] = {"row_cap": {"rows": 7}, "truncate": {"bytes": 60}}.get(fault, {})
    instance.break_down(fault, times=100 if fault == "row_cap" else 2, path="/api/now/v2/table/problem", **params)
    found = swept(instance)
    assert found.complete, found.why
    assert found.keys == truth(instance)


def test_what_breaks_the_reading_is_raised(instance: Imitation) -> None:
    instance.break_down("http_error", times=100, status=502)
    with pytest.raises(SourceUnavailable):
        swept(instance)
    instance.break_down("html_login", times=1)


def test_a_login_page_is_raised(instance: Imitation) -> None:
    instance.break_down("html_login", times=1)
    with pytest.raises(SourceRefused, match="login page"):
        swept(instance)


def test_added_rows_are_listed_by_their_second(instance: Imitation) -> None:
    note = {"name": "problem", "element": "comments", "element_id": NOBODY}
    ours = standard()["sys_journal_field"].is_ours
    before = {key for key, row in instance.tables["sys_journal_field"].rows.items() if ours(row)}
    made = [instance.write("sys_journal_field", **note) for _ in range(5)]
    instance.write("sys_journal_field", **note | {"name": "kb_knowledge"})
    found = swept(instance, "sys_journal_field")
    assert found.complete, found.why
    assert {key.key for key in found.keys} == {*made} | before
    stamps = {key: row["sys_created_on"] for key, row in instance.tables["sys_journal_field"].rows.items()}
    assert all(f"{key.version_at:%Y-%m-%d %H:%M:%S}" == stamps[key.key] for key in found.keys)
    assert {key.version_no for key in found.keys} == {0}


def test_a_table_that_is_read_record_by_record_is_never_swept(instance: Imitation) -> None:
    began = len(instance.asked())
    assert not swept(instance, "sys_audit").complete
    assert instance.asked()[began:] == []


# ---- one record


def test_a_record_exists_or_does_not(instance: Imitation) -> None:
    key = instance.write("problem", short_description="here")
    assert exists(instance.config, "problem", key)
    assert not exists(instance.config, "problem", NOBODY)
    instance.veil.hidden.add(key)
    assert not exists(instance.config, "problem", key)
    instance.veil.lift()
    instance.delete("problem", key)
    assert not exists(instance.config, "problem", key)


def test_a_record_that_the_contract_leaves_out_by_now_does_not_exist_for_us(instance: Imitation) -> None:
    """Else it would stand for ever: no poll shows what became of it, and a question by id alone says yes."""
    key = instance.write("problem", short_description="here")
    ours = {"problem": replace(standard()["problem"], without={"short_description": ["elsewhere"]})}
    assert exists(instance.configured(contract=ours), "problem", key)
    other = {"problem": replace(standard()["problem"], without={"short_description": ["here"]})}
    assert not exists(instance.configured(contract=other), "problem", key)


@pytest.mark.parametrize(
    ("fault", "params", "error"),
    [
        ("http_error", {"status": 401}, SourceRefused),
        ("http_error", {"status": 403}, SourceRefused),
        ("http_error", {"status": 404}, SourceRefused),  # not in the instance's words: some proxy says so
        ("http_error", {"status": 500}, SourceUnavailable),
        ("html_login", {"status": 200}, SourceRefused),
        ("html_login", {"status": 302}, SourceRefused),
        ("truncate", {"bytes": 9}, SourceUnavailable),
        ("transaction_cancelled", {}, SourceUnavailable),
    ],
)
def test_anything_but_a_clear_answer_is_no_answer(
    instance: Imitation, fault: str, params: dict[str, Any], error: type[Exception]
) -> None:
    key = sorted(instance.tables["problem"].rows)[0]
    if fault == "transaction_cancelled":
        params = {"shape": "error"}
    instance.break_down(fault, times=100, **params)
    with pytest.raises(error):
        exists(instance.config, "problem", key)


def test_a_question_for_a_record_holds_nothing_but_its_id(instance: Imitation) -> None:
    with pytest.raises(Refused, match="sys_id"):
        exists(instance.config, "problem", "../sys_user/x")
    with pytest.raises(Refused, match="contract"):
        exists(instance.config, "sys_properties", NOBODY)
