"""The schema that is served: strawberry's types, as graphql-core reads them."""

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from api.graphql.mutations import Mutation
from api.graphql.root import Query
from api.graphql.scalars import SCALARS

SCHEMA = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    config=StrawberryConfig(scalar_map=SCALARS, sort_schema=True, disable_field_suggestions=True),
)
CORE: GraphQLSchema = SCHEMA._schema
