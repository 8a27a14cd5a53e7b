"""What we take of an account and of a group, and what the service says about itself.

Decides: the attributes that exist here. They are few on purpose: who somebody is, whether he may enter, and what joins
him to a mirrored person. Whatever else an identity provider sends (passwords, addresses, phone numbers, photos, the
whole rest of the enterprise extension) is accepted and dropped before anything is stored, as RFC 7644 allows.
Three deviations of Microsoft Entra are understood: unknown attributes, a `remove` with a value, and a path filter that
matches nothing yet. Models, PATCH and error words come from scim2-models (docs/decisions/0014-scim.md).
"""

from typing import Annotated, Any

from pydantic import EmailStr, Field
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    Extension,
    Filter,
    Mutability,
    Pagination,
    Patch,
    Reference,
    Required,
    Resource,
    ResourceType,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)
from scim2_models.resources.resource import AnyExtension

PAGE_MAX = 200
MEMBERS_MAX = 2000
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
TOLERANT = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,
)


class Name(ComplexAttribute):
    """The name of a person."""

    formatted: str | None = None
    family_name: str | None = None
    given_name: str | None = None


class Email(ComplexAttribute):
    """A mail address."""

    value: EmailStr | None = None
    type: str | None = Field(None, examples=["work", "home", "other"])
    primary: bool | None = None


class EnterpriseUser(Extension):
    """The employee number, which joins an account to a mirrored person."""

    __schema__ = URN(ENTERPRISE)
    employee_number: str | None = None


class User(Resource[AnyExtension]):
    """An account: somebody may enter while it is active."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")
    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: Name | None = None
    display_name: str | None = None
    active: bool | None = None
    emails: list[Email] | None = None


class GroupMember(ComplexAttribute):
    """An account that belongs to a group. Groups within groups are not taken: an identity provider flattens them."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(  # type: ignore[type-arg]
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])


class Group(Resource[Any]):
    """A group of accounts. A setting may say that its members are to have a role."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")
    display_name: Annotated[str | None, Required.true] = None
    members: list[GroupMember] | None = None


Account = User[EnterpriseUser]


def config() -> ServiceProviderConfig:
    """What this service can do; everything else is said to be off."""
    return ServiceProviderConfig(
        patch=Patch(supported=True),
        bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
        filter=Filter(supported=True, max_results=PAGE_MAX),
        change_password=ChangePassword(supported=False),
        sort=Sort(supported=False),
        etag=ETag(supported=True),
        pagination=Pagination(
            cursor=False,
            index=True,
            default_pagination_method=Pagination.DefaultPaginationMethod.index,
            default_page_size=PAGE_MAX,
            max_page_size=PAGE_MAX,
        ),
        authentication_schemes=[
            AuthenticationScheme(
                type=AuthenticationScheme.Type.oauthbearertoken,
                name="OAuth bearer token",
                description="An access token of a service account with the scope scim:write.",
                spec_uri=Reference("https://www.rfc-editor.org/rfc/rfc6750"),
                primary=True,
            )
        ],
    )


PROVIDER = ScimProvider(
    models=[User, EnterpriseUser, Group],
    resource_types=[ResourceType.from_resource(Account), ResourceType.from_resource(Group)],
    config=config(),
    policy=TOLERANT,
)
