"""Payout addresses over HTTP: what can name no file is not there, and nobody learns which receivers exist."""

import pytest

from tests.api.conftest import Asking

KNOWN = "payroll-de-01"


async def status(ask: Asking, who: str, path: str, method: str = "GET") -> tuple[int, str]:
    headers = {"authorization": f"Bearer {ask.token(who)}", "idempotency-key": "k"}
    answer = await ask.client.request(method, path, headers=headers, content=b"x" if method == "POST" else None)
    return answer.status_code, answer.json().get("code", "")


@pytest.mark.parametrize(
    "path",
    [
        f"/payouts/{KNOWN}/2/",
        f"/payouts/{KNOWN}/-1/",
        f"/payouts/{KNOWN}/1.0/",
        f"/payouts/{KNOWN}/{'9' * 30}/",
        f"/payouts/{KNOWN}/{'9' * 5000}/",
        f"/payouts/{KNOWN}/1/x%00y",
        f"/payouts/{KNOWN}/1/..%2F..%2Fkeys",
        f"/payouts/{KNOWN}/1/x%0d%0aset-cookie:%20a=b",
        "/payouts/pay%00roll/1/",
        f"/payouts/{'a' * 300}/1/",
        "/payouts/..%2Fsandbox/1/payout.csv",
        "/payouts/%2e%2e/1/",
    ],
)
async def test_what_can_name_no_file_is_not_there(ask: Asking, path: str) -> None:
    assert (await status(ask, "paul", f"/payouts/{KNOWN}/1/"))[0] == 200
    assert await status(ask, "paul", path) == (404, "NOT_FOUND")


@pytest.mark.capability("I7.3")
@pytest.mark.parametrize("who", ["ana", "mia", "hanna", "finn", "ivo", "ava"])
async def test_only_payroll_acknowledges_and_others_learn_no_receiver(ask: Asking, who: str) -> None:
    for receiver in (KNOWN, "payroll-xx-99"):
        assert await status(ask, who, f"/payouts/{receiver}/1/acks", "POST") == (403, "ACCESS_DENIED")
    assert await status(ask, "paul", "/payouts/payroll-xx-99/1/acks", "POST") == (404, "NOT_FOUND")
    assert await status(ask, "paul", f"/payouts/{KNOWN}/1/acks", "POST") == (400, "SIGNATURE_INVALID")


@pytest.mark.capability("I7.3")
@pytest.mark.parametrize("who", ["ana", "mia", "hanna", "finn", "ivo"])
async def test_who_does_not_pay_reads_no_file(ask: Asking, who: str) -> None:
    for name in ("", "payout.csv", "manifest.json", "payout.csv.p7s", "nothing"):
        assert await status(ask, who, f"/payouts/{KNOWN}/1/{name}") == (403, "ACCESS_DENIED")
    assert (await ask.client.get(f"/payouts/{KNOWN}/1/payout.csv")).status_code == 401
