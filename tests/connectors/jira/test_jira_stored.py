"""What was kept of a record says the same as the record did: a replay under the same contract changes nothing."""

from itertools import islice
from typing import Any

import orjson
import pytest

from connectors.jira.pull import poll
from connectors.jira.site import JiraConfig
from connectors.jira.stored import raw_of
from connectors.jira.translate import translator
from connectors.source import Version

PAGES = 9  # three searches with what belongs to their issues


def told(version: Version) -> tuple[Any, ...]:
    return version.kind, dict(version.values), version.issues


@pytest.mark.capability("I7.1")
def test_every_version_can_be_read_again_from_its_payload(jira_config: JiraConfig) -> None:
    reads = translator(jira_config.contract)
    seen: dict[str, int] = {}
    for page in islice(poll(jira_config, None), PAGES):
        for record in orjson.loads(page.body):
            for version in reads.translate(page.entity, record, page.observed_at):
                entity, raw = raw_of(version.entity, orjson.loads(version.payload))
                again = reads.translate(entity, raw, version.version_at)
                (found,) = [v for v in again if (v.entity, v.key) == (version.entity, version.key)]
                assert told(found) == told(version)
                assert found.payload == version.payload
                seen[version.entity] = seen.get(version.entity, 0) + 1
    assert {"issue", "request_approval", "request_sla", "issue_satisfaction"} <= set(seen), seen
