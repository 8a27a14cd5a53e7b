"""No row is lost and none comes twice, however the instance cuts, hides, ties and moves them."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import httpx
import orjson
import pytest

from connectors.servicenow.contract import read_contract, standard
from connectors.servicenow.history import history
from connectors.servicenow.pull import OVERLAP, poll, refetch
from connectors.source import Page, SourceRefused, SourceUnavailable
from engine.refusal import Refused
from engine.words import Feed
from tests.connectors.servicenow.imitation import Imitation

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def read(pages: Iterable[Page]) -> list[dict[str, str]]:
    return [record for page in pages for record in orjson.loads(page.body)]


def ids(pages: Iterable[Page]) -> list[str]:
    return [record["sys_id"] for record in read(pages)]


def clock(instance: Imitation) -> datetime:
    (page,) = islice(poll(instance.config, "sys_user_group", None), 1)
    return page.observed_at


@pytest.fixture
def problems(instance: Imitation) -> list[str]:
    return sorted(instance.tables["problem"].rows)


def paged(
    instance: Imitation, entity: str = "problem", since: datetime | None = None, size: int = 20
) -> Iterator[Page]:
    return poll(instance.configured(page_size=size), entity, since)


# ---- ties


def test_more_changes_in_one_second_than_a_page_holds(instance: Imitation, problems: list[str]) -> None:
    rows = instance.tables["problem"].rows
    before = {key: rows[key]["sys_updated_on"] for key in problems[:150]}
    try:
        for key in before:
            rows[key]["sys_updated_on"] = "2026-03-04 10:15:07"
        since = datetime(2026, 3, 4, 10, 15, 7, tzinfo=UTC)
        assert ids(paged(instance, since=since)) == sorted(before)
        assert ids(paged(instance, since=datetime(2026, 3, 4, 10, 15, 8, tzinfo=UTC))) == []
    finally:
        for key, stamp in before.items():
            rows[key]["sys_updated_on"] = stamp


def test_more_added_rows_in_one_second_than_a_page_holds(instance: Imitation, problems: list[str]) -> None:
    """They have no time of the last change: the second of their adding and their id are their order."""
    note = {"name": "problem", "element": "work_notes", "value": "hush"}
    made = [instance.write("sys_journal_field", element_id=problems[0], **note) for _ in range(60)]
    rows = instance.tables["sys_journal_field"].rows
    for place, key in enumerate(made):
        rows[key]["sys_created_on"] = "2026-03-04 10:15:07" if place < 45 else "2026-03-04 10:15:08"
    entries = read(paged(instance, "sys_journal_field", datetime(2026, 3, 4, 10, 15, 7, tzinfo=UTC)))
    assert sorted(entry["sys_id"] for entry in entries) == sorted(made)
    order = [(entry["sys_created_on"], entry["sys_id"]) for entry in entries]
    assert order == sorted(order)
    assert len(read(paged(instance, "sys_journal_field", datetime(2026, 3, 4, 10, 15, 8, tzinfo=UTC)))) == 15
    everything = ids(paged(instance, "sys_journal_field", size=1_000))
    ours = standard()["sys_journal_field"].is_ours
    assert sorted(everything) == sorted(key for key, row in rows.items() if ours(row))


def test_what_people_write_is_not_even_asked_for(instance: Imitation, problems: list[str]) -> None:
    hushed = instance.write(
        "sys_journal_field", name="problem", element="comments", element_id=problems[0], value="hush"
    )
    elsewhere = instance.write("sys_journal_field", name="kb_knowledge", element="comments", value="hush")
    began = len(instance.asked())
    entries = read(paged(instance, "sys_journal_field"))
    assert {entry["sys_id"] for entry in entries} >= {hushed}
    assert elsewhere not in {entry["sys_id"] for entry in entries}
    assert not any("value" in entry for entry in entries)
    asked = [httpx.URL(f"http://x/?{entry['query']}").params["sysparm_fields"] for entry in instance.asked()[began:]]
    assert asked
    assert not any("value" in fields for fields in asked)


# ---- rows that are hidden from us


@pytest.mark.parametrize("counts_hidden", [True, False])
@pytest.mark.parametrize("shape", ["every third", "first pages", "middle pages", "last pages", "all but one"])
def test_rows_behind_hidden_ones_come(
    instance: Imitation, problems: list[str], shape: str, counts_hidden: bool
) -> None:
    """The limit is applied before rows are hidden, and nobody knows whether the count is."""
    hidden = {
        "every third": problems[::3], "first pages": problems[:130], "middle pages": problems[50:210],
        "last pages": problems[-90:], "all but one": problems[:200] + problems[201:],
    }[shape]  # fmt: skip
    instance.veil.hidden.update(hidden)
    instance.veil.counts_hidden = counts_hidden
    assert ids(paged(instance)) == sorted({*problems} - {*hidden})


def test_a_table_that_shows_nothing_gives_nothing_and_ends(instance: Imitation, problems: list[str]) -> None:
    instance.veil.hidden.update(problems)
    assert ids(paged(instance, size=100)) == []


def test_an_instance_that_ignores_the_cursor_is_not_believed(instance: Imitation) -> None:
    """A part of a query that it does not understand is dropped, and the rest of it runs."""
    instance.veil.deaf = r"sys_id>[0-9a-f]{32}\^"
    with pytest.raises(SourceUnavailable, match="out of order"):
        ids(paged(instance))


def test_an_instance_that_ignores_the_order_is_not_believed(instance: Imitation) -> None:
    rows = instance.tables["problem"]
    rows.ids.reverse()
    try:
        with pytest.raises(SourceUnavailable, match="out of order"):
            ids(paged(instance))
    finally:
        rows.ids.reverse()


# ---- records that move while we read


def test_edits_inserts_and_deletes_between_pages(instance: Imitation, problems: list[str]) -> None:
    """Behind the cursor, on it and before it: what stands all along comes once, and the next poll brings the rest."""
    began = clock(instance)
    pages, seen, made = paged(instance), [], []
    doomed = [problems[35], problems[-1]]
    for number, page in enumerate(pages):
        seen += [record["sys_id"] for record in orjson.loads(page.body)]
        if number == 2:
            instance.edit("problem", problems[5], priority="1")
            instance.edit("problem", problems[-3], priority="1")
            made = [instance.write("problem", short_description="new", priority="3") for _ in range(8)]
            for key in doomed:
                instance.delete("problem", key)
    assert len(seen) == len(set(seen))
    assert {*problems} - {*doomed} <= {*seen}
    later = ids(paged(instance, since=began - OVERLAP))
    assert {problems[5], problems[-3], *made} <= {*later}


def test_a_late_commit_with_an_old_stamp_comes_with_the_overlap(instance: Imitation) -> None:
    """A long transaction: its stamp is older than our last poll, and nobody saw it then."""
    late = instance.write("problem", short_description="in a long transaction")
    instance.veil.hidden.add(late)
    began = clock(instance)
    assert late not in ids(paged(instance))
    for _ in range(5):  # the instance's clock goes on
        instance.write("problem", short_description="another")
    instance.veil.lift()
    stamp = datetime.fromisoformat(instance.tables["problem"].rows[late]["sys_updated_on"] + "+00:00")
    assert stamp <= began
    assert late in ids(paged(instance, since=began - OVERLAP))


# ---- a reading that was interrupted


@pytest.mark.parametrize("entity", ["problem", "sys_journal_field"])
def test_an_interrupted_reading_goes_on_where_it_was(instance: Imitation, entity: str) -> None:
    if entity == "sys_journal_field":
        for _ in range(50):
            instance.write(entity, name="problem", element="comments", element_id="0" * 32)
    everything = ids(paged(instance, entity))
    first = list(islice(paged(instance, entity, LONG_AGO), 2))
    instance.write("problem", short_description="the clock goes on")
    cursor = first[-1].cursor
    began = len(instance.asked())
    rest = list(poll(instance.configured(page_size=20), entity, None, cursor=cursor))
    got = ids([*first, *rest])
    assert len(got) == len(set(got))
    assert {*everything} <= {*got}
    assert {page.observed_at for page in [*first, *rest]} == {first[0].observed_at}  # the watermark rests on the first
    assert "2020-01-01" in instance.asked()[began]["query"]  # it is the same reading, whatever we are told now
    assert rest[-1].cursor != cursor


SMUGGLED = '{"since":null,"began":"2026-01-01 00:00:00","after":["x^NQactive=true"]}'


@pytest.mark.parametrize("cursor", ["", "[]", "{}", '{"since":null,"began":"x","after":["0"]}', SMUGGLED])
def test_a_cursor_that_is_none_is_refused(instance: Imitation, cursor: str) -> None:
    with pytest.raises(Refused):
        list(poll(instance.config, "problem", None, cursor=cursor))


def test_a_sweep_proves_its_own_moment(instance: Imitation) -> None:
    """The same content seen again later is another page: an old copy of it must not decide."""
    first = list(poll(instance.config, "sys_user_group", None, Feed.SWEEP))
    instance.write("problem", short_description="the clock goes on")
    second = list(poll(instance.config, "sys_user_group", None, Feed.SWEEP))
    assert first[0].body == second[0].body
    assert first[0].page_id != second[0].page_id


# ---- what an instance need not have


def contract(entity: str, **more: Any) -> Any:
    fields = {"number": {"from": "number", "as": "text"}, "root_cause": {"from": "u_cause_class", "as": "text"}}
    return read_contract(orjson.dumps({"entities": {entity: {"kind": "PROBLEM", "fields": fields, **more}}}).decode())


def test_an_optional_column_that_is_not_there_stops_nothing(instance: Imitation, problems: list[str]) -> None:
    document = """
    entities:
      problem:
        kind: PROBLEM
        fields:
          number: {from: number, as: text}
          root_cause: {from: u_cause_class, as: text, optional: true}
    """
    records = read(poll(instance.configured(contract=read_contract(document)), "problem", None))
    assert {record["sys_id"] for record in records} >= {*problems} - {problems[35], problems[-1]}
    with pytest.raises(SourceRefused, match="u_cause_class"):
        list(poll(instance.configured(contract=contract("problem")), "problem", None))


def test_an_optional_table_that_is_not_there_gives_nothing(instance: Imitation) -> None:
    absent = instance.configured(contract=contract("u_no_such_table", optional=True))
    assert list(poll(absent, "u_no_such_table", None)) == []
    with pytest.raises(SourceRefused, match="no such table"):
        list(poll(instance.configured(contract=contract("u_no_such_table")), "u_no_such_table", None))


def test_a_forbidden_optional_table_is_still_a_refusal(instance: Imitation) -> None:
    """Not there and not allowed are two things: the second needs a person."""
    instance.veil.forbidden.add("sys_user_group")
    given = instance.configured(contract=contract("sys_user_group", optional=True))
    with pytest.raises(SourceRefused, match="read rights"):
        list(poll(given, "sys_user_group", None))


def test_rows_of_a_child_table_stay_out(instance: Imitation) -> None:
    offering = instance.write("cmdb_ci_service", name="Mail, gold")
    instance.tables["cmdb_ci_service"].rows[offering]["sys_class_name"] = "service_offering"
    try:
        assert offering not in ids(paged(instance, "cmdb_ci_service"))
        assert len(ids(paged(instance, "cmdb_ci_service"))) == len(instance.tables["cmdb_ci_service"].rows) - 1
    finally:
        instance.delete("cmdb_ci_service", offering)


# ---- moves of single records


def test_the_audit_is_asked_record_by_record(instance: Imitation, problems: list[str]) -> None:
    moved, other = problems[1], problems[2]
    for count in range(25):
        row = {"tablename": "problem", "documentkey": moved, "oldvalue": str(count), "newvalue": str(count + 1)}
        instance.write("sys_audit", fieldname="state", user="ana", **row)
    instance.write("sys_audit", fieldname="description", tablename="problem", documentkey=moved, newvalue="hush")
    instance.write("sys_audit", fieldname="state", tablename="incident", documentkey=moved, newvalue="9")
    instance.write("sys_audit", fieldname="state", tablename="problem", documentkey=other, newvalue="107")
    began = len(instance.asked())
    pages = list(history(instance.configured(page_size=10), "problem", [moved, other, moved]))
    moves = read(pages)
    assert {page.entity for page in pages} == {"sys_audit"}
    assert [move["newvalue"] for move in moves if move["documentkey"] == moved][-25:] == [str(n) for n in range(1, 26)]
    assert "107" in {move["newvalue"] for move in moves if move["documentkey"] == other}
    assert "hush" not in str(moves)
    queries = [httpx.URL(f"http://x/?{entry['query']}").params["sysparm_query"] for entry in instance.asked()[began:]]
    assert all("documentkey=" in query and "IN" not in query.split("documentkey=")[1][:40] for query in queries)


def test_the_audit_is_never_read_by_time(instance: Imitation) -> None:
    began = len(instance.asked())
    assert list(poll(instance.config, "sys_audit", LONG_AGO)) == []
    assert instance.asked()[began:] == []


def test_a_history_takes_nothing_but_ids_and_names(instance: Imitation) -> None:
    with pytest.raises(Refused):
        list(history(instance.config, "problem^NQx=1", ["0" * 32]))
    with pytest.raises(Refused):
        list(history(instance.config, "problem", ["javascript:gs.sleep(9)"]))
    assert list(refetch(instance.config, "problem", [])) == []


def test_every_entity_that_we_ship_is_ours_alone() -> None:
    """Only what is read record by record is left out of polls."""
    assert [entity for entity, shape in standard().items() if shape.by_record] == ["sys_audit"]
