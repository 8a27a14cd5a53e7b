"""Settings are read once, with clear words for what cannot be meant."""

from pathlib import Path

import pytest

from api import settings
from engine.refusal import Refused


def test_defaults_are_for_trying_out() -> None:
    found = settings.read({})
    assert (found.home, found.port, found.environment) == (Path(".evenhand"), 8080, "development")
    assert found.introspection
    assert found.public_url == "http://127.0.0.1:8080"
    assert settings.read({"EVENHAND_PORT": ""}) == found, "empty is not set"


def test_values_are_taken() -> None:
    found = settings.read(
        {
            "EVENHAND_ENVIRONMENT": "production",
            "EVENHAND_PORT": "9000",
            "EVENHAND_PUBLIC_URL": "https://pay.example.com/",
            "EVENHAND_DATABASE_URL": "postgresql://db/evenhand",
            "EVENHAND_FRAME_ANCESTORS": "https://acme.service-now.com http://localhost:9000",
            "EVENHAND_JIRA_WEBHOOK_SECRET": "new",
            "EVENHAND_JIRA_WEBHOOK_SECRETS": "new old",
        }
    )
    assert found.production
    assert not found.introspection
    assert found.public_url == "https://pay.example.com"
    assert "pay.example.com" in found.hosts
    assert found.frame_ancestors == ("https://acme.service-now.com", "http://localhost:9000")
    assert found.jira.webhook_secrets == ("new", "old")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENVIRONMENT", "staging"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "eight"),
        ("PORT", "-1"),
        ("DATABASE_URL", "mysql://x/y"),
        ("PUBLIC_URL", "ftp://x"),
        ("SERVICENOW_URL", "https://user:pw@x"),
        ("JIRA_URL", "jira.example.com"),
        ("FRAME_ANCESTORS", "*"),
        ("FRAME_ANCESTORS", "https://*.example.com"),
        ("FRAME_ANCESTORS", "http://example.com"),
        ("FRAME_ANCESTORS", "https://example.com/"),
        ("FRAME_ANCESTORS", "https://example.com;"),
        ("FRAME_ANCESTORS", "https://a@example.com"),
        ("FRAME_ANCESTORS", "'self'"),
        ("GRAPHQL_INTROSPECTION", "maybe"),
        ("WRITEBACK", "servicenow.table servicenow.tables"),
        ("SERVICENOW_SCORE_COLUMN", "priority"),
        ("JIRA_DASHBOARD_ITEMS", "777"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(Refused) as no:
        settings.read({f"EVENHAND_{name}": value})
    assert f"EVENHAND_{name}" in no.value.what
    assert value not in no.value.what or len(value) < 3, "the value may be a secret in the wrong place"


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    found = settings.read(
        {
            "EVENHAND_SERVICENOW_PASSWORD": "hunter2",
            "EVENHAND_JIRA_TOKEN": "hunter2",
            "EVENHAND_JIRA_WEBHOOK_SECRET": "hunter2",
            "EVENHAND_DATABASE_URL": "postgresql://u:hunter2@h/d",
        }
    )
    assert "hunter2" not in repr(found)
