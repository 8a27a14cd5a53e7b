"""What resolvers may reach: the house, and this request's reading. Nothing is shared between requests."""

from dataclasses import dataclass, field

from strawberry.types import Info

from api.graphql.bucket import Free, Purse
from api.graphql.reading import Reading
from api.graphql.registry import Registry
from api.house import House


@dataclass(frozen=True, slots=True)
class Context:
    house: House
    reading: Reading
    purse: Purse | Free = field(default_factory=Free)  # what the operation is paid from
    documents: Registry | None = None  # those of this process

    @property
    def registry(self) -> Registry:
        return self.documents or Registry(self.house.store)


Asked = Info[Context, None]
