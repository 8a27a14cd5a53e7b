"""GraphiQL: there only when the schema may be asked for, all of it from here, its token nowhere but in the page."""

import asyncio
import json
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.graphql import graphiql
from api.graphql.graphiql import EXAMPLES, PAGES, examples
from api.house import House
from engine.words import Role
from schema.embedded import Server
from tests.api.browser import CHROMIUM, Browser, browser
from tests.api.conftest import Asking, asking, small
from tests.api.listening import free_port, served

# Somebody of each role in the small house.
PLAYERS = {
    "EMPLOYEE": "ana", "EVERYBODY": "ana", "MANAGER": "mia", "HR": "hanna", "FINANCE": "finn", "AUDITOR": "ava",
    "PAYROLL": "paul", "ITSM_ADMIN": "ivo", "PLAN_ADMIN": "petra", "WORKS_COUNCIL": "wanda",
}  # fmt: skip


async def test_it_is_there_when_the_schema_may_be_asked_for_and_only_then(house: House, ask: Asking) -> None:
    paths = ("/graphiql", "/graphiql/examples.json", "/graphiql/graphiql.js")
    assert {(await ask.client.get(path)).status_code for path in paths} == {200}
    silent = replace(house, settings=replace(house.settings, introspection=False))
    async with asking(silent) as closed:
        assert {(await closed.client.get(path)).status_code for path in paths} == {404}


async def test_the_page_holds_no_script_and_may_load_nothing_from_elsewhere(ask: Asking) -> None:
    answer = await ask.client.get("/graphiql")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "http" not in answer.headers["content-security-policy"]
    assert re.search(r"<script(?! src=\"/)|<style|\sstyle=|\son\w+=|//", answer.text) is None


async def test_its_files_are_a_closed_list(ask: Asking) -> None:
    for name in ("sources.json", "..%2Fgraphiql.py", "examples"):
        assert (await ask.client.get(f"/graphiql/{name}")).status_code == 404


def test_the_built_files_are_the_ones_whose_origin_is_written_down() -> None:
    """Whoever changes a built file by hand, or builds without committing all of it, is found out."""
    sources = json.loads((PAGES / "sources.json").read_text())
    assert {name: sha256((PAGES / name).read_bytes()).hexdigest() for name in graphiql.STATIC} == sources["sha256"]
    lock = json.loads((Path(__file__).parents[4] / "deploy/graphiql/package-lock.json").read_text())["packages"]
    licences = (PAGES / "LICENSES.txt").read_text()
    for name, package in sources["packages"].items():
        locked = lock[f"node_modules/{name}"]
        assert (locked["version"], locked["integrity"]) == (package["version"], package["integrity"]), name
        assert len(b64decode(package["integrity"].removeprefix("sha512-"))) == 64
        assert package["licence"] in ("MIT", "Apache-2.0", "BSD-2-Clause", "0BSD"), name
        assert f"{name} {package['version']} (" in licences


def test_each_example_says_for_whom_it_is() -> None:
    found = examples()
    assert {file.stem for file in EXAMPLES.iterdir()} == {each["name"] for each in found}
    assert {each["role"] for each in found} <= {"EVERYBODY", *(role.value for role in Role)}
    assert {role.value for role in Role} <= {each["role"] for each in found}, "a role without an example"
    assert all(each["title"].endswith(".") and len(each["title"]) > 10 for each in found)


@pytest.mark.parametrize("example", examples(), ids=lambda each: str(each["name"]))
async def test_examples_are_answered(ask: Asking, example: dict[str, Any]) -> None:
    """Also within the limits of those who send texts that nobody registered."""
    answer = await ask(PLAYERS[example["role"]], example["text"])
    assert answer
    empty = [at for at in lists(answer) if not at[1]]
    assert empty == [], "an example that shows nothing teaches nothing"


def lists(answer: Any, at: str = "") -> Iterator[tuple[str, list[Any]]]:
    """The pages of an answer that stand at the root, or on the only thing at the root, with their paths."""
    for name, value in answer.items() if isinstance(answer, dict) else ():
        if isinstance(value, dict) and "nodes" in value:
            yield f"{at}{name}", value["nodes"]
        else:
            yield from lists(value, f"{at}{name}.")


# --- in a browser ----------------------------------------------------------------------------------------------------

TYPE = """(() => {{
  const field = document.querySelector('{field}');
  const set = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), 'value').set;
  set.call(field, {value});
  field.dispatchEvent(new Event('{event}', {{bubbles: true}}));
  return true;
}})()"""
SHOWN = "document.querySelector('.result-window .CodeMirror').CodeMirror.getValue()"


async def type_into(page: Browser, field: str, value: str, event: str) -> None:
    assert await page.until("page", f"!!document.querySelector('{field}')"), page.complaints
    assert await page.until("page", TYPE.format(field=field, value=json.dumps(value), event=event))


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_a_developer_runs_an_example_with_a_token(house: House, ask: Asking, tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    app = create_app(house)

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            seen.append((scope["path"], scope["query_string"].decode()))
        await app(scope, receive, send)

    port = free_port()
    async with served(watched, port), browser(tmp_path / "chromium") as chromium:
        await chromium.open(f"http://127.0.0.1:{port}/graphiql")
        await type_into(chromium, "#token", ask.token("ana"), "input")
        assert await chromium.until("page", "document.querySelector('#said').textContent.includes('schema')")
        assert await chromium.until("page", "document.querySelectorAll('#example option').length > 4")
        await type_into(chromium, "#example", "employee-my-scores", "change")
        editor = "document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.getValue()"
        assert await chromium.until("page", f"{editor}.includes('query MyScores')"), chromium.complaints
        assert await chromium.until("page", "document.querySelector('.graphiql-execute-button').click() || true")
        assert await chromium.until("page", f"{SHOWN}.includes('requestId')"), chromium.complaints
        shown = json.loads(await chromium.until("page", SHOWN))
        assert shown["data"]["viewer"]["person"] == {"name": "ana"}
        assert shown["data"]["viewer"]["scores"]["nodes"][0]["value"] == "0.666667"

        kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
        assert await chromium.until("page", kept) == f'[{{}},{{}},"","http://127.0.0.1:{port}/graphiql"]'
        assert "Content Security Policy" not in chromium.complaints
        assert {path for path, _ in seen} <= {
            "/graphiql", "/graphiql/graphiql.js", "/graphiql/graphiql.css", "/graphiql/examples.json", "/graphql"
        }  # fmt: skip
        assert {query for _, query in seen} == {""}


FOLLOW = "subscription { awardChanged(filter: {}) { award { awardRef state } } }"
OPEN = "{ awards(first: 9, filter: {state: [SUBMITTED]}) { nodes { id awardRef version } } }"
APPROVE = """mutation ($id: ID!, $version: Int!) {
    approveAward(input: {idempotencyKey: $id, awardId: $id, expectedVersion: $version}) { userErrors { code } } }"""


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
async def test_a_developer_follows_awards_until_he_stops(
    postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("followed")
    following: list[bool] = []
    async with small(postgres, template, folder / "keys", folder.name) as house, asking(house) as ask:
        app = create_app(house)

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            events = dict(scope.get("headers", ())).get(b"accept") == b"text/event-stream"
            if events:
                following.append(True)
            try:
                await app(scope, receive, send)
            finally:
                if events:
                    following.append(False)

        port = free_port()
        async with served(watched, port), browser(folder / "chromium") as chromium:
            await chromium.open(f"http://127.0.0.1:{port}/graphiql")
            await type_into(chromium, "#token", ask.token("finn"), "input")
            assert await chromium.until("page", "document.querySelector('#said').textContent.includes('schema')")
            typed = f"document.querySelector('.graphiql-query-editor .CodeMirror').CodeMirror.setValue({FOLLOW!r})"
            assert await chromium.until("page", f"{typed} || true")
            press = "document.querySelector('.graphiql-execute-button').click() || true"
            assert await chromium.until("page", press)
            await soon(lambda: following == [True])
            await asyncio.sleep(1)
            for award in (await ask("finn", OPEN))["awards"]["nodes"][:2]:  # type: ignore[index]
                await ask("finn", APPROVE, id=award["id"], version=award["version"])
                shown = f"{SHOWN}.includes('{award['awardRef']}') && {SHOWN}.includes('APPROVED')"
                assert await chromium.until("page", shown), chromium.complaints
            assert await chromium.until("page", press)
            await soon(lambda: following == [True, False])


async def soon(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():
            await asyncio.sleep(0.1)
