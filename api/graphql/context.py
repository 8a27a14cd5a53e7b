"""What resolvers may reach: the house, and this request's reading. Nothing is shared between requests."""

from dataclasses import dataclass

from strawberry.types import Info

from api.graphql.reading import Reading
from api.house import House


@dataclass(frozen=True, slots=True)
class Context:
    house: House
    reading: Reading


Asked = Info[Context, None]
