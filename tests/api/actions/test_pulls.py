"""Payroll's side: a pull is remembered once, and an acknowledgement counts when it is signed, agreed and adds up."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any
from uuid import UUID

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import OKPKey

from api.actions import pulls
from api.actions.pulls import Address, Served
from engine.canonical import canonical_json
from engine.payfile import FIRST_IN_CHAIN
from engine.refusal import Code, Refused
from engine.words import Role
from tests.api.actions.firm import EARNERS, NOW, RECEIVER, Firm, grant, person, refused

ADDRESS = Address(RECEIVER.name, 1)


def fresh_key() -> OKPKey:
    private = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return OKPKey.import_key(private)


KEY, STRANGER = fresh_key(), fresh_key()
REGISTERED = {"keys": [KEY.as_dict(private=False) | {"kid": KEY.thumbprint()}]}


async def pull(firm: Firm, name: str = "payout.csv", who: str = "payroll", address: Address = ADDRESS) -> Served:
    return await pulls.pull(firm.store, firm.log, firm.viewer(who), address, name, NOW)


async def words(firm: Firm, stage: str, reject: tuple[str, ...] = (), sequence: int = 1) -> dict[str, Any]:
    """What an honest receiver says about a file, with the totals of the lines that it takes."""
    (file,) = await firm.rows("select * from pay.file where sequence = $1", sequence)
    lines = await firm.rows("select * from pay.line where file_id = $1 and state = 'open'", file["id"])
    taken = [each["amount_minor"] for each in lines if each["line_id"] not in reject and stage != "rejected"]
    total = {"currency": "EUR", "records": len(taken), "net_minor": str(sum(taken))}
    return {
        "v": 1, "type": "evenhand-payout-ack/v1", "receiver": RECEIVER.name, "file_id": str(file["id"]),
        "sequence": sequence, "manifest_sha256": file["manifest_sha256"], "stage": stage, "at": "2026-11-21T09:00:00Z",
        "default_status": stage, "totals": [total] if taken else [],
        "exceptions": [{"line_id": each, "status": "rejected", "code": "UNKNOWN"} for each in reject],
    }  # fmt: skip


def signed(said: Any, key: OKPKey = KEY, **header: str) -> bytes:
    named = {"alg": "Ed25519", "kid": key.thumbprint()} | header
    content = canonical_json(said) if not isinstance(said, bytes) else said
    return jws.serialize_compact(named, content, key, algorithms=["Ed25519"]).encode()


async def tell(firm: Firm, body: bytes, key: str = "k1", who: str = "payroll", sequence: int = 1) -> dict[str, Any]:
    address = Address(RECEIVER.name, sequence)
    return await pulls.acknowledge(firm.store, firm.log, firm.viewer(who), address, key, body, REGISTERED, NOW)


async def balance(firm: Firm, account: str) -> int:
    found = await firm.value(
        "select coalesce(sum(amount_minor), 0)::bigint from ledger.posting where account = $1", account
    )
    return int(found)


# ---- pulling


@pytest.mark.capability("X1")
async def test_the_first_pull_of_the_data_is_remembered_and_repeats_change_nothing(released: Firm) -> None:
    firm, before = released, await released.entries()
    untouched = await firm.fingerprint()
    manifest = await pull(firm, "manifest.json")
    assert manifest.media_type == "application/json"
    assert await firm.fingerprint() == untouched  # looking at the manifest is not yet taking the data
    served = await pull(firm)
    (file,) = await firm.rows("select state, pulled_at, csv, manifest from pay.file")
    assert (file["state"], file["pulled_at"]) == ("PULLED", NOW)
    assert (served.body, manifest.body) == (file["csv"], file["manifest"])
    assert await firm.entries() - before == Counter({"payout.pulled/v1": 1})
    (said,) = await firm.payloads("payout.pulled/v1")
    assert said["actor"] == f"p-{person('payroll')}"
    after = await firm.fingerprint()
    for name in ("payout.csv", "manifest.json", "manifest.json.jws", "payout.csv"):
        await pull(firm, name)
    assert await firm.fingerprint() == after


@pytest.mark.capability("X1")
async def test_an_auditor_reads_and_has_pulled_nothing(released: Firm) -> None:
    before = await released.fingerprint()
    assert (await pull(released, who="auditor")).body == await released.value("select csv from pay.file")
    assert await pulls.listing(released.store, released.viewer("auditor"), ADDRESS)
    assert await released.fingerprint() == before


async def test_two_first_pulls_at_once_are_remembered_once(released: Firm) -> None:
    served = await asyncio.gather(*[pull(released) for _ in range(4)])
    assert len({each.etag for each in served}) == 1
    assert (await released.entries())["payout.pulled/v1"] == 1


@pytest.mark.capability("X1")
async def test_what_is_not_there_and_who_may_not_look(released: Firm) -> None:
    for address, name in (
        (Address(RECEIVER.name, 2), "payout.csv"),
        (Address("payroll-fr-01", 1), "payout.csv"),
        (ADDRESS, "payout.xlsx"),
        (ADDRESS, "../keys"),
    ):
        await refused(released, Code.NOT_FOUND, partial(pull, released, name, address=address))
    for who in ("finance", "hr", "plan-admin", "ann", "nobody"):
        for name in ("payout.csv", "manifest.json", "payout.csv.p7s"):
            await refused(released, Code.ACCESS_DENIED, partial(pull, released, name, who))
        listing = partial(pulls.listing, released.store, released.viewer(who), ADDRESS)
        await refused(released, Code.ACCESS_DENIED, listing)


# ---- acknowledging


@pytest.mark.capability("G9")
async def test_accepted_then_paid(pulled: Firm) -> None:
    firm, before = pulled, await pulled.entries()
    answer = await tell(firm, signed(await words(firm, "accepted")))
    assert (answer["state"], answer["rejected_lines"]) == ("ACCEPTED", [])
    assert set((await firm.states()).values()) == {"IN_PAYROLL"}  # accepting is not paying
    answer = await tell(firm, signed(await words(firm, "paid")), "k2")
    assert answer["state"] == "PAID"
    assert set((await firm.states()).values()) == {"PAID"}
    lines = await firm.rows("select distinct state from pay.line")
    assert [row[0] for row in lines] == ["paid"]
    assert await firm.entries() - before == Counter({"payout.acked/v1": 2})
    assert [each["data"]["stage"] for each in await firm.payloads("payout.acked/v1")] == ["accepted", "paid"]
    for stage in ("accepted", "paid", "rejected"):  # what was paid stays paid
        body = signed(await words(firm, stage) | {"totals": []})
        await refused(firm, Code.STATE_CONFLICT, partial(tell, firm, body, f"again-{stage}"))


async def test_stages_come_in_their_order(released: Firm) -> None:
    for stage in ("accepted", "rejected", "paid"):  # nothing can be said about what was never taken
        await refused(released, Code.STATE_CONFLICT, partial(tell, released, signed(await words(released, stage))))
    await pull(released)
    for stage in ("paid", "celebrated"):
        await refused(released, Code.STATE_CONFLICT, partial(tell, released, signed(await words(released, stage))))


@pytest.mark.capability("I3.5")
async def test_only_payroll_that_neither_profits_nor_decided_may_say_so(pulled: Firm) -> None:
    body = signed(await words(pulled, "accepted"))
    for who in ("hr", "finance", "auditor", "ann"):
        await refused(pulled, Code.ACCESS_DENIED, partial(tell, pulled, body, who=who))
    for who, relation in (("hr", "submitter"), ("finance", "approver"), ("ann", "beneficiary")):
        await grant(pulled.store, person(who), Role.PAYROLL)
        await refused(pulled, Code.SOD_VIOLATION, partial(tell, pulled, body, who=who), relation)


@pytest.mark.capability("X1")
async def test_a_signature_that_does_not_fit_is_not_read(pulled: Firm) -> None:
    said = await words(pulled, "accepted")
    good = signed(said)
    head, payload, signature = good.split(b".")
    other = signed(said | {"at": "2026-11-22T09:00:00Z"}).split(b".")[1]
    for body in (
        signed(said, STRANGER),
        signed(said, STRANGER, kid=KEY.thumbprint()),
        b".".join((head, other, signature)),
        b".".join((head, payload, b"")),
        b".".join((b"eyJhbGciOiJub25lIn0", payload, b"")),
        canonical_json(said),
        b"",
        b"a.b.c",
        b"\xff\xfe",
        signed(b"not json"),
    ):
        await refused(pulled, Code.SIGNATURE_INVALID, partial(tell, pulled, body))
    assert (await tell(pulled, good))["state"] == "ACCEPTED"


async def test_other_words_than_agreed_are_refused_without_a_trace(pulled: Firm) -> None:
    said = await words(pulled, "accepted")
    (total,) = said["totals"]
    wrong: list[Any] = [
        [], "accepted", None, {},
        said | {"more": 1},
        {name: value for name, value in said.items() if name != "at"},
        said | {"v": 2},
        said | {"type": "evenhand-payout-ack/v2"},
        said | {"stage": ["accepted"]},
        said | {"default_status": "rejected"},
        said | {"exceptions": None},
        said | {"exceptions": ["L000001"]},
        said | {"exceptions": [{"status": "rejected"}]},
        said | {"exceptions": [{"line_id": 1, "status": "rejected"}]},
        said | {"exceptions": [{"line_id": "L999999", "status": "rejected"}]},
        said | {"exceptions": [{"line_id": "L000001", "status": "returned"}]},  # what would that mean for the money?
        said | {"exceptions": [{"line_id": "L000001"}]},
        said | {"receiver": "payroll-fr-01"},
        said | {"sequence": 2},
        said | {"file_id": "0b9d5c1e-7a44-4a0e-9a3b-51f0c2f0a042"},
        said | {"manifest_sha256": "0" * 64},
        said | {"totals": []},
        said | {"totals": {}},
        said | {"totals": [total, total]},
        said | {"totals": [total | {"net_minor": str(int(total["net_minor"]) + 1)}]},
        said | {"totals": [total | {"net_minor": int(total["net_minor"])}]},
        said | {"totals": [total | {"records": total["records"] - 1}]},
        said | {"totals": [total | {"currency": "USD"}]},
        said | {"exceptions": [{"line_id": "L000001", "status": "rejected"}]},  # totals still count it
    ]  # fmt: skip
    for each in wrong:
        await refused(pulled, Code.BAD_INPUT, partial(tell, pulled, signed(orjson.dumps(each))))


async def test_saying_it_twice_is_saying_it_once(pulled: Firm) -> None:
    body = signed(await words(pulled, "accepted"))
    answer = await tell(pulled, body)
    after = await pulled.fingerprint()
    assert await tell(pulled, body) == answer
    assert await pulled.fingerprint() == after
    other = signed(await words(pulled, "paid"))
    await refused(pulled, Code.IDEMPOTENCY_CONFLICT, partial(tell, pulled, other))
    assert (await tell(pulled, other, "k2"))["state"] == "PAID"
    assert await tell(pulled, body) == answer  # the old answer stays the answer


async def test_the_same_words_at_once_count_once(pulled: Firm) -> None:
    body = signed(await words(pulled, "accepted"))
    answers = await asyncio.gather(*[tell(pulled, body) for _ in range(4)])
    assert all(each == answers[0] for each in answers)
    assert (await pulled.entries())["payout.acked/v1"] == 1
    assert await pulled.value("select count(*) from pay.ack") == 1


@pytest.mark.capability("G9")
async def test_rejected_lines_go_into_the_next_file_and_the_chain_goes_on(pulled: Firm) -> None:
    firm = pulled
    answer = await tell(firm, signed(await words(firm, "accepted", ("L000002", "L000004"))))
    assert (answer["state"], answer["rejected_lines"]) == ("PARTLY_ACCEPTED", ["L000002", "L000004"])
    back = {ref for ref, state in (await firm.states()).items() if state == "APPROVED"}
    assert back == {"AW-2026-000002", "AW-2026-000004"}
    await tell(firm, signed(await words(firm, "paid")), "k2")
    states = await firm.states()
    assert Counter(states.values()) == Counter({"PAID": 3, "APPROVED": 2})
    await firm.approve_file("finance")
    await firm.approve_file("second")
    assert await firm.release()
    first, second = await firm.rows("select * from pay.file order by sequence")
    assert first["previous_manifest_sha256"] == FIRST_IN_CHAIN
    assert (second["sequence"], second["line_count"]) == (2, 2)
    assert second["previous_manifest_sha256"] == first["manifest_sha256"]
    manifest = orjson.loads(second["manifest"])
    assert (manifest["sequence"], manifest["previous_manifest_sha256"]) == (2, first["manifest_sha256"])
    lines = await firm.rows("select line_id, award_ref from pay.line where file_id = $1 order by 1", second["id"])
    assert [tuple(row) for row in lines] == [("L000006", "AW-2026-000002"), ("L000007", "AW-2026-000004")]
    await pull(firm, address=Address(RECEIVER.name, 2))
    await tell(firm, signed(await words(firm, "accepted", sequence=2)), "k3", sequence=2)
    await tell(firm, signed(await words(firm, "paid", sequence=2)), "k4", sequence=2)
    assert set((await firm.states()).values()) == {"PAID"}
    owed = await firm.value("select sum(earned_minor)::bigint from pay.award_amount")
    assert await balance(firm, "Assets:PayrollClearing") == -owed  # everybody once
    assert (
        await firm.value(
            "select max(n) from (select count(*) n from pay.line where state = 'paid' group by award_ref) x"
        )
        == 1
    )


async def test_a_whole_file_can_be_rejected_and_comes_again(pulled: Firm) -> None:
    firm = pulled
    answer = await tell(firm, signed(await words(firm, "rejected")))
    assert (answer["state"], len(answer["rejected_lines"])) == ("REJECTED", len(EARNERS))
    assert set((await firm.states()).values()) == {"APPROVED"}
    assert await balance(firm, "Liabilities:Incentive:InPayroll") == 0
    await refused(firm, Code.STATE_CONFLICT, partial(tell, firm, signed(await words(firm, "paid")), "k2"))
    await firm.approve_file("finance")
    await firm.approve_file("second")
    assert isinstance(await firm.release(), UUID)
    assert await firm.value("select count(*) from pay.line where state = 'open'") == len(EARNERS)


async def test_a_line_can_fail_after_it_was_accepted(pulled: Firm) -> None:
    firm = pulled
    await tell(firm, signed(await words(firm, "accepted")))
    answer = await tell(firm, signed(await words(firm, "paid", ("L000003",))), "k2")
    assert (answer["state"], answer["rejected_lines"]) == ("PAID", ["L000003"])
    assert Counter((await firm.states()).values()) == Counter({"PAID": 4, "APPROVED": 1})


async def test_an_acknowledgement_needs_the_file_to_be_known(pulled: Firm) -> None:
    body = signed(await words(pulled, "accepted"))
    with pytest.raises(Refused) as no:
        await tell(pulled, body, sequence=3)
    assert no.value.code is Code.NOT_FOUND
