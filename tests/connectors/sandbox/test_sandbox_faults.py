"""What the sandbox does wrong when it is asked to, and the log it keeps."""

import pytest
import requests

from tests.connectors.sandbox.conftest import Served

PLACE = "/api/now/v2/table/sys_user_group"


def plan(sandbox: Served, name: str, **rest: object) -> None:
    fault = {"name": name, "match": {"table": "sys_user_group"}, **rest}
    requests.post(f"{sandbox.url}/_sandbox/faults", json=[fault], timeout=5).raise_for_status()


def get(sandbox: Served, **params: str) -> requests.Response:
    return sandbox.session.get(sandbox.url + PLACE, params=params, timeout=5, allow_redirects=False)


@pytest.fixture
def faulty(sandbox: Served) -> Served:
    requests.delete(f"{sandbox.url}/_sandbox/faults", timeout=5).raise_for_status()
    return sandbox


def test_an_error_comes_as_often_as_ordered_and_only_where_ordered(faulty: Served) -> None:
    plan(faulty, "http_error", times=2, params={"status": 503, "retry_after": 3})
    assert faulty.rows("core_company")
    answers = [get(faulty) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "3"


def test_some_requests_may_pass_first(faulty: Served) -> None:
    plan(faulty, "http_error", skip=1)
    assert [get(faulty).status_code for _ in range(3)] == [200, 503, 200]


def test_the_rate_limit_names_itself(faulty: Served) -> None:
    plan(faulty, "rate_limit", params={"retry_after": 7})
    answer = get(faulty)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "7"
    assert all(answer.headers[f"X-RateLimit-{name}"] for name in ("Limit", "Reset", "Rule"))
    assert answer.json()["error"]["message"] == "Rate limit exceeded"


@pytest.mark.parametrize(("shape", "rows"), [("error", 0), ("rows", 3), ("strings", 4)])
def test_a_cancelled_transaction_answers_200(faulty: Served, shape: str, rows: int) -> None:
    plan(faulty, "transaction_cancelled", params={"shape": shape})
    answer = get(faulty)
    body = answer.json()
    assert answer.status_code == 200
    assert len(body.get("result", [])) == rows
    assert ("error" in body) == (shape != "strings")
    assert "Transaction cancelled" in answer.text


def test_a_body_can_be_cut(faulty: Served) -> None:
    plan(faulty, "truncate", params={"bytes": 100})
    assert len(get(faulty).content) == 100
    plan(faulty, "truncate", params={"bytes": 100, "wrong_length": True})
    with pytest.raises(requests.RequestException):
        get(faulty)
    assert get(faulty).status_code == 200


def test_a_login_page_instead_of_json(faulty: Served) -> None:
    plan(faulty, "html_login")
    plan(faulty, "html_login", params={"status": 302})
    first, second = get(faulty), get(faulty)
    assert first.headers["content-type"].startswith("text/html")
    assert (second.status_code, second.headers["location"]) == (302, "/login.do")


def test_rows_are_capped_while_the_count_stays(faulty: Served) -> None:
    plan(faulty, "row_cap", params={"rows": 7})
    answer = get(faulty)
    assert len(answer.json()["result"]) == 7
    assert answer.headers["X-Total-Count"] == "40"


def test_a_write_can_happen_without_an_answer(own_sandbox: Served) -> None:
    order = {"name": "reset_after_write", "match": {"method": "POST"}}
    requests.post(f"{own_sandbox.url}/_sandbox/faults", json=order, timeout=5).raise_for_status()
    with pytest.raises(requests.RequestException):
        own_sandbox.session.post(f"{own_sandbox.url}/api/now/table/u_evenhand_score", json={"u_score": "1"}, timeout=5)
    assert len(own_sandbox.rows("u_evenhand_score")) == 1


def test_an_unknown_fault_is_refused(faulty: Served) -> None:
    answer = requests.post(f"{faulty.url}/_sandbox/faults", json=[{"name": "gremlins"}], timeout=5)
    assert answer.status_code == 400
    assert "gremlins" in answer.json()["error"]["what"]
    assert requests.post(f"{faulty.url}/_sandbox/faults", data="{", timeout=5).status_code == 400


def test_the_log_tells_what_was_asked_but_no_secret(faulty: Served) -> None:
    before = requests.get(f"{faulty.url}/_sandbox/state", timeout=5).json()["requests"]
    form = {"grant_type": "client_credentials", "client_id": "client", "client_secret": "made-up-secret"}
    requests.post(f"{faulty.url}/oauth_token.do", data=form, timeout=5)
    plan(faulty, "http_error")
    get(faulty, sysparm_limit="3")
    log = requests.get(f"{faulty.url}/_sandbox/log", params={"after": before}, timeout=5)
    assert [(e["method"], e["path"], e["status"], e["fault"]) for e in log.json()] == [
        ("POST", "/oauth_token.do", 200, ""), ("GET", PLACE, 503, "http_error")]  # fmt: skip
    assert log.json()[1]["query"] == "sysparm_limit=3"
    assert "made-up" not in log.text
