"""Write the published schema: `python -m api.graphql`. The drift test compares it byte by byte."""

from pathlib import Path

import schema
from api.graphql.served import SCHEMA

SDL = Path(schema.__file__).with_name("api.graphql")


def sdl() -> str:
    return SCHEMA.as_str() + "\n"


if __name__ == "__main__":
    SDL.write_text(sdl())
