"""The business rule that administrators paste: it names the contract's columns, and our door takes what it sends."""

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.servicenow.contract import standard
from connectors.servicenow.translate import read_hook
from connectors.source import Hint
from engine.words import MirrorKind, Source
from webhooks.signatures import Genuine, standard_secrets, standard_webhook

RULE = (Path(__file__).parents[2] / "deploy/servicenow/business_rule.js").read_text()
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
NODE = shutil.which("node")
# Kinds that people wait for: what a score rests on, and what moves while they work. The others come with the poll.
URGENT = {
    MirrorKind.INCIDENT, MirrorKind.CHANGE, MirrorKind.PROBLEM, MirrorKind.CHANGE_APPROVAL, MirrorKind.GROUP_APPROVAL,
    MirrorKind.TASK_SLA, MirrorKind.CSAT_RESPONSE,
}  # fmt: skip
ROW = {
    "sys_id": "b1d2c3e4f5a60718293a4b5c6d7e8f90", "sys_mod_count": "3", "sys_updated_on": "2025-03-04 10:15:07",
    "number": "INC0010023 — Zürich 🌧", "state": "6", "made_sla": "1", "description": "not in the contract",
}  # fmt: skip

# The platform's classes, as far as the rule uses them; the message prints itself instead of going out.
PLATFORM = """
const crypto = require('node:crypto');
const [row, properties, table] = JSON.parse(process.argv[2]);
const gs = {getProperty: (name, other) => properties[name] || other,
            generateGUID: () => '7f0c6c0e1b9a4d1f8c52a1d0e3b4f6a9',
            warn: (text) => { throw new Error(text) }};
class GlideCertificateEncryption {
  generateMac(key, algorithm, data) {
    if (algorithm !== 'HmacSHA256') throw new Error(algorithm);
    return crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(data, 'latin1').digest('base64');
  }
}
const sn_ws = {RESTMessageV2: class {
  headers = {};
  setEndpoint(url) { this.url = url } setHttpMethod() {} setHttpTimeout() {}
  setRequestHeader(name, value) { this.headers[name.toLowerCase()] = value }
  setRequestBody(body) { this.body = body }
  executeAsync() { console.log(JSON.stringify({url: this.url, headers: this.headers, body: this.body})) }
}};
const current = {getTableName: () => table, operation: () => 'update', getValue: (name) => row[name] ?? null};
const previous = null;
"""


def run(table: str, properties: dict[str, str]) -> dict[str, Any] | None:
    """What the rule sends for ROW; None when it sends nothing."""
    if NODE is None:
        pytest.skip("there is no node to run the rule with")
    given = json.dumps([ROW, properties, table])
    done = subprocess.run([NODE, "-", given], input=PLATFORM + RULE, capture_output=True, text=True, check=True)
    return json.loads(done.stdout) if done.stdout else None


PROPERTIES = {"evenhand.webhook_url": "https://evenhand.example/hooks/servicenow", "evenhand.webhook_secret": SECRET}


def test_the_rule_sends_the_columns_of_the_contract() -> None:
    block = re.search(r"var FIELDS = (\{.*?\});", RULE, re.DOTALL)
    assert block
    listed = json.loads(block[1])
    wanted = {
        entity: [column for column in shape.asked if column not in shape.walked]
        for entity, shape in standard().items()
        if entity in listed
    }
    assert listed == wanted
    # what it says of these is a hint: the record is read again, with what the contract wants of other records
    walking = {entity for entity in listed if standard()[entity].walked}
    assert walking == {"task_sla", "sysapproval_group", "asmt_metric_result"}
    assert {standard()[entity].kind for entity in listed} == URGENT


def test_our_door_takes_what_the_rule_sends() -> None:
    sent = run("incident", PROPERTIES)
    assert sent
    assert sent["url"] == PROPERTIES["evenhand.webhook_url"]
    body = sent["body"].encode("ascii")
    headers = [(name.encode(), value.encode()) for name, value in sent["headers"].items()]
    assert isinstance(standard_webhook(headers, body, standard_secrets([SECRET]), datetime.now(UTC)), Genuine)
    ((table, record),) = read_hook(standard(), json.loads(body)).records
    assert (table, record["number"], record["state"]) == ("incident", ROW["number"], "6")
    assert "description" not in record
    assert record["closed_at"] == ""


@pytest.mark.parametrize(
    ("table", "properties"),
    [("kb_knowledge", PROPERTIES), ("incident", {}), ("incident", PROPERTIES | {"evenhand.webhook_secret": "plain"})],
)
def test_without_columns_address_or_secret_nothing_is_sent(table: str, properties: dict[str, str]) -> None:
    assert run(table, properties) is None


@pytest.mark.parametrize("table", ["task_sla", "sysapproval_group", "asmt_metric_result"])
def test_an_event_that_cannot_say_all_is_read_again(table: str) -> None:
    sent = run(table, PROPERTIES)
    assert sent
    hook = read_hook(standard(), json.loads(sent["body"]))
    assert (hook.records, hook.refetch) == ((), (Hint(Source.SERVICENOW, table, ROW["sys_id"]),))
