"""A page that shows score cards, as a ServiceNow dashboard or an intranet would: another origin, a server of its own.

Its server holds the person's bearer token and asks for an embed token for one score; the browser gets only that one,
good for five minutes, for this origin. The page itself carries no secret and no inline script.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from html import escape
from uuid import UUID

import httpx
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from api import identity, serving
from api.demo import cast
from api.house import House
from api.ids import global_id
from api.settings import Settings
from engine.refusal import Refused
from engine.words import Role
from schema.store import DbRole, Viewer

CARDS_MOST = 3
# One's own score first, then the services that have most to gain.
SCORES = text(
    """select id, subject_label from (
         select s.id, s.subject_label, s.value, (s.subject_kind = 'PERSON') as own from score.score s
           join score.run r on r.tenant_id = s.tenant_id and r.id = s.run_id
          where s.value is not null and (s.subject_kind in ('SERVICE', 'TEAM') or s.person_id = (select app.person()))
            and r.run_no = (select max(run_no) from score.run)) found
      order by own desc, value, id limit :most"""
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A dashboard with score cards</title><link rel="stylesheet" href="/portal.css">
<script src="{api}/embed/v1/score-card.js" defer></script><script src="/portal.js" defer></script></head>
<body><h1>A dashboard with score cards</h1>
<p>This page stands for a dashboard in your tool. Each card below is a frame served by Evenhand.</p>
{cards}</body></html>"""
SCRIPT = """for (const card of document.querySelectorAll('score-card')) {
  card.tokenProvider = async () => (await (await fetch('/card-token/' + card.dataset.score)).json()).token;
}
"""
STYLE = "body{font:16px system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem}score-card{display:block}"


def origin_of(settings: Settings) -> str:
    """Where the page is: one port above the API, on this machine."""
    return f"http://127.0.0.1:{settings.port + 1}"


async def page_of(house: House) -> Starlette:
    """The page for the player of EMPLOYEE, or of ITSM_ADMIN where a log names nobody."""
    people = await cast.players(house.store)
    person = people.get(Role.EMPLOYEE) or people[Role.ITSM_ADMIN]
    scores = await scores_of(house, person)

    async def page(request: Request) -> Response:
        cards = "\n".join(
            f'<score-card src="{escape(house.settings.public_url)}" data-score="{escape(score)}"'
            f' label="{escape(label)}"></score-card>'
            for score, label in scores.items()
        )
        return HTMLResponse(PAGE.format(api=escape(house.settings.public_url), cards=cards))

    async def token(request: Request) -> Response:
        """What the portal's own server does for its visitor."""
        bearer = identity.mint(house.signer, person, house.clock())
        wanted = {"resource": request.path_params["score"], "origin": origin_of(house.settings)}
        async with httpx.AsyncClient(base_url=house.settings.public_url, timeout=10) as client:
            answer = await client.post("/embed/v1/tokens", json=wanted, headers={"Authorization": f"Bearer {bearer}"})
        return JSONResponse(answer.json(), answer.status_code)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/portal.js", lambda _: Response(SCRIPT, media_type="text/javascript")),
            Route("/portal.css", lambda _: Response(STYLE, media_type="text/css")),
            Route("/card-token/{score:str}", token),
        ]
    )


async def scores_of(house: House, person: UUID) -> Mapping[str, str]:
    """Opaque id -> label of the scores that this person sees."""
    async with house.store.begin(DbRole.APP, Viewer(person), read_only=True) as connection:
        rows = (await connection.execute(SCORES, {"most": CARDS_MOST})).all()
    return {global_id("Score", row.id): row.subject_label for row in rows}


@asynccontextmanager
async def shown(house: House) -> AsyncIterator[str]:
    """Serve the page until the block ends. Says where, or why it is not there: it is only a side show."""
    beside = replace(house.settings, port=house.settings.port + 1)
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(serving.served(await page_of(house), beside))
        except Refused as taken:
            yield f"not shown: {taken.what}"
        else:
            yield f"{origin_of(house.settings)}/  (a page of another origin that frames them)"
