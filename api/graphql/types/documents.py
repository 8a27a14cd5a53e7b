"""Documents that rule how tools are read and what words mean: every version with its text and who put it in force.

Shown to administrators, those who publish plans, auditors and the works council.
"""

from datetime import datetime

from api.graphql.binding import Node, about, shown, to_one
from api.graphql.types.organisation import Person
from engine.words import DocumentKind, DocumentState
from schema.tables import documents


@shown(
    documents.Document,
    "One version of a document that rules. For administrators, plan administrators, auditors and the works council.",
)
class DocumentVersion(Node):
    kind: DocumentKind = about("What it rules.")
    name: str = about("Which document.")
    version_no: int = about("Its number, from 1.")
    content_hash: str = about("sha256 of the text, hex.")
    body: str = about("The text, as it was proposed (YAML).")
    state: DocumentState = about("Its life.")
    owner: str | None = about("Who answers for it.")
    proposed_at: datetime = about("When it was proposed.")
    activated_at: datetime | None = about("When it was put in force.")
    retired_at: datetime | None = about("When it was taken out of force.")
    proposed_by: Person | None = to_one("Person", "proposed_by", "Who proposed it.")
    activated_by: Person | None = to_one("Person", "activated_by", "Who put it in force: not its author.")
