"""Everybody whom the token's person may see, with the newest score and why it is what it is; one JSON object a line.

    EVENHAND_URL=https://evenhand.example.com EVENHAND_TOKEN=... python people.py

`evenhand_client` is generated: `ariadne-codegen` in this folder (see docs/clients.md).
"""

import asyncio
import json
import os
from decimal import Decimal

from evenhand_client import Evenhand, GraphQLClientGraphQLMultiError, GraphQLClientHttpError

PAGE = 3  # small, so that the example turns pages; up to 200 at a time


async def main() -> None:
    headers = {"Authorization": f"Bearer {os.environ['EVENHAND_TOKEN']}"}
    async with Evenhand(f"{os.environ['EVENHAND_URL']}/graphql", headers=headers) as evenhand:
        after = None
        while True:
            page = (await evenhand.my_people(first=PAGE, after=after)).people
            for person in page.nodes:
                for score in person.scores.nodes:
                    print(json.dumps({"name": person.name, "percent": percent(score.value), "status": score.status}))
                    explained = (await evenhand.why(id=score.id)).explain
                    if explained:
                        print(json.dumps({"name": person.name, "because": explained.root.sentence}))
            if not page.page_info.has_next_page:
                return
            after = page.page_info.end_cursor


def percent(value: Decimal | None) -> str:
    """A Decimal arrives as text and stays exact; no value means that nothing was measured, not zero."""
    return "no data" if value is None else f"{value * 100:.1f} %"


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except GraphQLClientHttpError as no:  # 401, 429, ...: {"code", "what", "fix", "requestId"}
        raise SystemExit(f"{no.status_code}: {no.response.text}") from None
    except GraphQLClientGraphQLMultiError as no:  # each has extensions.code and extensions.requestId
        raise SystemExit("\n".join(f"{each.message} {each.extensions}" for each in no.errors)) from None
