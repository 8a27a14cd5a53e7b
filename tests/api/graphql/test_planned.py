"""Questions that once got another answer than they should have, found by generated documents (generated/)."""

from tests.api.conftest import Asking


async def test_a_refusal_beside_a_read_is_an_answer(ask: Asking) -> None:
    """The refusal ends a list while its neighbours are being read: their read is cancelled in the middle."""
    query = """{ people(first: 3) { nodes { scores(first: 0) { nodes { id } } } }
                 services(first: 50) { nodes { id } } teams(first: 50) { nodes { id name } } }"""
    answer = await ask.post("ava", query)
    assert answer.status_code == 200
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "PAGE_SIZE_REQUIRED"
    assert await ask("ava", query.replace("first: 0", "first: 1"))
