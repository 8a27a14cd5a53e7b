"""The conformance suite of the SCIM community, over real HTTP: every check it makes, and none that does not apply."""

import asyncio
import socket

import httpx2
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from api import identity
from api.app import create_app
from api.serving import server_of
from tests.api.scim.office import Office

OUR_WORD = "searching several resource types at once"  # we say 501, and the suite counts that as a skip


@pytest.mark.capability("T3.1")
async def test_the_suite_finds_nothing(fresh: Office) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = server_of(create_app(fresh.house), fresh.house.settings)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    token = identity.mint_service(fresh.house.signer, "scim:write", fresh.clock())
    base, headers = f"http://127.0.0.1:{port}/scim/v2", {"authorization": f"Bearer {token}"}
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        with httpx2.Client(base_url=base, headers=headers, timeout=20) as client:
            results = await asyncio.to_thread(lambda: check_server(SyncSCIMClient(client)))
    finally:
        server.should_exit = True
        await running
        listener.close()
    bad = [f"{each.status.name} {each.title}: {each.reason}" for each in results if each.status is not Status.SUCCESS]
    assert [line for line in bad if OUR_WORD not in line] == []
