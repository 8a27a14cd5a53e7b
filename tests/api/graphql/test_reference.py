"""The reference in docs/api.md: every entry of the schema with its own words, so that neither goes stale."""

import re
from pathlib import Path

from graphql import GraphQLObjectType, parse, validate

from api.graphql.documents import RULES
from api.graphql.execution import CORE
from api.graphql.graphiql import EXAMPLES

PAGE = Path(__file__).parents[3] / "docs" / "api.md"


def table(kind: GraphQLObjectType | None) -> str:
    """One line for each field of a root type, in alphabetical order."""
    lines = [f"| `{name}` | {field.description} |" for name, field in sorted(kind.fields.items())] if kind else []
    return "\n".join(["| field | what, and who sees it |", "|---|---|", *lines]) + "\n"


def test_every_root_field_is_in_the_reference() -> None:
    page = PAGE.read_text()
    for kind in (CORE.query_type, CORE.mutation_type, CORE.subscription_type):
        assert table(kind) in page, f"put this into docs/api.md:\n\n{table(kind)}"


def test_the_page_names_every_example() -> None:
    page = PAGE.read_text()
    assert [file.name for file in sorted(EXAMPLES.glob("*.graphql")) if f"`{file.name}`" not in page] == []


def documents(page: str) -> list[str]:
    """The operations on a page: indented blocks that begin like one."""
    blocks = re.findall(r"(?:^    .+\n)+", page, re.MULTILINE)
    return [block for block in blocks if re.match(r"\s+(\{ |query |mutation |subscription )", block)]


def test_every_operation_on_the_page_is_valid() -> None:
    found = documents(PAGE.read_text())
    assert len(found) > 5
    for each in found:
        assert validate(CORE, parse(each), RULES) == [], each
