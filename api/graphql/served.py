"""The schema that is served: strawberry's types, as graphql-core reads them."""

import strawberry
from graphql import GraphQLInputObjectType, GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from api.graphql.mutations_exports import Mutation
from api.graphql.root import Query
from api.graphql.scalars import SCALARS
from api.graphql.subscriptions import Subscription

SCHEMA = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    config=StrawberryConfig(scalar_map=SCALARS, sort_schema=True, disable_field_suggestions=True),
)
CORE: GraphQLSchema = SCHEMA._schema

# strawberry checks a oneOf input when it is used; told of it, validation refuses a wrong one beforehand.
for _input in CORE.type_map.values():
    if isinstance(_input, GraphQLInputObjectType):
        _input.is_one_of = _input.extensions["strawberry-definition"].is_one_of
