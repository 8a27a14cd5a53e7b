"""The Table API as clients see it, over real HTTP, with the real pysnow among them."""

import json
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import pysnow
import pytest
import requests

from connectors.sandbox.company import Company
from tests.connectors.sandbox.conftest import CREDENTIALS, Served


def page(sandbox: Served, table: str, query: str, limit: int = 1000, fields: str = "") -> list[dict[str, str]]:
    """One page by pysnow, a fresh resource each time."""
    client = pysnow.Client(host=sandbox.host, use_ssl=False, session=sandbox.session)
    resource = client.resource(api_path=f"/table/{table}")
    resource.parameters.exclude_reference_link = True
    resource.parameters.query, resource.parameters.limit = query, limit
    if fields:
        resource.parameters.fields = fields.split(",")
    return json.loads(resource.request("GET")._response.content)["result"]


def drain(sandbox: Served, table: str, query: str, limit: int = 1000, fields: str = "") -> Iterator[dict[str, str]]:
    """All rows by keyset pages, ended by an empty page."""
    cursor = ""
    while rows := page(sandbox, table, f"{query}sys_id>{cursor}^ORDERBYsys_id" if cursor else query + "ORDERBYsys_id",
                       limit, fields):  # fmt: skip
        yield from rows
        cursor = rows[-1]["sys_id"]


def test_pysnow_reads_every_incident_by_keyset_pages(own_sandbox: Served) -> None:
    requests.post(f"{own_sandbox.url}/_sandbox/deliver", json={"what": "live"}, timeout=30).raise_for_status()
    started = time.monotonic()
    rows = list(drain(own_sandbox, "incident", "sys_updated_on>=2025-01-01 00:00:00^"))
    seconds = time.monotonic() - started
    assert len(rows) == len({row["sys_id"] for row in rows}) == 20_000
    assert {row["sys_id"]: row for row in rows} == own_sandbox.app.state.sandbox.records.tables["incident"].rows
    assert seconds < 15


def test_pages_give_the_full_set_although_hundreds_share_a_second(sandbox: Served, company: Company) -> None:
    since = "2025-06-15 02:00:00"
    rows = list(drain(sandbox, "incident", f"sys_updated_on>={since}^", limit=331, fields="sys_id,sys_updated_on"))
    wanted = {i for i, row in company.tables["incident"].items() if row["sys_updated_on"] >= since}
    assert sum(row["sys_updated_on"] == since for row in rows) > 300
    assert len(rows) == len(wanted)
    assert {row["sys_id"] for row in rows} == wanted


def test_pysnow_creates_changes_and_deletes(own_sandbox: Served) -> None:
    def resource() -> pysnow.Resource:
        client = pysnow.Client(host=own_sandbox.host, use_ssl=False, session=own_sandbox.session)
        return client.resource(api_path="/table/u_evenhand_score")

    made = resource().create({"u_person": "E10007", "u_score": 87, "u_final": True, "u_note": None}).one()
    assert (made["u_score"], made["u_final"], made["u_note"], made["sys_mod_count"]) == ("87", "true", "", "0")
    changed = resource().update({"sys_id": made["sys_id"]}, {"u_score": "88"}).one()
    assert (changed["u_score"], changed["sys_mod_count"]) == ("88", "1")
    assert changed["sys_updated_on"] > made["sys_updated_on"]
    assert changed["sys_updated_by"] == "evenhand.integration"
    resource().delete({"sys_id": made["sys_id"]})
    assert own_sandbox.rows("u_evenhand_score") == []
    assert own_sandbox.rows("sys_audit_delete")[0]["documentkey"] == made["sys_id"]


def test_a_write_that_changes_nothing_is_no_update(own_sandbox: Served) -> None:
    row = own_sandbox.rows("incident", sysparm_limit="1")[0]
    url = f"{own_sandbox.url}/api/now/table/incident/{row['sys_id']}?sysparm_exclude_reference_link=true"
    same = own_sandbox.session.patch(url, json={"state": row["state"], "sys_mod_count": "99"}, timeout=5).json()[
        "result"
    ]
    assert same == row


def test_work_notes_go_to_the_journal(own_sandbox: Served) -> None:
    row = own_sandbox.rows("incident", sysparm_limit="1")[0]
    url = f"{own_sandbox.url}/api/now/table/incident/{row['sys_id']}"
    for _ in range(2):
        after = own_sandbox.session.patch(url, json={"work_notes": "EH-01J9ZK3"}, timeout=5).json()["result"]
    notes = own_sandbox.rows("sys_journal_field", f"element_id={row['sys_id']}^element=work_notes^valueLIKEEH-01J9ZK3")
    assert len(notes) == 2
    assert after["work_notes"] == ""
    assert int(after["sys_mod_count"]) == int(row["sys_mod_count"]) + 2


@pytest.mark.parametrize("auth", [None, ("evenhand.integration", "wrong"), ("", "")])
def test_nobody_reads_without_credentials(sandbox: Served, auth: tuple[str, str] | None) -> None:
    answer = requests.get(f"{sandbox.url}/api/now/table/incident", auth=auth, timeout=5)
    assert answer.status_code == 401
    assert answer.json() == {
        "error": {"message": "User Not Authenticated", "detail": "Required to provide Auth information"},
        "status": "failure",
    }


def test_a_client_asks_for_a_token(sandbox: Served) -> None:
    login = CREDENTIALS.servicenow
    form = {"grant_type": "client_credentials", "client_id": login.client_id, "client_secret": login.client_secret}
    given = requests.post(f"{sandbox.url}/oauth_token.do", data=form, timeout=5).json()
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 1799)
    bearer = {"Authorization": f"Bearer {given['access_token']}"}
    url = f"{sandbox.url}/api/now/stats/incident?sysparm_count=true"
    count = requests.get(url, headers=bearer, timeout=5).json()["result"]["stats"]["count"]
    assert count == str(len(sandbox.app.state.sandbox.records.tables["incident"].rows))
    assert requests.get(url, headers={"Authorization": "Bearer other"}, timeout=5).status_code == 401
    wrong = requests.post(f"{sandbox.url}/oauth_token.do", data={**form, "client_secret": "x"}, timeout=5)
    assert wrong.status_code == 401


def test_headers_tell_count_pages_and_the_instance_clock(sandbox: Served) -> None:
    url = f"{sandbox.url}/api/now/table/cmdb_ci_service"
    answer = sandbox.session.get(url, params={"sysparm_limit": "5", "sysparm_offset": "5"}, timeout=5)
    assert answer.headers["X-Total-Count"] == "12"
    assert {link["rel"] for link in requests.utils.parse_header_links(answer.headers["Link"])} == {
        "first", "prev", "next", "last"}  # fmt: skip
    assert parsedate_to_datetime(answer.headers["Date"]) == sandbox.app.state.sandbox.records.now
    bare = sandbox.session.get(url, params={"sysparm_no_count": "true", "sysparm_limit": "5"}, timeout=5)
    assert len(bare.json()["result"]) == 5
    assert not {"X-Total-Count", "Link"} & set(bare.headers)


def test_the_limit_is_ten_thousand_unless_another_is_asked_for(sandbox: Served) -> None:
    assert len(sandbox.rows("task_sla", sysparm_fields="sys_id")) == 10_000
    assert len(sandbox.rows("task_sla", sysparm_fields="sys_id", sysparm_limit="10001")) == 10_001


def test_references_are_links_values_or_labels(sandbox: Served) -> None:
    url, fields = f"{sandbox.url}/api/now/table/sys_user_group", "manager,name,manager.user_name,no_such"
    params = {"sysparm_limit": "1", "sysparm_fields": fields}
    plain = sandbox.session.get(url, params=params, timeout=5).json()["result"][0]
    sys_id = plain["manager"]["value"]
    assert plain["manager"]["link"] == f"{sandbox.url}/api/now/table/sys_user/{sys_id}"
    person = sandbox.session.get(plain["manager"]["link"], timeout=5).json()["result"]
    assert plain["manager.user_name"] == person["user_name"]
    assert "no_such" not in plain
    bare = sandbox.session.get(url, params={**params, "sysparm_exclude_reference_link": "true"}, timeout=5).json()
    assert bare["result"][0]["manager"] == sys_id
    both = sandbox.session.get(url, params={**params, "sysparm_display_value": "all"}, timeout=5).json()["result"][0]
    assert both["manager"]["display_value"] == person["name"]
    assert both["name"] == {"display_value": plain["name"], "value": plain["name"]}


def test_no_rows_is_404_in_v1_and_an_empty_list_in_v2(sandbox: Served) -> None:
    query = {"sysparm_query": "number=NONE"}
    assert sandbox.session.get(f"{sandbox.url}/api/now/v1/table/incident", params=query, timeout=5).status_code == 404
    answer = sandbox.session.get(f"{sandbox.url}/api/now/v2/table/incident", params=query, timeout=5)
    assert (answer.status_code, answer.json()) == (200, {"result": []})


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "incident/" + "0" * 32, None, 404),
        ("PATCH", "incident/" + "0" * 32, "{}", 404),
        ("DELETE", "incident/" + "0" * 32, None, 404),
        ("GET", "no_such_table", None, 400),
        ("POST", "u_evenhand_score", "{broken", 400),
        ("POST", "u_evenhand_score", "[]", 400),
    ],
)
def test_what_cannot_be_done_is_refused(sandbox: Served, method: str, path: str, body: str | None, status: int) -> None:
    answer = sandbox.session.request(method, f"{sandbox.url}/api/now/table/{path}", data=body, timeout=5)
    assert answer.status_code == status
    assert answer.json()["status"] == "failure"
