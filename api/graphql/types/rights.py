"""Who may do what: grants of roles, requests for them, the reporting line, and logins at the identity provider.

Oneself, HR and auditors see grants, requests and lines; a manager sees his own line. Logins are for auditors and the
tools' administrators.
"""

from datetime import datetime

from api.graphql.binding import Node, about, shown, to_one
from api.graphql.types.organisation import GONE, SOURCE, SOURCE_KEY, Person
from engine.words import Role, RoleRequestState, Source
from schema.tables import access, staff


@shown(
    access.RoleGrant,
    "A role that a person holds for a time. For himself, HR and auditors.",
    key="person_id",
    unique=("person_id", "role"),
)
class RoleGrant:
    role: Role = about("The role. EMPLOYEE and MANAGER follow from the mirror and are never granted.")
    granted_by: str = about("The two who decided it.")
    valid_from: datetime = about("From when it is held.")
    valid_to: datetime | None = about("From when it is no longer held; null for no end.")
    person: Person | None = to_one("Person", "person_id", "Who holds it; null for somebody whom no tool knows.")


@shown(access.RoleRequest, "A role that the identity provider asks for. For the person, HR and auditors.")
class RoleRequest(Node):
    role: Role = about("The role.")
    state: RoleRequestState = about("What became of it.")
    asked_by: str = about("The group of the identity provider.")
    asked_at: datetime = about("When it was asked for.")
    decided_at: datetime | None = about("When it was decided.")
    person: Person | None = to_one("Person", "person_id", "For whom.")
    decided_by: Person | None = to_one("Person", "decided_by", "Who decided it: not the person himself.")


@shown(
    access.ReportingClosure,
    "Somebody stands below somebody, at a distance. For both of them, HR and auditors.",
    key="person_id",
    unique=("manager_id", "person_id"),
)
class ReportingLine:
    depth: int = about("How many steps; 1 is direct.")
    manager: Person | None = to_one("Person", "manager_id", "Who stands above.")
    person: Person | None = to_one("Person", "person_id", "Who stands below.")


@shown(staff.Account, "A login at the identity provider. For auditors and administrators.")
class Account(Node):
    user_name: str = about("The name to log in with.")
    name: str | None = about("The name of its owner.")
    email: str | None = about("The mail address.")
    active: bool | None = about("Whether it may enter; null when the identity provider does not say.")
    source: Source = about(SOURCE)
    source_key: str = about(SOURCE_KEY)
    gone_at: datetime | None = about(GONE)
    person: Person | None = to_one("Person", "person_id", "Who it is, once that is certain and where he may be seen.")
