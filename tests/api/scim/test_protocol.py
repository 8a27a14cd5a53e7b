"""What a client sees: versions, pages, filters, and clear words for what is wrong, all in the shape of SCIM."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from api import identity
from api.scim import changes
from api.signing.keys import Purpose
from schema.store import SYSTEM
from tests.api.scim.office import ENTERPRISE, GROUP, USER, Office, person
from tests.api.small_house import OTHER_TENANT

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


def no(answer: httpx.Response, status: int, kind: str | None = None) -> str:
    """What a refusal says, after a look at its shape."""
    said = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/scim+json"), answer.text
    assert (said["schemas"], said["status"], said.get("scimType")) == ([ERROR], str(status), kind), said
    assert said["detail"]
    return str(said["detail"])


def name() -> str:
    return f"u-{uuid4().hex[:12]}"


async def test_an_account_is_read_back_as_it_was_sent(desk: Office) -> None:
    who = name()
    sent = {"externalId": f"x-{who}", "displayName": "Änne Ü.", "name": {"givenName": "Änne", "familyName": "Ü."}}
    made = await desk.account(who, **sent, **{ENTERPRISE: {"employeeNumber": "0042"}})
    assert {key: made[key] for key in sent} == sent
    assert made[ENTERPRISE] == {"employeeNumber": "0042"}
    assert made["schemas"] == [USER, ENTERPRISE]
    assert made["meta"]["location"] == f"http://office.test/scim/v2/Users/{made['id']}"
    read = await desk.ask("GET", f"/Users/{made['id']}")
    assert read.json() == made
    assert read.headers["etag"] == made["meta"]["version"] == 'W/"1"'
    assert (await desk.ask("GET", f"/Users/{made['id']}", if_none_match='W/"1"')).status_code == 304
    assert (await desk.ask("GET", f"/Users/{made['id']}?attributes=displayName")).json().keys() == {
        "schemas", "id", "displayName",
    }  # fmt: skip


async def test_a_write_is_a_version_in_the_mirror_and_an_entry_in_the_log(desk: Office) -> None:
    made = await desk.account(name(), displayName="One")
    changed = await desk.patched(made, {"op": "replace", "path": "displayName", "value": "Two"})
    same = await desk.patched(made, {"op": "replace", "path": "displayName", "value": "Two"})
    assert [each["meta"]["version"] for each in (made, changed, same)] == ['W/"1"', 'W/"2"', 'W/"2"']
    assert changed["meta"]["created"] == made["meta"]["created"] < changed["meta"]["lastModified"]
    versions = await desk.rows(
        """select r.version_no, r.source, r.entity, r.feed, convert_from(p.body, 'UTF8')::jsonb ->> 'displayName'
             from mirror.revision r join mirror.payload p on p.revision_id = r.id and p.month = r.month
            where r.source_key = $1 order by r.version_no""",
        made["id"],
    )
    assert versions == [(1, "scim", "User", "PUSH", "One"), (2, "scim", "User", "PUSH", "Two")]
    entries = await desk.admin.fetch(
        "select id, ty, sealed from audit.entry where object_id = $1 order by ty", made["id"]
    )
    assert [each["ty"] for each in entries] == ["account.changed/v1", "account.created/v1"]
    said = orjson.loads(desk.house.log.open_entry(entries[0]["id"], entries[0]["sealed"])[1])["data"]
    assert said == {"active": True, "attributes": ["displayName"], "client": "service:scim:write"}


async def test_of_two_changes_on_one_version_only_one_is_made(desk: Office) -> None:
    made = await desk.account(name())
    tag = made["meta"]["version"]
    rename = [{"op": "replace", "path": "displayName", "value": f"n{number}"} for number in range(6)]
    answers = await asyncio.gather(*(desk.patch(made, each, if_match=tag) for each in rename))
    assert sorted(each.status_code for each in answers) == [200] + [412] * 5
    detail = no(next(each for each in answers if each.status_code == 412), 412)
    assert 'W/"2"' in detail
    won = next(each.json() for each in answers if each.status_code == 200)
    assert (await desk.ask("GET", f"/Users/{made['id']}")).json() == won


async def test_without_a_version_all_changes_are_made_one_after_the_other(desk: Office) -> None:
    made = await desk.account(name(), emails=[])
    mails = [{"value": f"m{number}@example.org", "type": f"t{number}"} for number in range(6)]
    answers = await asyncio.gather(
        *(desk.patch(made, {"op": "add", "path": "emails", "value": [mail]}) for mail in mails)
    )
    assert {each.status_code for each in answers} == {200}
    read = (await desk.ask("GET", f"/Users/{made['id']}")).json()
    assert read["meta"]["version"] == 'W/"7"'
    assert sorted(mail["value"] for mail in read["emails"]) == [mail["value"] for mail in mails]


async def test_put_and_delete_heed_the_version_too(desk: Office) -> None:
    made = await desk.account(name())
    again = {"schemas": [USER], "userName": made["userName"]}
    no(await desk.ask("PUT", f"/Users/{made['id']}", again, if_match='W/"9"'), 412)
    no(await desk.ask("DELETE", f"/Users/{made['id']}", if_match='W/"9"'), 412)
    assert (await desk.ask("PUT", f"/Users/{made['id']}", again, if_match='"7", W/"1"')).status_code == 200
    assert (await desk.ask("DELETE", f"/Users/{made['id']}", if_match="*")).status_code == 204
    no(await desk.ask("GET", f"/Users/{made['id']}"), 404)
    no(await desk.ask("DELETE", f"/Users/{made['id']}"), 404)
    no(await desk.ask("PUT", f"/Users/{made['id']}", again), 404)


async def test_a_user_name_is_taken_once_however_it_is_spelled(desk: Office) -> None:
    who = name()
    answers = await asyncio.gather(
        *(desk.ask("POST", "/Users", {"schemas": [USER], "userName": who}) for _ in range(4))
    )
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    assert "userName" in no(
        await desk.ask("POST", "/Users", {"schemas": [USER], "userName": who.upper()}), 409, "uniqueness"
    )
    other = await desk.account(name())
    no(await desk.patch(other, {"op": "replace", "path": "userName", "value": who}), 409, "uniqueness")
    first = next(each.json() for each in answers if each.status_code == 201)
    assert (await desk.ask("DELETE", f"/Users/{first['id']}")).status_code == 204
    again = await desk.account(who)
    assert again["id"] != first["id"], "a name may be used again, an account is never the same"


async def test_what_stands_is_said_again_so_that_old_months_can_go(fresh: Office, monkeypatch: Any) -> None:
    monkeypatch.setattr(changes, "RENEWED_AT_ONCE", 2)
    made = [await fresh.account(who) for who in ("ana", "ben", "cara")]
    made.append(await fresh.group("Crew", *made))
    by = changes.Sender(fresh.house, SYSTEM, "retention", fresh.clock())
    ((month,),) = await fresh.rows("select distinct month from mirror.revision where source = 'scim'")
    assert await changes.renew(by, month) == 0, "nothing lies before this month"
    await fresh.admin.execute("set session_replication_role = replica")  # no trigger: months pass
    await fresh.admin.execute("update mirror.revision set month = '2020-01-01' where source = 'scim'")
    await fresh.admin.execute("update mirror.payload p set month = '2020-01-01' from mirror.revision r"
                              " where r.id = p.revision_id and r.source = 'scim'")  # fmt: skip
    assert await changes.renew(by, month) == len(made)
    for each in made:
        read = (await fresh.ask("GET", f"/{each['meta']['resourceType']}s/{each['id']}")).json()
        assert read["meta"].pop("version") == 'W/"2"'
        assert {**each, "meta": None} == {**read, "meta": None}
    assert await changes.renew(by, month) == 0
    await fresh.admin.execute("delete from mirror.payload where month = '2020-01-01'")
    page = (await fresh.ask("GET", "/Users")).json()
    assert page["totalResults"] == len(page["Resources"]) == 3


@pytest.mark.parametrize(
    ("path", "said", "status", "kind", "word"),
    [
        ("/Users", {"schemas": [USER]}, 400, "invalidValue", "userName"),
        ("/Users", {"schemas": [USER], "userName": "a", "active": "perhaps"}, 400, "invalidValue", "active"),
        ("/Users", {"schemas": [USER], "userName": "a", "emails": [{"value": "no"}]}, 400, "invalidValue", "emails"),
        ("/Users", {"schemas": [USER], "userName": "a\0b"}, 400, "invalidValue", "NUL"),
        ("/Users", {"schemas": [USER], "userName": "a" * 501}, 400, "invalidValue", "500"),
        ("/Users", {"schemas": [GROUP], "userName": "a"}, 400, "invalidSyntax", "schemas"),
        ("/Users", ["no"], 400, "invalidSyntax", "dictionary"),
        ("/Users", b"{", 400, "invalidSyntax", "JSON"),
        ("/Users", b'"\\ud800"', 400, "invalidSyntax", "JSON"),
        ("/Users", b"[" * 5000, 400, "invalidSyntax", "JSON"),
        ("/Users", b'{"userName": "' + b"a" * (1 << 20) + b'"}', 413, None, "1048576"),
        ("/Groups", {"schemas": [GROUP]}, 400, "invalidValue", "displayName"),
        ("/Groups", {"schemas": [GROUP], "displayName": "g", "members": [{"value": "no"}]}, 400, "invalidValue", "no"),
        ("/Bulk", {}, 501, None, "offered"),
        ("/.search", {}, 501, None, "offered"),
        ("/Me", {}, 501, None, "offered"),
        ("/Nothing", {}, 404, None, "nothing"),
        ("/Users/a/b", {}, 404, None, "nothing"),
        ("/Users/a", {}, 405, None, "method"),
    ],
)
async def test_what_is_wrong_is_said(
    desk: Office, path: str, said: Any, status: int, kind: str | None, word: str
) -> None:
    before = await desk.rows("select count(*) from mirror.revision")
    assert word in no(await desk.ask("POST", path, said), status, kind)
    assert await desk.rows("select count(*) from mirror.revision") == before


@pytest.mark.parametrize(
    ("operations", "kind", "word"),
    [
        ([], "invalidValue", "operations"),
        ([{"op": "copy", "path": "displayName", "value": "x"}], "invalidValue", "copy"),
        ([{"op": "replace", "path": "emails[", "value": "x"}], "invalidPath", "syntax"),
        ([{"op": "replace", "path": "id", "value": "x"}], "mutability", "id"),
        ([{"op": "remove", "path": "userName"}], "mutability", "required"),
        ([{"op": "remove"}], "noTarget", "path"),
        ([{"op": "replace", "path": "active", "value": "perhaps"}], "invalidValue", "active"),
        ([{"op": "add", "path": "displayName", "value": "x"}] * 101, "invalidValue", "100"),
        ([{"op": "replace", "path": "emails[" + "(" * 3000 + "value pr", "value": "x"}], "invalidPath", ""),
        (
            [{"op": "add", "path": 'emails[type eq "\\ud800"].value', "value": "a@example.com"}],
            "invalidValue",
            "Unicode",
        ),
        ([{"op": "add", "path": 'emails[value eq "\\ud800"].type', "value": "work"}], "invalidFilter", ""),
        # The first operation is not made when the second one is refused.
        (
            [{"op": "replace", "path": "displayName", "value": "x"}, {"op": "remove", "path": "userName"}],
            "mutability",
            "",
        ),
    ],
)
async def test_a_patch_that_cannot_be_meant_changes_nothing(
    desk: Office, operations: list[Any], kind: str, word: str
) -> None:
    made = await desk.account(name())
    assert word in no(await desk.patch(made, *operations), 400, kind)
    assert (await desk.ask("GET", f"/Users/{made['id']}")).json() == made


async def test_entra_is_understood(desk: Office) -> None:
    made = await desk.account(name(), emails=[])
    changed = await desk.patched(
        made,
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "new@example.org"},
        {"op": "Add", "value": {"displayName": "New", f"{ENTERPRISE}:employeeNumber": "77", "nickName": "dropped"}},
        {"op": "Add", "path": 'phoneNumbers[type eq "work"].value', "value": "+49 1"},
    )
    assert (changed["active"], changed["displayName"], changed[ENTERPRISE]["employeeNumber"]) == (False, "New", "77")
    assert changed["emails"] == [{"value": "new@example.org", "type": "work"}]
    assert not {"nickName", "phoneNumbers"} & changed.keys()
    other = await desk.account(name())
    group = await desk.group(name(), made, other)
    left = await desk.patched(group, {"op": "Remove", "path": "members", "value": [{"value": made["id"]}]})
    assert [member["value"] for member in left["members"]] == [other["id"]]


async def test_okta_is_understood(desk: Office) -> None:
    """It repeats the id in a rename, and replaces all members at once."""
    ana, ben = await desk.account(name()), await desk.account(name())
    group = await desk.group("Old", ana)
    named = await desk.patched(group, {"op": "replace", "value": {"id": group["id"], "displayName": "New"}})
    assert (named["displayName"], len(named["members"])) == ("New", 1)
    members = [{"value": ben["id"], "display": "Ben"}]
    moved = await desk.patched(group, {"op": "replace", "path": "members", "value": members})
    assert [member["value"] for member in moved["members"]] == [ben["id"]]
    assert moved["members"][0]["$ref"] == ben["meta"]["location"]
    left = await desk.patched(group, {"op": "remove", "path": f'members[value eq "{ben["id"]}"]'})
    assert "members" not in left


async def test_filters_find_what_they_name(fresh: Office) -> None:
    ana = await fresh.account("Ana.A", externalId="E1", displayName="Ana A")
    ben = await fresh.account("ben", externalId="e1", displayName="Ben", active=False)
    await fresh.group("Crew", ana, ben)

    async def found(place: str, held: str, more: str = "") -> list[str]:
        answer = await fresh.ask("GET", f"/{place}?filter={held}{more}")
        assert answer.status_code == 200, answer.text
        return sorted(each.get("userName", each.get("displayName")) for each in answer.json()["Resources"])

    assert await found("Users", 'userName eq "ANA.a"') == ["Ana.A"]
    assert await found("Users", 'externalId eq "e1"') == ["ben"], "case counts in the id of somebody else"
    assert await found("Users", "active eq true") == ["Ana.A"]
    assert await found("Users", 'displayName eq "ben" and active eq false') == ["ben"]
    assert await found("Users", 'displayName eq "ben" and active eq true') == []
    assert await found("Users", f'{USER}:userName eq "ben"') == ["ben"]
    assert await found("Users", f'id eq "{ana["id"]}"') == ["Ana.A"]
    assert await found("Users", 'userName eq "\' or 1=1 --"') == []
    assert await found("Groups", 'displayName eq "crew"', "&excludedAttributes=members") == ["Crew"]
    wrong = [
        'userName co "a"', 'userName eq "a" or active eq true', "userName pr", "active gt true", 'a eq "b"',
        'userName eq "a\\u0000"', 'userName eq "\\ud800"', '\\ud800 eq "a"', "userName eq", "userName eq 5",
        'emails[type eq "work"]', 'not (userName eq "a")', "(" * 2000, " and ".join(["active eq true"] * 11),
    ]  # fmt: skip
    for held in wrong:
        no(await fresh.ask("GET", f"/Users?filter={held}"), 400, "invalidFilter")


async def test_pages_hold_everybody_once(fresh: Office) -> None:
    for number in range(7):
        await fresh.account(f"p{number}")
    seen = []
    for first in (1, 4, 7, 10):
        page = (await fresh.ask("GET", f"/Users?startIndex={first}&count=3")).json()
        assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (7, first, len(page["Resources"]))
        seen += [each["userName"] for each in page["Resources"]]
    assert sorted(seen) == [f"p{number}" for number in range(7)]
    assert (await fresh.ask("GET", "/Users?count=0")).json()["Resources"] == []
    assert (await fresh.ask("GET", "/Users?count=-4&startIndex=-4")).json()["totalResults"] == 7
    assert (await fresh.ask("GET", f"/Users?startIndex={10**30}&count={10**30}")).json()["Resources"] == []
    no(await fresh.ask("GET", "/Users?count=many"), 400, "invalidValue")


async def test_only_a_service_account_of_this_tenant_is_let_in(desk: Office) -> None:
    made = await desk.account(name())
    signer, now = desk.house.signer, desk.clock()
    elsewhere = identity.mint_service(signer, "scim:write", now, OTHER_TENANT)
    nowhere = identity.signed(signer, Purpose.ISSUER, "at+jwt", identity.AUDIENCE, now, 600,
                              {"sub": "service:x", "scope": "openid scim:write"})  # fmt: skip
    somebody = identity.mint(signer, person("hugo"), now)
    lookalike = identity.signed(signer, Purpose.ISSUER, "at+jwt", identity.AUDIENCE, now, 600,
                                {"sub": "service:x", "scope": "xscim:write scim:writes"})  # fmt: skip
    paths = [
        ("GET", "/Users"),
        ("GET", f"/Users/{made['id']}"),
        ("DELETE", f"/Users/{made['id']}"),
        ("GET", "/Nothing"),
    ]
    for method, path in paths:
        for token, status in ((elsewhere, 401), (nowhere, 401), ("x", 401), (somebody, 403), (lookalike, 403)):
            answer = await desk.ask(method, path, authorization=f"Bearer {token}")
            no(answer, status)
            wanted = "invalid_token" if status == 401 else "insufficient_scope"
            assert wanted in answer.headers["www-authenticate"]
        no(await desk.ask(method, path, authorization="Basic eDp5"), 401)
    assert (await desk.ask("GET", f"/Users/{made['id']}")).status_code == 200
    graphql = await desk.client.post(
        "/graphql", json={"query": "{ __typename }"},
        headers={"authorization": f"Bearer {identity.mint_service(signer, 'scim:write', now)}"},
    )  # fmt: skip
    assert graphql.status_code == 401, "a service account is nobody elsewhere"


async def test_another_tenants_accounts_are_not_there(desk: Office) -> None:
    made = await desk.account(name())
    await desk.admin.execute(
        """insert into mirror.account (tenant_id, id, source, source_key, revision_id, user_name, active)
           select $1, id, source, source_key, revision_id, 'other', true from mirror.account where source_key = $2""",
        OTHER_TENANT, made["id"],
    )  # fmt: skip
    found = (await desk.ask("GET", '/Users?filter=userName eq "other"')).json()
    assert found["totalResults"] == 0


async def test_only_json_is_read(desk: Office) -> None:
    said = orjson.dumps({"schemas": [USER], "userName": name()})
    no(await desk.ask("POST", "/Users", said, content_type="text/plain"), 415)
    assert (await desk.ask("POST", "/Users", said, content_type="application/json; charset=utf-8")).status_code == 201


async def test_nothing_but_what_is_needed_is_stored_or_logged(fresh: Office, caplog: pytest.LogCaptureFixture) -> None:
    seed = "canary-7c1f"
    more = {
        "password": f"{seed}-password", "nickName": seed, "title": seed, "phoneNumbers": [{"value": seed}],
        "addresses": [{"formatted": seed}], "photos": [{"value": f"https://{seed}.test/a.png"}], "locale": seed,
        "x509Certificates": [{"value": "AAAA", "display": seed}], "roles": [{"value": seed}],
        "emails": [{"value": "ana@example.com", "display": seed}], "meta": {"location": seed}, "id": seed,
        ENTERPRISE: {"employeeNumber": "4000", "costCenter": seed, "manager": {"value": seed}},
        "urn:acme:2.0:User": {"salary": seed},
    }  # fmt: skip
    pushed = {key: value for key, value in more.items() if key not in ("id", "meta")}
    caplog.set_level("DEBUG")
    made = await fresh.account("ana", **more)
    await fresh.patched(made, {"op": "replace", "path": "password", "value": seed}, {"op": "add", "value": pushed})
    await fresh.ask("POST", "/Users", {"schemas": [USER], "userName": "ana", "password": seed, "active": seed})
    token = identity.mint_service(fresh.house.signer, "scim:write", fresh.clock())
    await fresh.ask("GET", "/Users", authorization=f"Bearer {token}x")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("evenhand")]
    assert ours, "the refused token is noted"
    assert not [line for line in ours if seed in line or token[:40] in line or token[-40:] in line]
    for table in await fresh.rows(
        "select schemaname || '.' || tablename from pg_tables where schemaname in ('mirror', 'inbox', 'audit', 'ops')"
    ):
        text = await fresh.admin.fetch(f"select t::text from {table[0]} t")
        assert not [row[0] for row in text if seed in row[0] or seed.encode().hex() in row[0]], table
    bodies = await fresh.rows("select convert_from(body, 'UTF8') from mirror.payload")
    assert any("ana@example.com" in body for (body,) in bodies), "what is needed is there"


async def test_schemas_say_what_is_taken(desk: Office) -> None:
    shown = (await desk.ask("GET", f"/Schemas/{USER}")).json()
    assert {each["name"] for each in shown["attributes"]} == {"userName", "name", "displayName", "active", "emails"}
    config = (await desk.ask("GET", "/ServiceProviderConfig")).json()
    assert {key: config[key]["supported"] for key in ("patch", "bulk", "sort", "etag", "changePassword")} == {
        "patch": True, "bulk": False, "sort": False, "etag": True, "changePassword": False,
    }  # fmt: skip
    assert config["filter"] == {"supported": True, "maxResults": 200}
    no(await desk.ask("GET", "/Schemas?filter=id eq 1"), 403)
