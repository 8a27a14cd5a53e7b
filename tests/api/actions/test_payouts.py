"""Payout files: two approvals of the same bytes, one file for one award, mended when cut off, chained for ever."""

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.actions import awards, payouts, plans, proofs, pulls, runs
from api.actions.drafts import draft
from api.verify import verify_folder
from engine.money import CURRENCY_DIGITS
from engine.notes import parse_checkpoint, parse_note
from engine.payfile import read_csv
from engine.refusal import Code, Refused
from engine.words import Role
from schema.store import DbRole, Viewer
from tests.api.actions.firm import (
    EARNERS,
    NOW,
    ORIGIN,
    OTHER_TENANT,
    PLACES,
    RECEIVER,
    Firm,
    again,
    bring_in,
    grant,
    organisation,
    person,
    plan,
    refused,
)


async def files(firm: Firm) -> list[Any]:
    return await firm.rows("select * from pay.file order by sequence")


@pytest.mark.capability("I3.5")
async def test_two_different_people_must_approve_the_same_bytes(approved: Firm) -> None:
    firm = approved
    await refused(firm, Code.SOD_VIOLATION, firm.release, "fewer than two approvals")
    assert await firm.approve_file("finance")
    assert not await firm.approve_file("finance")  # the same person again is nothing
    await refused(firm, Code.SOD_VIOLATION, firm.release, "fewer than two approvals")
    assert await firm.approve_file("second")
    file_id = await firm.release()
    (file,) = await files(firm)
    assert (file["state"], UUID(str(file["id"]))) == ("RELEASED", file_id)
    assert await firm.entries() >= Counter({"payout.approved/v1": 2, "payout.released/v1": 1})
    ids = await firm.rows("select id::text from audit.entry where ty = 'payout.approved/v1'")
    assert set(orjson.loads(file["manifest"])["audit"]["approvals"]) == {row[0] for row in ids}


@pytest.mark.capability("I3.5")
async def test_an_approval_is_worth_nothing_for_other_bytes(submitted: Firm) -> None:
    """Both approve a file of one award; then there are two awards, and so another file."""
    firm, finance = submitted, submitted.viewer("finance")
    ids = [UUID(str(row[0])) for row in await firm.rows("select id from pay.award order by award_ref")]
    await awards.approve(firm.store, firm.log, finance, ids[0], 1, NOW)
    assert await firm.approve_file("finance")
    assert await firm.approve_file("second")
    await awards.approve(firm.store, firm.log, finance, ids[1], 1, NOW)
    await refused(firm, Code.SOD_VIOLATION, firm.release, "fewer than two approvals")
    assert await firm.approve_file("finance")
    assert await firm.approve_file("second")
    assert await firm.release()
    assert (await files(firm))[0]["line_count"] == 2


@pytest.mark.capability("I3.5")
async def test_who_submitted_or_profits_neither_approves_nor_releases(approved: Firm) -> None:
    firm = approved
    await grant(firm.store, person("hr"), Role.FINANCE)
    await grant(firm.store, person("bea"), Role.FINANCE)
    for name, relation in (("hr", "submitter"), ("bea", "beneficiary")):
        await refused(firm, Code.SOD_VIOLATION, partial(firm.approve_file, name), relation)
    assert await firm.approve_file("finance")
    assert await firm.approve_file("second")
    for name, relation in (("hr", "submitter"), ("bea", "beneficiary")):
        await refused(firm, Code.SOD_VIOLATION, partial(firm.release, name), relation)
    for name in ("payroll", "auditor", "plan-admin", "ann"):
        await refused(firm, Code.ACCESS_DENIED, partial(firm.approve_file, name))
        await refused(firm, Code.ACCESS_DENIED, partial(firm.release, name))


@pytest.mark.capability("G9")
async def test_the_file_says_what_was_awarded_and_verifies_outside(released: Firm, tmp_path: Path) -> None:
    firm = released
    (file,) = await files(firm)
    lines = read_csv(file["csv"], CURRENCY_DIGITS)
    wanted = await firm.rows(
        """select a.award_ref, p.employee_number, m.earned_minor from pay.award a
             join pay.award_amount m on m.award_id = a.id join mirror.person p on p.id = a.person_id
            order by a.award_ref"""
    )
    assert [(x.award_ref, x.employee_id, x.amount_minor) for x in lines] == [tuple(row) for row in wanted]
    assert [x.line_id for x in lines] == [f"L{number:06}" for number in range(1, 6)]
    assert file["net_minor"] == sum(row["earned_minor"] for row in wanted)
    assert set((await firm.states()).values()) == {"IN_PAYROLL"}
    payroll, address = firm.viewer("payroll"), pulls.Address(RECEIVER.name, 1)
    listed = await pulls.listing(firm.store, payroll, address)
    for name in listed["files"]:
        served = await pulls.pull(firm.store, firm.log, payroll, address, name, NOW)
        (tmp_path / name).write_bytes(served.body)
    (tmp_path / "payout-ca.pem").write_bytes(firm.signer.payout_ca_pem)
    (tmp_path / "jwks.json").write_bytes(orjson.dumps(firm.signer.jwks()))
    (tmp_path / "log.vkey").write_text(firm.signer.vkey(ORIGIN) + "\n")
    checks = verify_folder(tmp_path)
    assert len(checks) > 5
    assert [str(each) for each in checks if not each.ok] == []
    (tmp_path / "payout.csv").write_bytes(file["csv"].replace(b"L000001", b"L000009"))
    assert [each for each in verify_folder(tmp_path) if not each.ok]


@pytest.mark.capability("G9")
async def test_releasing_again_pays_nobody_twice(released: Firm) -> None:
    before = await released.fingerprint(without=PLACES)
    for name in ("finance", "second"):
        assert await released.release(name) is None
        assert not await released.approve_file(name)
    assert await released.fingerprint(without=PLACES) == before


@pytest.mark.capability("G9")
async def test_an_award_that_is_put_back_by_hand_is_not_paid_twice(released: Firm) -> None:
    """With SQL as the money role: the line that payroll holds still counts, and there is never a second one."""
    finance = released.viewer("finance")
    async with released.store.begin(DbRole.PAY, finance) as connection:
        await connection.execute(text("update pay.award set state = 'APPROVED'"))
    assert not await released.approve_file("finance")
    assert await released.release() is None
    second = """insert into pay.line
                select tenant_id, 'L999999', file_id, award_ref, part_no, kind, person_id, currency, amount_minor,
                       'open'
                  from pay.line limit 1"""
    with pytest.raises(DBAPIError, match="one_live_line"):
        async with released.store.begin(DbRole.PAY, finance) as connection:
            await connection.execute(text(second))


async def prepared(firm: Firm) -> None:
    """A release that was cut off after its first commit: the file is there, nothing is signed."""
    finance = firm.viewer("finance")
    await firm.approve_file("finance")
    await firm.approve_file("second")
    await firm.log.sequence(firm.store, NOW)
    async with firm.store.begin(DbRole.SEQUENCER, finance) as connection:
        note = await proofs.newest_checkpoint(connection, firm.log)
    async with firm.store.begin(DbRole.PAY, finance) as connection:
        made = await draft(connection, finance, firm.cycle_id, RECEIVER, firm.signer.environment)
        assert made
        assert note
        await payouts.prepare(connection, firm.log, finance, made, parse_checkpoint(parse_note(note).text), NOW)


async def test_a_release_that_was_cut_off_is_mended_by_the_next(approved: Firm) -> None:
    firm = approved
    await prepared(firm)
    (file,) = await files(firm)
    assert file["state"] == "PREPARED"
    address = pulls.Address(RECEIVER.name, 1)
    with pytest.raises(Refused) as no:  # nothing unsigned is ever handed over
        await pulls.pull(firm.store, firm.log, firm.viewer("payroll"), address, "payout.csv", NOW)
    assert no.value.code is Code.NOT_FOUND
    assert await firm.release("second") is None  # nothing new to pay
    (mended,) = await files(firm)
    assert dict(mended) == dict(file) | {"state": "RELEASED"}
    parts = await firm.rows("select name from pay.file_part")
    assert {row[0] for row in parts} >= {"payout.csv.p7s", "manifest.json.p7s", "manifest.json.jws"}
    assert (await firm.entries())["payout.released/v1"] == 1


async def test_several_who_mend_at_once_sign_once(approved: Firm) -> None:
    await prepared(approved)
    await asyncio.gather(*[approved.release(name) for name in ("finance", "second", "finance")])
    (file,) = await files(approved)
    assert file["state"] == "RELEASED"


async def test_several_releases_at_once_make_one_file(approved: Firm) -> None:
    firm = approved
    await firm.approve_file("finance")
    await firm.approve_file("second")
    found = await asyncio.gather(*[firm.release(name) for name in ("finance", "second", "finance")])
    (file,) = await files(firm)
    assert [each for each in found if each] == [UUID(str(file["id"]))]
    assert file["state"] == "RELEASED"
    assert await firm.value("select count(*) from pay.line") == len(EARNERS)


async def test_a_beneficiary_whom_payroll_does_not_know_is_named(approved: Firm) -> None:
    eve = next(each for each in organisation() if each.key == "eve")
    await bring_in(approved.store, [again(eve, employee_number=None)])
    await refused(approved, Code.BAD_INPUT, partial(approved.approve_file, "finance"), "AW-2026-000001")
    await refused(approved, Code.BAD_INPUT, approved.release, "AW-2026-000001")


async def test_each_currency_has_files_of_its_own(approved: Firm) -> None:
    firm = approved
    body = plan("abroad", **{"currency: EUR": "currency: USD"})
    await plans.publish(firm.store, firm.log, firm.viewer("plan-admin"), body, NOW)
    ran = await runs.run(firm.store, firm.log, NOW, "abroad")
    await awards.submit(firm.store, firm.log, firm.viewer("hr"), ran.run_id, NOW)
    await awards.approve_cycle(firm.store, firm.log, firm.viewer("finance"), firm.cycle_id, NOW)
    for _ in range(2):
        await firm.approve_file("finance")
        await firm.approve_file("second")
        assert await firm.release()
    first, second = await files(firm)
    assert (first["sequence"], first["currency"], first["line_count"]) == (1, "EUR", 5)
    assert (second["sequence"], second["currency"], second["line_count"]) == (2, "USD", 5)
    assert second["previous_manifest_sha256"] == first["manifest_sha256"]
    assert await firm.release() is None


async def test_nothing_approved_is_nothing_to_pay(submitted: Firm) -> None:
    before = await submitted.fingerprint(without=PLACES)
    assert not await submitted.approve_file("finance")
    assert await submitted.release() is None
    assert await submitted.fingerprint(without=PLACES) == before


async def test_a_payout_of_another_tenant_is_nobodys_here(approved: Firm) -> None:
    """A finance person of another tenant finds nothing to approve and nothing to release."""
    await grant(approved.store, person("finance"), Role.FINANCE, OTHER_TENANT)
    stranger = Viewer(person("finance"), OTHER_TENANT)
    args = (approved.cycle_id, RECEIVER)
    assert not await payouts.approve(approved.store, approved.log, stranger, *args, approved.signer.environment, NOW)
    assert await payouts.release(approved.store, approved.log, approved.signer, stranger, *args, NOW) is None
    assert await files(approved) == []
