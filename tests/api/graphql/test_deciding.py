"""Deciding over GraphQL, and proving it: approvals, stale versions, conflicts of interest, proofs that verify."""

from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.house import House
from api.ids import global_id
from engine.explain import from_json, reevaluate
from engine.findings import walk
from engine.merkle import leaf_hash, verify_inclusion
from engine.notes import parse_checkpoint, parse_note
from schema.embedded import Server
from schema.store import DbRole, Viewer
from tests.api.conftest import Asking, asking, small
from tests.api.small_house import EARNERS, key, person

APPROVE = """mutation ($key: ID!, $id: ID!, $version: Int!) { approveAward(
  input: {idempotencyKey: $key, awardId: $id, expectedVersion: $version}) {
  award { id state version amounts { earned { amountMinor } } } userErrors { field code message fix } } }"""
REJECT = """mutation ($key: ID!, $id: ID!, $reason: String!) { rejectAward(
  input: {idempotencyKey: $key, awardId: $id, expectedVersion: 1, reason: $reason}) {
  award { state } userErrors { code } } }"""


@pytest.fixture(scope="module")
async def house(postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A house of its own: what is decided here would be seen by others."""
    async with small(postgres, template, tmp_path_factory.mktemp("deciding") / "keys", "deciding") as opened:
        yield opened


@pytest.fixture(scope="module")
async def ask(house: House) -> AsyncIterator[Asking]:
    async with asking(house) as ready:
        yield ready


def award(name: str) -> str:
    return global_id("Award", key("award", name))


async def approve(ask: Asking, who: str, name: str, version: int = 1) -> dict[str, Any]:
    found = await ask(who, APPROVE, key=uuid4().hex, id=award(name), version=version)
    return dict(found["approveAward"])


async def journals(house: House) -> int:
    async with house.store.begin(DbRole.PAY, Viewer(person("finn"))) as connection:
        return int((await connection.execute(text("select count(*) from ledger.journal"))).scalar_one())


async def test_who_may_not_decide_changes_nothing(house: House, ask: Asking) -> None:
    before = await journals(house)
    for who in ("ana", "mia", "hanna", "ava", "ivo", "paul"):
        refused = await approve(ask, who, "ben")
        assert refused["award"] is None
        assert refused["userErrors"][0]["code"] == "ACCESS_DENIED"
        assert refused["userErrors"][0]["fix"]
    assert await journals(house) == before


async def test_a_stale_version_an_unknown_award_and_a_second_decision(house: House, ask: Asking) -> None:
    assert (await approve(ask, "finn", "dan", version=7))["userErrors"][0]["code"] == "STATE_CONFLICT"
    assert (await approve(ask, "finn", "nobody"))["userErrors"][0]["code"] == "NOT_FOUND"
    found = await ask("finn", APPROVE, key="nonsense", id="nonsense", version=1)
    assert found["approveAward"]["userErrors"][0]["code"] == "NOT_FOUND"
    done = await approve(ask, "finn", "dan")
    assert done["userErrors"] == []
    # The payload is read after the commit: the new state and version.
    assert done["award"] == {
        "id": award("dan"), "state": "APPROVED", "version": 2, "amounts": {"earned": {"amountMinor": "200000"}},
    }  # fmt: skip
    assert await journals(house) > 0
    assert (await approve(ask, "finn", "dan", version=2))["userErrors"][0]["code"] == "NOT_FOUND"


async def test_a_rejection_needs_a_reason(ask: Asking) -> None:
    short = await ask("finn", REJECT, key="one", id=award("max"), reason="no")
    assert short["rejectAward"]["userErrors"] == [{"code": "BAD_INPUT"}]
    endless = await ask("finn", REJECT, key="one", id=award("max"), reason="x" * 2001)
    assert endless["rejectAward"]["userErrors"] == [{"code": "BAD_INPUT"}]
    done = await ask("finn", REJECT, key="one", id=award("max"), reason="The target was agreed with another team.")
    assert done["rejectAward"] == {"award": {"state": "REJECTED"}, "userErrors": []}


async def test_proofs_verify_without_us(house: House, ask: Asking) -> None:
    """The path leads from the leaf that was shown to the root of the signed checkpoint; hidden rows are not proved."""
    query = """{ auditRecords(first: 50, filter: {action: ["award.granted/v1"]}) { nodes { leaf leafHash proof {
                 index treeSize leafHash path checkpoint } } } }"""
    records = (await ask("ava", query))["auditRecords"]["nodes"]
    proved = [record for record in records if record["proof"]]
    assert len(proved) >= len(EARNERS)
    for record in proved:
        proof = record["proof"]
        head = parse_checkpoint(parse_note(proof["checkpoint"]).text)
        leaf = leaf_hash(record["leaf"].encode())
        assert b64decode(proof["leafHash"]) == b64decode(record["leafHash"]) == leaf
        path = [b64decode(step) for step in proof["path"]]
        assert head.size == int(proof["treeSize"])
        verify_inclusion(leaf, int(proof["index"]), head.size, path, head.root)
    mine = (await ask("ana", query))["auditRecords"]["nodes"]
    assert len(mine) == 1
    assert mine[0]["proof"]["path"]


async def test_an_audit_record_by_its_place(ask: Asking) -> None:
    query = '{ auditRecord(by: {index: "0"}) { action proof { index } } }'
    assert (await ask("ava", query))["auditRecord"]["proof"]["index"] == "0"
    assert (await ask("ana", query))["auditRecord"] is None, "positions are for auditors"


async def test_a_trace_can_be_computed_again(ask: Asking) -> None:
    """What explain hands out is enough to re-evaluate every node, and its sentences stand beside."""
    query = """query ($id: ID!, $depth: Int!) { explain(id: $id, depth: $depth) {
                 tree root { sentence cut inputs { label } } } }"""
    found = (await ask("ana", query, id=award("ana"), depth=9))["explain"]
    assert found["root"]["sentence"]
    assert not found["root"]["cut"]
    nodes = list(walk(from_json(found["tree"])))
    assert len(nodes) == 4
    assert all(reevaluate(node) == node.value for node in nodes)
    cut = (await ask("ana", query, id=award("ana"), depth=0))["explain"]
    assert (cut["root"]["cut"], cut["root"]["inputs"]) == (True, [])
    assert cut["tree"]["because"] == []
