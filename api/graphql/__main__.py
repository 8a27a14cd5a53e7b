"""Write the published schema: `python -m api.graphql`. The drift test compares it byte by byte.

`python -m api.graphql release` also keeps it as the schema that later ones must not break.
"""

import sys
from pathlib import Path

import schema
from api.graphql.contract import publish
from api.graphql.served import SCHEMA

SDL = Path(schema.__file__).with_name("api.graphql")


def sdl() -> str:
    return SCHEMA.as_str() + "\n"


if __name__ == "__main__":
    SDL.write_text(sdl())
    if sys.argv[1:] == ["release"]:
        publish(sdl())
