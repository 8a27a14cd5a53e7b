"""The clients of docs/clients.md: each is run as it stands, against a served house, and must read what is there."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from graphql import build_schema, parse, validate

from api.actions import trusted
from api.graphql.checking import checked
from api.house import House
from schema.embedded import Server
from schema.store import Viewer
from tests.api.conftest import Asking, asking, small
from tests.api.listening import opened
from tests.api.programs import HOME, run
from tests.api.small_house import person

ROOT = Path(__file__).parents[4]
CLIENTS = ROOT / "docs/examples/clients"
UV = ROOT / ".venv/bin/uv"
SERVICES = """{ scores(first: 50, filter: {subjectKind: [SERVICE]}) {
    nodes { subjectLabel value status dataAsOf cycle { label startsOn } } } }"""


@pytest.fixture(scope="module")
async def place(
    postgres: Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[House, Asking, str]]:
    """A house of their own, for one of them approves an award; with somebody who asks it, and its address."""
    async with (
        small(postgres, template, tmp_path_factory.mktemp("clients") / "keys", "clients") as house,
        asking(house) as ask,
        opened(house) as address,
    ):
        yield house, ask, address


async def services(ask: Asking) -> list[dict[str, Any]]:
    found: Any = await ask("ana", SERVICES)
    nodes: list[dict[str, Any]] = found["scores"]["nodes"]
    assert len(nodes) > 1
    return nodes


# --- Python ----------------------------------------------------------------------------------------------------------


def generator() -> Path:
    """The programs of the environment that docs/clients.md tells people to make; made once."""
    lock = CLIENTS / "python/requirements.txt"
    folder = HOME / "python" / f"codegen-{sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not (folder / "ready").exists():
        for command in (
            ["venv", "--quiet", "--clear", "--python", sys.executable, folder],
            ["pip", "install", "--quiet", "--require-hashes", "--python", folder, "-r", lock],
        ):
            subprocess.run([UV, *command], check=True, timeout=120)
        (folder / "ready").touch()
    return folder / "bin"


async def test_the_python_client_is_generated_typed_and_reads(place: tuple[House, Asking, str], tmp_path: Path) -> None:
    _, ask, address = place
    home = tmp_path / "docs/examples/clients/python"
    shutil.copytree(CLIENTS / "python", home, ignore=shutil.ignore_patterns("venv", "evenhand_client"))
    (tmp_path / "schema").mkdir()
    shutil.copy(ROOT / "schema/api.graphql", tmp_path / "schema")
    programs = await asyncio.to_thread(generator)
    subprocess.run([programs / "ariadne-codegen"], cwd=home, check=True, capture_output=True, timeout=60)
    assert "value: Optional[Decimal]" in (home / "evenhand_client/my_people.py").read_text()

    async def people(token: str) -> tuple[int | None, str, str]:
        running = await asyncio.create_subprocess_exec(
            programs / "python", "people.py", cwd=home, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "EVENHAND_URL": address, "EVENHAND_TOKEN": token},
        )  # fmt: skip
        said, complained = await asyncio.wait_for(running.communicate(), 60)
        return running.returncode, said.decode(), complained.decode()

    status, said, complained = await people(ask.token("mia"))
    assert status == 0, complained
    lines = [json.loads(line) for line in said.splitlines()]
    expected: Any = await ask(
        "mia", "{ people(first: 200) { totalCount nodes { name scores(first: 1) { nodes { value status } } } } }"
    )
    assert expected["people"]["totalCount"] > 3, "more than a page of the example"
    assert [line for line in lines if "percent" in line] == [
        {"name": each["name"], "percent": f"{Decimal(score['value']) * 100:.1f} %", "status": score["status"]}
        for each in expected["people"]["nodes"]
        for score in each["scores"]["nodes"]
    ]
    assert sum("because" in line for line in lines) == sum("percent" in line for line in lines) > 0

    status, _, complained = await people("wrong")
    assert status == 1
    assert complained.startswith("401: ")


# --- TypeScript ------------------------------------------------------------------------------------------------------


async def test_the_urql_client_approves_an_award_once(place: tuple[House, Asking, str], tmp_path: Path) -> None:
    _, ask, address = place
    before: Any = await ask("finn", "{ awards(first: 50, filter: {state: [SUBMITTED]}) { totalCount nodes { id } } }")
    found = await run(
        CLIENTS / "typescript/awards.ts", tmp_path, EVENHAND_URL=address, EVENHAND_TOKEN=ask.token("finn")
    )
    assert found["waiting"]["totalCount"] == before["awards"]["totalCount"] > 0
    assert found["waiting"]["nodes"][0]["amounts"] == {"earned": {"amount": "2000.00", "currency": "EUR"}}
    assert found["done"]["userErrors"] == []
    assert found["done"]["award"]["state"] == "APPROVED"
    assert found["same"] == found["done"], "the key is known"
    assert found["again"]["award"] is None
    assert [each["code"] for each in found["again"]["userErrors"]] == ["NOT_FOUND"], "it waits no more"
    after: Any = await ask("finn", "{ awards(first: 50, filter: {state: [SUBMITTED]}) { nodes { id } } }")
    assert after["awards"]["nodes"] == before["awards"]["nodes"][1:]


# --- Grafana ---------------------------------------------------------------------------------------------------------


def at(row: Any, path: str) -> Any:
    for name in path.split("."):
        row = None if row is None else row[name]
    return row


READ = {
    "string": lambda text: text,
    "number": lambda text: None if text is None else float(text),
    "timestamp": lambda text: text,
}


async def test_the_grafana_query_gives_a_frame(place: tuple[House, Asking, str]) -> None:
    """The request as the plugin sends it, and the columns as it reads them."""
    _, ask, address = place
    query = json.loads((CLIENTS / "grafana/service_scores.json").read_text())
    source = yaml.safe_load((CLIENTS / "grafana/datasource.yaml").read_text())["datasources"][0]
    assert source["uid"] == query["datasource"]["uid"]
    assert query["url"].startswith(f"{source['jsonData']['allowedHosts'][0]}/")
    options = query["url_options"]
    body = {"query": options["body_graphql_query"], "variables": json.loads(options["body_graphql_variables"])}
    headers = {
        "authorization": f"Bearer {ask.token('ana')}",
        "accept": "application/json;q=0.9,text/plain",
        "content-type": "application/json",
    }
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.request(options["method"], f"{address}/graphql", json=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    rows = at(answer.json(), query["root_selector"])
    frame = {
        column["text"]: [READ[column["type"]](at(row, column["selector"])) for row in rows]
        for column in query["columns"]
    }
    expected = await services(ask)
    assert frame == {
        "Time": [each["cycle"]["startsOn"] for each in expected],
        "Service": [each["subjectLabel"] for each in expected],
        "Score": [float(each["value"]) for each in expected],
        "Status": [each["status"] for each in expected],
    }


# --- ServiceNow ------------------------------------------------------------------------------------------------------

SCRIPT = CLIENTS / "servicenow/EvenhandScores.js"
DOCUMENT = (CLIENTS / "servicenow/service_scores.graphql").read_text()
PROGRAM = Path(__file__).parent / "servicenow.mjs"


async def ask_as_servicenow(address: str, token: str, folder: Path, page: int = 0, script: Path = SCRIPT) -> Any:
    return await run(PROGRAM, folder, SCRIPT=str(script), API_URL=f"{address}/graphql", TOKEN=token, PAGE=str(page))


async def test_the_script_include_reads_services_by_a_registered_document(
    place: tuple[House, Asking, str], tmp_path: Path
) -> None:
    house, ask, address = place
    document_id = f"sha256:{sha256(DOCUMENT.encode()).hexdigest()}"
    assert f"DOCUMENT: '{document_id}'" in SCRIPT.read_text(), "the id is that of the file beside it"
    assert validate(build_schema((ROOT / "schema/api.graphql").read_text()), parse(DOCUMENT)) == []
    found = checked(DOCUMENT, computed=False)
    await trusted.register(
        house.store, house.log, Viewer(person("ivo")), found.id.removeprefix("sha256:"), found.name, found.body,
        computed=False, now=house.clock(),
    )  # fmt: skip

    expected = [
        {"service": each["subjectLabel"], "cycle": each["cycle"]["label"], "value": each["value"],
         "status": each["status"], "dataAsOf": each["dataAsOf"]}
        for each in await services(ask)
    ]  # fmt: skip
    done = await ask_as_servicenow(address, ask.token("ana"), tmp_path)
    assert (done["found"], done["logged"]) == (expected, [])
    assert [set(each["body"]) for each in done["sent"]] == [{"documentId", "variables"}]
    by_one = await ask_as_servicenow(address, ask.token("ana"), tmp_path, page=1)
    assert by_one["found"] == expected
    assert len(by_one["sent"]) == len(expected)


async def test_the_script_include_says_no_more_than_a_code_when_it_is_refused(
    place: tuple[House, Asking, str], tmp_path: Path
) -> None:
    _, ask, address = place
    unknown = tmp_path / "Unknown.js"
    unknown.write_text(SCRIPT.read_text().replace("sha256:", "sha256:0"))
    for token, code in ((ask.token("ana"), "400 DOCUMENT_NOT_FOUND"), ("wrong", "401 UNAUTHENTICATED")):
        done = await ask_as_servicenow(address, token, tmp_path, script=unknown)
        assert done["found"] is None
        [line] = done["logged"]
        assert line.startswith(f"evenhand: {code} request ")
        assert len(line.split(" request ")[1]) == 32
