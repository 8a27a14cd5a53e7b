"""GraphiQL at /graphiql: the page on which developers meet the API, served from here alone.

Decides: that it is there exactly when the schema may be asked for; that nothing is fetched from anywhere else and no
script stands in the page (the policy says so to the browser); that it has the examples of `examples/`. A token that is
typed into the page stays in its memory: never in an address, a cookie or a storage.

`pages/` is built by deploy/graphiql and committed; `pages/sources.json` names versions, licences and sums.
"""

from functools import cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from api.house import House
from engine.refusal import Code, Refused

PAGES = Path(__file__).parent / "pages"
EXAMPLES = Path(__file__).parent / "examples"
STATIC = {"graphiql.js": "text/javascript", "graphiql.css": "text/css", "LICENSES.txt": "text/plain"}
# Dialogs would like to add a style of their own that stops the page behind them from scrolling; they do without it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SHELL = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>GraphiQL: Evenhand</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/graphiql/graphiql.css">
<script src="/graphiql/graphiql.js" defer></script>
</head>
<body><div id="page"></div></body>
</html>
"""


def routes(house: House) -> list[BaseRoute]:
    if not house.settings.introspection:
        return []

    async def shell(request: Request) -> Response:
        return Response(SHELL, media_type="text/html", headers={"content-security-policy": POLICY})

    async def listed(request: Request) -> Response:
        return JSONResponse(examples())

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            raise Refused(Code.NOT_FOUND, "There is nothing here.", "Check the path.")
        headers = {"cache-control": "public, max-age=3600"}
        return Response((PAGES / name).read_bytes(), media_type=STATIC[name], headers=headers)

    return [
        Route("/graphiql", shell, methods=["GET"]),
        Route("/graphiql/examples.json", listed, methods=["GET"]),
        Route("/graphiql/{name:str}", static, methods=["GET"]),
    ]


@cache
def examples() -> list[dict[str, Any]]:
    """The files of `examples/`. Each begins with a line `# ROLE: what one learns by it.`"""
    found = []
    for file in sorted(EXAMPLES.glob("*.graphql")):
        text = file.read_text()
        role, _, title = text.partition("\n")[0].removeprefix("# ").partition(": ")
        found.append({"name": file.stem, "role": role, "title": title, "text": text})
    return found
