"""The public `jira` client, unchanged, works against the imitated site as it does against Jira Cloud."""

import pytest
from jira import JIRA
from jira.exceptions import JIRAError

from connectors.sandbox.jira_state import JiraState


@pytest.fixture(params=["2", "3"])
def client(request: pytest.FixtureRequest, jira_url: str, jira_state: JiraState) -> JIRA:
    options = {"rest_api_version": request.param}
    return JIRA(
        jira_url, options=options, basic_auth=(jira_state.email, jira_state.token), max_retries=0, timeout=(5, 30)
    )


def test_it_reads_the_site(client: JIRA, jira_state: JiraState) -> None:
    assert client.server_info()["deploymentType"] == "Cloud"
    assert client.myself()["emailAddress"] == jira_state.email
    names = {field["name"]: field["id"] for field in client.fields()}
    assert names["Affected service"] == "customfield_10120"
    assert [status.name for status in client.statuses()][:2] == ["Open", "In progress"]
    assert client.approximate_issue_count("project = OPS") == len(jira_state.issues)


def test_it_reads_every_issue_page_by_page(client: JIRA, jira_state: JiraState) -> None:
    found = client.enhanced_search_issues("project = OPS ORDER BY created ASC", maxResults=0, fields="status")
    assert [issue.id for issue in found] == sorted(jira_state.issues)
    assert len(found) > 1000


def test_it_reads_one_issue_with_its_changelog(client: JIRA, jira_state: JiraState) -> None:
    issue = client.issue("OPS-1", expand="changelog")
    held = jira_state.issues[issue.id]
    assert issue.fields.status.name == held.values["status"]["name"]
    assert issue.fields.customfield_10120.value in jira_state.services
    assert [entry.id for entry in reversed(issue.changelog.histories)] == [edit.edit_id[5:] for edit in held.history]
    text = (
        issue.fields.description if client._options["rest_api_version"] == "2" else issue.raw["fields"]["description"]
    )
    assert isinstance(text, str) is (client._options["rest_api_version"] == "2")


def test_it_edits_comments_and_sets_properties(client: JIRA, jira_state: JiraState) -> None:
    issue = client.issue("OPS-2", fields="summary,updated")
    before = issue.fields.updated
    issue.update(fields={"summary": "said again"})
    assert client.issue("OPS-2").fields.summary == "said again"
    assert client.issue("OPS-2").fields.updated > before
    two = client._options["rest_api_version"] == "2"
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": "seen"}]}
    body = "seen" if two else {"type": "doc", "version": 1, "content": [paragraph]}
    client.add_comment("OPS-2", body)
    assert [comment.body if two else comment.raw["body"] for comment in client.comments("OPS-2")] == [body]
    with pytest.raises(JIRAError, match="not valid"):
        client.add_comment("OPS-2", {"type": "doc"} if two else "plain")
    assert client.add_issue_property("OPS-2", "evenhand.score", {"score": "0.87"}).status_code == 201
    assert client.add_issue_property("OPS-2", "evenhand.score", {"score": "0.88"}).status_code == 200
    assert client.issue_property("OPS-2", "evenhand.score").raw["value"] == {"score": "0.88"}
    client.issue_property("OPS-2", "evenhand.score").delete()
    assert client.issue_properties("OPS-2") == []


def test_it_is_refused_with_the_wrong_token(jira_url: str, jira_state: JiraState) -> None:
    stranger = JIRA(jira_url, basic_auth=(jira_state.email, "wrong"), max_retries=0)
    with pytest.raises(JIRAError) as error:
        stranger.myself()
    assert error.value.status_code == 401
