"""Embeds: framed only by listed origins, fed only with a token that is good for this one thing; seen in a browser."""

import asyncio
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from api import identity
from api.app import create_app
from api.embed.scores import card_of
from api.house import House
from api.ids import global_id
from api.signing.keys import Purpose
from schema.identity import DEFAULT_TENANT
from schema.store import SYSTEM, DbRole, Viewer
from schema.tables.scores import AttributionSplit, Score
from tests.api.browser import CHROMIUM, browser
from tests.api.conftest import Asking
from tests.api.listening import free_port, served
from tests.api.small_house import CYCLE, NOW, key, person

HOST = "http://127.0.0.1:9321"  # the origin on the tenant's list
TOKENS = "/embed/v1/tokens"


def score(name: str) -> str:
    return global_id("Score", key("score", f"new-{name}"))


async def mint(ask: Asking, who: str, name: str, origin: str = HOST) -> httpx.Response:
    headers = {"authorization": f"Bearer {ask.token(who)}"}
    return await ask.client.post(TOKENS, headers=headers, json={"resource": score(name), "origin": origin})


async def data(ask: Asking, token: str, name: str) -> httpx.Response:
    return await ask.client.get(f"/embed/v1/data/{score(name)}", headers={"authorization": f"Bearer {token}"})


async def test_the_shell_may_be_framed_by_the_listed_origin_only(ask: Asking) -> None:
    answer = await ask.client.get("/embed/v1/score")
    policy = answer.headers["content-security-policy"]
    assert policy.endswith(f"frame-ancestors {HOST}")
    assert "unsafe" not in policy
    assert "x-frame-options" not in answer.headers
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "set-cookie" not in answer.headers
    assert re.search(r"<script(?! src)|\sstyle=|\son\w+=", answer.text) is None
    assert "ana" not in answer.text


async def test_a_token_shows_one_score_to_its_person(ask: Asking) -> None:
    for who, name in (("ana", "ana"), ("mia", "ana"), ("ana", "mail"), ("ava", "cara")):
        minted = await mint(ask, who, name)
        assert minted.status_code == 200
        shown = await data(ask, minted.json()["token"], name)
        assert shown.status_code == 200
        assert "<svg" in shown.text
        assert f">{name}</text>" in shown.text
        assert shown.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in shown.headers["content-security-policy"]


async def test_a_person_without_lines_of_his_own_sees_the_services_behind_his_score(house: House) -> None:
    run_id, hers = key("run", "bare"), key("score", "bare-ana")
    base = {"tenant_id": DEFAULT_TENANT, "run_id": run_id, "cycle_id": CYCLE}
    whole = {
        **base,
        "status": "FINAL",
        "result_hash": "cd" * 32,
        "data_as_of": NOW,
        "trace": {},
        "value": Decimal("0.8"),
    }
    rows = [
        {**whole, "id": hers, "subject_kind": "PERSON", "subject_id": person("ana"), "subject_label": "ana",
         "person_id": person("ana")},
        {**whole, "id": key("score", "bare-mail"), "subject_kind": "SERVICE", "subject_id": key("service", "mail"),
         "subject_label": "mail", "person_id": None},
    ]  # fmt: skip
    split = {**base, "id": key("split", "bare"), "service_id": key("service", "mail"), "person_id": person("ana"),
             "method": "EQUAL", "role": None, "share_num": 1, "share_den": 4, "share": Decimal("0.25")}  # fmt: skip
    async with house.store.begin(DbRole.WORKER) as connection:
        await connection.execute(insert(Score), rows)
        await connection.execute(insert(AttributionSplit), [split])
    async with house.store.begin(DbRole.APP, Viewer(person("ana")), read_only=True) as connection:
        (line,) = (await card_of(connection, hers)).lines
    assert (line.label, line.value, line.target, line.weight) == ("mail", Decimal("0.8"), 1, Decimal("0.25"))


async def test_what_one_may_not_see_gives_no_token(ask: Asking) -> None:
    for who, name in (("ana", "ben"), ("ana", "cara"), ("mia", "cara"), ("finn", "ana"), ("ana", "nothing")):
        assert (await mint(ask, who, name)).status_code == 404
    assert (await mint(ask, "ana", "ana", "https://evil.example")).status_code == 403
    assert (await mint(ask, "stranger", "ana")).status_code == 401
    assert (await ask.client.post(TOKENS, json={})).status_code == 401
    for body in ("{", "[]", '{"resource": 1, "origin": "x"}', "{}"):
        headers = {"authorization": f"Bearer {ask.token('ana')}"}
        assert (await ask.client.post(TOKENS, headers=headers, content=body)).status_code == 400


async def test_a_token_is_good_for_nothing_else(ask: Asking, house: House) -> None:
    good = (await mint(ask, "ana", "ana")).json()["token"]
    assert (await data(ask, good, "ana")).status_code == 200
    assert (await data(ask, good, "mail")).status_code == 401, "another resource"
    assert (await data(ask, ask.token("ana"), "ana")).status_code == 401, "an access token"
    asked = await ask.client.post(
        "/graphql", headers={"authorization": f"Bearer {good}"}, json={"query": "{ __typename }"}
    )
    assert asked.status_code == 401, "an embed token at the API"
    assert (await ask.client.get(f"/embed/v1/data/{score('ana')}?token={good}")).status_code == 401
    more = {"sub": str(person("ana")), "tenant": str(SYSTEM.tenant_id), "resource": score("ana"), "origin": HOST}
    for change in (
        {"origin": "https://evil.example"},
        {"tenant": str(key("tenant", "x"))},
        {"sub": str(person("nobody"))},
    ):
        forged = identity.signed(house.signer, Purpose.EMBED, "embed+jwt", "embed", NOW, 300, {**more, **change})
        assert (await data(ask, forged, "ana")).status_code == 401
    twin = identity.signed(house.signer, Purpose.EMBED, "embed+jwt", "embed", NOW, 300, more)
    assert (await data(ask, twin, "ana")).status_code == 200
    # Whoever mints himself a token for somebody else's score still reads under his own row security.
    bold = identity.signed(
        house.signer, Purpose.EMBED, "embed+jwt", "embed", NOW, 300, {**more, "resource": score("cara")}
    )
    assert (await data(ask, bold, "cara")).status_code == 404


async def test_static_files_are_a_closed_list(ask: Asking) -> None:
    for name in ("embed.js", "score-card.js", "card.css"):
        assert (await ask.client.get(f"/embed/v1/{name}")).status_code == 200
    for name in ("page.py", "..%2Fpage.py", "static"):
        assert (await ask.client.get(f"/embed/v1/{name}")).status_code == 404


# --- in a browser ----------------------------------------------------------------------------------------------------

PAGE = """<!doctype html><title>host</title><body><score-card src="{engine}" label="My score"></score-card>
<ol></ol><script src="{engine}/embed/v1/score-card.js"></script>
<script>
const line = (words) => Object.assign(document.createElement('li'), {{textContent: words}});
const say = (words) => document.querySelector('ol').append(line(words));
document.querySelector('score-card').tokenProvider = async () => (await (await fetch('/token')).json()).token;
addEventListener('message', (event) => say(`${{event.origin}} ${{JSON.stringify(event.data)}}`));
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_a_listed_page_shows_the_card_and_another_page_does_not(
    house: House, ask: Asking, tmp_path: Path
) -> None:
    engine_port, listed_port, foreign_port = free_port(), free_port(), free_port()
    engine, listed = f"http://localhost:{engine_port}", f"http://127.0.0.1:{listed_port}"
    seen: list[Request] = []

    async def page(request: Request) -> Response:
        return HTMLResponse(PAGE.format(engine=engine))

    async def token(request: Request) -> Response:
        return JSONResponse((await mint(ask, "ana", "ana", listed)).json())

    app = create_app(house)

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            seen.append(Request(scope))
        await app(scope, receive, send)

    host = Starlette(routes=[Route("/", page), Route("/token", token)])
    allow = text("update access.tenant set frame_ancestors = :origins")
    async with house.store.begin(DbRole.WORKER) as connection:
        await connection.execute(allow, {"origins": listed})
    try:
        async with (
            served(watched, engine_port),
            served(host, listed_port),
            served(host, foreign_port),
            browser(tmp_path / "chromium") as chromium,
        ):
            await chromium.open(listed)
            title = await chromium.until("iframe", "(document.querySelector('svg title') || {}).textContent")
            assert title == "ana: 67 %", chromium.complaints
            rows = "[...document.querySelectorAll('table td')].map((cell) => cell.textContent).join('|')"
            assert "90.0 min|60.0 min" in await chromium.until("iframe", rows)
            fill = "getComputedStyle(document.querySelector('svg .bar')).fill"
            assert (await chromium.until("iframe", fill)).startswith("rgb("), "the style sheet is let through"
            told = "document.querySelector('ol').innerText"
            heights = f"{told}.match(/size.*height.:([1-9][0-9][0-9]+)/)"
            assert await chromium.until("page", heights), "the host learns how tall the card is"
            assert "error" not in await chromium.until("page", told)
            assert "Content Security Policy" not in chromium.complaints
            assert [request for request in seen if "/data/" in request.url.path]
            assert all("cookie" not in request.headers and request.url.query == "" for request in seen)
            # The host's own page loads score-card.js and may say so; the frame never says where it stands.
            framed = [request for request in seen if not request.url.path.endswith("score-card.js")]
            assert all("referer" not in request.headers for request in framed)

            seen.clear()
            await chromium.open(f"http://127.0.0.1:{foreign_port}")
            assert await chromium.until("page", "!!document.querySelector('iframe')")
            async with asyncio.timeout(20):
                while "frame-ancestors" not in chromium.complaints:
                    await asyncio.sleep(0.1)
            (page_target,) = await chromium.targets("page")
            words = await chromium.call(page_target, "Runtime.evaluate", expression=told, returnByValue=True)
            assert words["result"]["value"] == "", "not even a message reaches a page that is not on the list"
            assert not [request for request in seen if "/data/" in request.url.path]
    finally:
        async with house.store.begin(DbRole.WORKER) as connection:
            await connection.execute(allow, {"origins": HOST})
