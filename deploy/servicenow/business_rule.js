// Sends each new version of a record to Evenhand, signed as Standard Webhooks 1.0. For the script field of a ServiceNow
// business rule, one rule for each of the tables below:
//
//   When: after.  Insert, Update and Delete: yes.  Order: below 1000 (rules from 1000 on see active records only and
//   would miss every closure).  Advanced: yes.  Condition: none.
//
// Two system properties, readable by administrators alone:
//
//   evenhand.webhook_url      https://evenhand.example.com/hooks/servicenow
//   evenhand.webhook_secret   whsec_...   the text of EVENHAND_SERVICENOW_WEBHOOK_SECRET
//
// The columns are those of connectors/servicenow/contract.yaml; a test holds the two together. A rule with fewer
// columns would make versions that differ from what the poller reads: whoever changes the contract changes this list.
// With the last three tables the contract also reads columns of other records; an event of theirs is a hint, and the
// record is read again. Other tables (people, groups, services, boards, surveys) come with the poll: nobody waits for
// them, and some change with every login. Nothing retries here: what is lost, the next poll brings.
// How to place it step by step: docs/servicenow.md. Tested with stand-ins for the platform's classes, not yet on an
// instance.
(function executeRule(current, previous) {
  var FIELDS = {
    "incident": ["assigned_to", "assignment_group", "business_service", "caused_by", "closed_at", "made_sla", "number",
      "opened_at", "priority", "problem_id", "reassignment_count", "reopen_count", "resolved_at", "state", "sys_id",
      "sys_mod_count", "sys_updated_on"],
    "change_request": ["approval_set", "assigned_to", "assignment_group", "business_service", "cab_required",
      "close_code", "closed_at", "number", "opened_at", "state", "sys_id", "sys_mod_count", "sys_updated_on", "type",
      "unauthorized", "work_start"],
    "problem": ["assigned_to", "closed_at", "closed_by", "number", "state", "sys_id", "sys_mod_count", "sys_updated_on",
      "u_root_cause", "u_root_cause_vendor"],
    "sysapproval_approver": ["approver", "document_id", "source_table", "state", "sys_id", "sys_mod_count",
      "sys_updated_by", "sys_updated_on", "sysapproval"],
    "task_sla": ["business_duration", "business_pause_duration", "end_time", "has_breached", "planned_end_time", "sla",
      "stage", "start_time", "sys_id", "sys_mod_count", "sys_updated_on", "task"],
    "sysapproval_group": ["approval", "approval_set", "assignment_group", "opened_at", "parent", "sys_id",
      "sys_mod_count", "sys_updated_on"],
    "asmt_metric_result": ["actual_value", "sys_id", "sys_mod_count", "sys_updated_on"]
  };

  var table = String(current.getTableName());
  var url = gs.getProperty('evenhand.webhook_url', '');
  var secret = gs.getProperty('evenhand.webhook_secret', '');
  if (!FIELDS[table] || !url || secret.indexOf('whsec_') !== 0) {
    return;
  }

  var record = {};
  FIELDS[table].forEach(function (column) {
    record[column] = String(current.getValue(column) || ''); // stored values: UTC, sys_ids, choice values
  });
  var id = String(gs.generateGUID());
  var body = JSON.stringify({ event_id: id, table: table, op: String(current.operation()), record: record });
  // Pure ASCII, so that the signature does not depend on a character set.
  body = body.replace(/[\u007f-\uffff]/g, function (letter) {
    return '\\u' + ('000' + letter.charCodeAt(0).toString(16)).slice(-4);
  });
  var seconds = String(Math.floor(new Date().getTime() / 1000));
  // generateMac takes the key in base64, which is what stands behind whsec_, and answers in base64.
  var mac = new GlideCertificateEncryption().generateMac(
    secret.substring('whsec_'.length), 'HmacSHA256', id + '.' + seconds + '.' + body);

  try {
    var message = new sn_ws.RESTMessageV2();
    message.setEndpoint(url);
    message.setHttpMethod('post');
    message.setHttpTimeout(5000);
    message.setRequestHeader('Content-Type', 'application/json');
    message.setRequestHeader('webhook-id', id);
    message.setRequestHeader('webhook-timestamp', seconds);
    message.setRequestHeader('webhook-signature', 'v1,' + mac);
    message.setRequestBody(body);
    message.executeAsync();
  } catch (error) {
    gs.warn('evenhand: ' + table + ' ' + id + ' was not sent: ' + error); // the save must not fail because of us
  }
})(current, previous);
