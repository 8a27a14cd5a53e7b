-- Frozen DDL of the first release; later changes are later migrations. `alembic check` compares it with schema/tables.
set role evenhand_owner;
create schema access;
create schema app;
create schema audit;
create schema inbox;
create schema ledger;
create schema mirror;
create schema ops;
create schema pay;
create schema score;

create table access.reporting_closure (
  tenant_id UUID not null,
  manager_id UUID not null,
  person_id UUID not null,
  depth INTEGER not null,
  PRIMARY KEY (tenant_id, manager_id, person_id)
);

create table access.role_grant (
  tenant_id UUID not null,
  person_id UUID not null,
  role varchar not null,
  granted_by varchar not null,
  valid_from TIMESTAMP WITH TIME ZONE not null,
  valid_to TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, person_id, role),
  CONSTRAINT role_word CHECK (role in ('EMPLOYEE', 'MANAGER', 'HR', 'FINANCE', 'AUDITOR', 'PAYROLL', 'ITSM_ADMIN', 'PLAN_ADMIN'))
);

create table access.tenant (
  tenant_id UUID not null,
  name varchar not null,
  frame_ancestors varchar not null,
  PRIMARY KEY (tenant_id)
);

create table audit.entry (
  tenant_id UUID not null,
  id UUID not null,
  ty varchar not null,
  at TIMESTAMP WITH TIME ZONE not null,
  leaf BYTEA not null,
  leaf_hash BYTEA not null,
  sealed BYTEA,
  dek_id BIGINT not null,
  actor_id UUID,
  subject_id UUID,
  object_type varchar not null,
  object_id varchar not null,
  legal_hold BOOLEAN not null,
  erase_after DATE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT leaf_size CHECK (length(leaf) <= 65535),
  CONSTRAINT leaf_hash_true CHECK (leaf_hash = sha256('\x00'::bytea || leaf))
);
CREATE INDEX entry_object ON audit.entry (tenant_id, object_type, object_id);
CREATE INDEX entry_subject ON audit.entry (tenant_id, subject_id);

create table audit.note_line (
  tenant_id UUID not null,
  log_id SMALLINT not null,
  size BIGINT not null,
  key_name varchar not null,
  key_id BYTEA not null,
  line varchar not null,
  PRIMARY KEY (tenant_id, log_id, size, key_name, key_id)
);

create table audit.pending (
  tenant_id UUID not null,
  qid BIGINT GENERATED ALWAYS AS IDENTITY,
  entry_id UUID not null,
  leaf_hash BYTEA not null,
  PRIMARY KEY (tenant_id, qid),
  UNIQUE (entry_id)
);

create table audit.seq (
  tenant_id UUID not null,
  log_id SMALLINT not null,
  idx BIGINT not null,
  entry_id UUID not null,
  leaf_hash BYTEA not null,
  PRIMARY KEY (tenant_id, log_id, idx),
  CONSTRAINT seq_real CHECK (idx >= 0 and length(leaf_hash) = 32),
  UNIQUE (entry_id)
);

create table audit.tree_head (
  tenant_id UUID not null,
  log_id SMALLINT not null,
  size BIGINT not null,
  root BYTEA not null,
  at TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, log_id, size),
  CONSTRAINT root_size CHECK (length(root) = 32)
);

create table inbox.delivery (
  tenant_id UUID not null,
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  source varchar not null,
  entity varchar not null,
  feed varchar not null,
  delivery_id varchar not null,
  conflict_no SMALLINT not null,
  body BYTEA not null,
  body_sha256 BYTEA not null,
  headers JSONB not null,
  received_at TIMESTAMP WITH TIME ZONE not null,
  state varchar not null,
  attempts SMALLINT not null,
  reason varchar,
  done_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT source_word CHECK (source in ('servicenow', 'jira')),
  CONSTRAINT feed_word CHECK (feed in ('WEBHOOK', 'POLL', 'SWEEP')),
  CONSTRAINT state_word CHECK (state in ('READY', 'DONE', 'DEAD'))
);
CREATE INDEX delivery_ready ON inbox.delivery (tenant_id, id) WHERE state = 'READY';

create table inbox.delivery_key (
  tenant_id UUID not null,
  source varchar not null,
  delivery_id varchar not null,
  body_sha256 BYTEA not null,
  conflicts SMALLINT not null,
  duplicates INTEGER not null,
  PRIMARY KEY (tenant_id, source, delivery_id)
);

create table ledger.account (
  tenant_id UUID not null,
  code varchar not null,
  kind varchar not null,
  PRIMARY KEY (tenant_id, code),
  CONSTRAINT kind_word CHECK (kind in ('asset', 'liability', 'income', 'expense'))
);

create table ledger.journal (
  tenant_id UUID not null,
  id UUID not null,
  booked_on DATE not null,
  event varchar not null,
  source_key varchar not null,
  file_id UUID,
  currency varchar(3) not null,
  postings INTEGER not null,
  audit_entry UUID not null,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT journal_once UNIQUE (tenant_id, event, source_key, currency),
  CONSTRAINT two_sides CHECK (postings >= 2)
);

create table ledger.posting (
  tenant_id UUID not null,
  journal_id UUID not null,
  line INTEGER not null,
  account varchar not null,
  amount_minor BIGINT not null,
  award_ref varchar,
  line_id varchar,
  PRIMARY KEY (tenant_id, journal_id, line),
  CONSTRAINT posting_real CHECK (amount_minor <> 0 and line >= 1)
);

create table mirror.change (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  number varchar not null,
  change_type varchar,
  state varchar,
  source_state varchar,
  outcome varchar,
  service_id UUID,
  team_id UUID,
  assignee_id UUID,
  cab_required BOOLEAN,
  unauthorized BOOLEAN,
  opened_at TIMESTAMP WITH TIME ZONE,
  approval_decided_at TIMESTAMP WITH TIME ZONE,
  work_started_at TIMESTAMP WITH TIME ZONE,
  closed_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT change_type_word CHECK (change_type in ('STANDARD', 'NORMAL', 'EMERGENCY')),
  CONSTRAINT state_word CHECK (state in ('NEW', 'IN_PROGRESS', 'ON_HOLD', 'RESOLVED', 'CLOSED', 'CANCELLED')),
  CONSTRAINT outcome_word CHECK (outcome in ('SUCCESSFUL', 'SUCCESSFUL_ISSUES', 'UNSUCCESSFUL'))
);
CREATE INDEX change_service_closed ON mirror.change (tenant_id, service_id, closed_at);

create table mirror.change_approval (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  change_id UUID,
  approver_id UUID,
  state varchar,
  source_state varchar,
  acted_by varchar,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT state_word CHECK (state in ('NOT_REQUESTED', 'REQUESTED', 'APPROVED', 'REJECTED', 'CANCELLED', 'NOT_REQUIRED', 'SKIPPED'))
);
CREATE INDEX change_approval_change ON mirror.change_approval (tenant_id, change_id);

create table mirror.csat_response (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  task_id UUID,
  rating SMALLINT,
  answered_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT rating_range CHECK (rating between 1 and 5)
);
CREATE INDEX csat_response_task ON mirror.csat_response (tenant_id, task_id);

create table mirror.data_issue (
  tenant_id UUID not null,
  record_id UUID not null,
  field varchar not null,
  code varchar not null,
  source varchar not null,
  entity varchar not null,
  source_key varchar not null,
  value varchar not null,
  what varchar not null,
  fix varchar not null,
  state varchar not null,
  revision_id BIGINT not null,
  PRIMARY KEY (tenant_id, record_id, field, code),
  CONSTRAINT code_word CHECK (code in ('UNMAPPED_SOURCE_VALUE', 'EVIDENCE_REQUIRED', 'MALFORMED', 'REQUIRED_FIELD_MISSING', 'TIME_ORDER', 'VERSION_CONFLICT')),
  CONSTRAINT state_word CHECK (state in ('OPEN', 'RESOLVED'))
);

create table mirror.incident (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  number varchar not null,
  state varchar,
  source_state varchar,
  priority SMALLINT,
  service_id UUID,
  team_id UUID,
  assignee_id UUID,
  opened_at TIMESTAMP WITH TIME ZONE,
  resolved_at TIMESTAMP WITH TIME ZONE,
  closed_at TIMESTAMP WITH TIME ZONE,
  reopen_count INTEGER,
  reassignment_count INTEGER,
  made_sla BOOLEAN,
  problem_id UUID,
  caused_by_id UUID,
  resolve_seconds BIGINT,
  resolve_business_seconds BIGINT,
  calendar_hash varchar,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT state_word CHECK (state in ('NEW', 'IN_PROGRESS', 'ON_HOLD', 'RESOLVED', 'CLOSED', 'CANCELLED'))
);
CREATE INDEX incident_caused_by ON mirror.incident (tenant_id, caused_by_id);
CREATE INDEX incident_problem ON mirror.incident (tenant_id, problem_id);
CREATE INDEX incident_service_resolved ON mirror.incident (tenant_id, service_id, resolved_at);
CREATE INDEX incident_team_opened ON mirror.incident (tenant_id, team_id, opened_at);

create table mirror.person (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  email varchar,
  employee_number varchar,
  manager_id UUID,
  human BOOLEAN,
  active BOOLEAN,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX person_manager ON mirror.person (tenant_id, manager_id);

create table mirror.problem (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  number varchar not null,
  state varchar,
  source_state varchar,
  root_cause varchar,
  vendor_id UUID,
  assignee_id UUID,
  closed_by_id UUID,
  closed_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT state_word CHECK (state in ('NEW', 'IN_PROGRESS', 'ON_HOLD', 'RESOLVED', 'CLOSED', 'CANCELLED')),
  CONSTRAINT root_cause_word CHECK (root_cause in ('INTERNAL', 'CHANGE', 'CAPACITY', 'VENDOR', 'CYBERATTACK', 'FORCE_MAJEURE', 'UPSTREAM_SERVICE'))
);

create table mirror.record (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  entity varchar not null,
  source_key varchar not null,
  kind varchar not null,
  version_no BIGINT not null,
  version_at TIMESTAMP WITH TIME ZONE not null,
  payload_hash BYTEA not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT kind_word CHECK (kind in ('INCIDENT', 'CHANGE', 'CHANGE_APPROVAL', 'PROBLEM', 'TASK_SLA', 'SLA_DEFINITION', 'CSAT_RESPONSE', 'PERSON', 'TEAM', 'TEAM_MEMBERSHIP', 'SERVICE', 'VENDOR')),
  CONSTRAINT source_word CHECK (source in ('servicenow', 'jira'))
);

create table mirror.revision (
  tenant_id UUID not null,
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  record_id UUID not null,
  source varchar not null,
  entity varchar not null,
  source_key varchar not null,
  version_no BIGINT not null,
  version_at TIMESTAMP WITH TIME ZONE not null,
  payload BYTEA not null,
  payload_hash BYTEA not null,
  feed varchar not null,
  delivery_id BIGINT not null,
  observed_at TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT source_word CHECK (source in ('servicenow', 'jira')),
  CONSTRAINT feed_word CHECK (feed in ('WEBHOOK', 'POLL', 'SWEEP')),
  CONSTRAINT revision_once UNIQUE (tenant_id, record_id, version_no, payload_hash)
);

create table mirror.service (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  criticality varchar,
  owner_id UUID,
  support_team_id UUID,
  change_team_id UUID,
  approval_team_id UUID,
  PRIMARY KEY (tenant_id, id)
);

create table mirror.sla_definition (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  sla_type varchar,
  target varchar,
  vendor_id UUID,
  duration_seconds BIGINT,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT sla_type_word CHECK (sla_type in ('SLA', 'OLA', 'UNDERPINNING_CONTRACT')),
  CONSTRAINT target_word CHECK (target in ('RESPONSE', 'RESOLUTION'))
);

create table mirror.task_sla (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  task_id UUID,
  definition_id UUID,
  sla_type varchar,
  target varchar,
  stage varchar,
  has_breached BOOLEAN,
  started_at TIMESTAMP WITH TIME ZONE,
  ended_at TIMESTAMP WITH TIME ZONE,
  planned_end_at TIMESTAMP WITH TIME ZONE,
  business_seconds BIGINT,
  business_pause_seconds BIGINT,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT stage_word CHECK (stage in ('IN_PROGRESS', 'PAUSED', 'COMPLETED', 'CANCELLED')),
  CONSTRAINT sla_type_word CHECK (sla_type in ('SLA', 'OLA', 'UNDERPINNING_CONTRACT')),
  CONSTRAINT target_word CHECK (target in ('RESPONSE', 'RESOLUTION'))
);
CREATE INDEX task_sla_task ON mirror.task_sla (tenant_id, task_id);

create table mirror.team (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  manager_id UUID,
  active BOOLEAN,
  PRIMARY KEY (tenant_id, id)
);

create table mirror.team_membership (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  team_id UUID,
  person_id UUID,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX team_membership_team ON mirror.team_membership (tenant_id, team_id);

create table mirror.vendor (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  PRIMARY KEY (tenant_id, id)
);

create table ops.outbox (
  tenant_id UUID not null,
  id UUID not null,
  target varchar not null,
  operation varchar not null,
  record varchar not null,
  body JSONB not null,
  state varchar not null,
  attempts SMALLINT not null,
  reason varchar,
  created_at TIMESTAMP WITH TIME ZONE not null,
  done_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT state_word CHECK (state in ('READY', 'SENDING', 'DONE', 'UNKNOWN', 'FAILED'))
);
CREATE INDEX outbox_ready ON ops.outbox (tenant_id, created_at) WHERE state in ('READY', 'UNKNOWN');

create table ops.watermark (
  tenant_id UUID not null,
  source varchar not null,
  entity varchar not null,
  feed varchar not null,
  read_to TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, source, entity, feed)
);

create table pay.ack (
  tenant_id UUID not null,
  receiver varchar not null,
  idempotency_key varchar not null,
  file_id UUID not null,
  stage varchar not null,
  body BYTEA not null,
  body_sha256 BYTEA not null,
  answer JSONB not null,
  received_at TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, receiver, idempotency_key)
);

create table pay.award (
  tenant_id UUID not null,
  id UUID not null,
  award_ref varchar not null,
  plan_key varchar not null,
  cycle_id UUID not null,
  run_id UUID not null,
  person_id UUID not null,
  state varchar not null,
  factor NUMERIC(20, 6),
  version INTEGER not null,
  submitted_by UUID not null,
  submitted_at TIMESTAMP WITH TIME ZONE not null,
  approved_by UUID,
  approved_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT state_word CHECK (state in ('SUBMITTED', 'APPROVED', 'REJECTED', 'IN_PAYROLL', 'PAID')),
  CONSTRAINT author_is_not_beneficiary CHECK (submitted_by <> person_id),
  CONSTRAINT approver_is_a_third CHECK (approved_by <> submitted_by and approved_by <> person_id),
  CONSTRAINT approved_by_somebody CHECK ((state in ('SUBMITTED', 'REJECTED')) or (approved_by is not null and approved_at is not null)),
  CONSTRAINT award_once UNIQUE (tenant_id, plan_key, cycle_id, person_id),
  CONSTRAINT award_ref_once UNIQUE (tenant_id, award_ref)
);
CREATE INDEX award_person ON pay.award (tenant_id, person_id);

create table pay.award_amount (
  tenant_id UUID not null,
  award_id UUID not null,
  person_id UUID not null,
  currency varchar(3) not null,
  target_minor BIGINT not null,
  earned_minor BIGINT not null,
  trace JSONB not null,
  PRIMARY KEY (tenant_id, award_id),
  CONSTRAINT amount_positive CHECK (target_minor >= 0 and earned_minor >= 0)
);

create table pay.award_proposal (
  tenant_id UUID not null,
  run_id UUID not null,
  person_id UUID not null,
  currency varchar(3) not null,
  target_minor BIGINT not null,
  earned_minor BIGINT not null,
  factor NUMERIC(20, 6),
  trace JSONB not null,
  PRIMARY KEY (tenant_id, run_id, person_id),
  CONSTRAINT amount_positive CHECK (target_minor >= 0 and earned_minor >= 0)
);

create table pay.file (
  tenant_id UUID not null,
  id UUID not null,
  receiver varchar not null,
  environment varchar not null,
  sequence BIGINT not null,
  previous_manifest_sha256 varchar not null,
  cycle_id UUID not null,
  state varchar not null,
  line_count INTEGER not null,
  currency varchar(3) not null,
  net_minor BIGINT not null,
  pay_date DATE not null,
  csv BYTEA not null,
  manifest BYTEA not null,
  manifest_sha256 varchar not null,
  release_entry_id UUID not null,
  prepared_by UUID not null,
  created_at TIMESTAMP WITH TIME ZONE not null,
  pulled_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT state_word CHECK (state in ('PREPARED', 'RELEASED', 'PULLED', 'ACCEPTED', 'PARTLY_ACCEPTED', 'REJECTED', 'PAID')),
  CONSTRAINT file_sequence UNIQUE (tenant_id, receiver, environment, sequence),
  CONSTRAINT file_chain UNIQUE (tenant_id, receiver, environment, previous_manifest_sha256),
  CONSTRAINT manifest_hash CHECK (manifest_sha256 = encode(sha256(manifest), 'hex'))
);

create table pay.file_part (
  tenant_id UUID not null,
  file_id UUID not null,
  name varchar not null,
  media_type varchar not null,
  body BYTEA not null,
  PRIMARY KEY (tenant_id, file_id, name)
);

create table pay.line (
  tenant_id UUID not null,
  line_id varchar not null,
  file_id UUID not null,
  award_ref varchar not null,
  part_no SMALLINT not null,
  kind varchar not null,
  person_id UUID not null,
  currency varchar(3) not null,
  amount_minor BIGINT not null,
  state varchar not null,
  PRIMARY KEY (tenant_id, line_id),
  CONSTRAINT state_word CHECK (state in ('open', 'paid', 'rejected', 'void')),
  CONSTRAINT amount_not_zero CHECK (amount_minor <> 0),
  CONSTRAINT kind_word CHECK (kind in ('payout', 'clawback', 'correction'))
);
CREATE UNIQUE INDEX one_live_line ON pay.line (tenant_id, award_ref, kind, part_no) WHERE state in ('open', 'paid');

create table pay.pool_allocation (
  tenant_id UUID not null,
  run_id UUID not null,
  service_id UUID not null,
  currency varchar(3) not null,
  amount_minor BIGINT not null,
  PRIMARY KEY (tenant_id, run_id, service_id),
  CONSTRAINT amount_positive CHECK (amount_minor >= 0)
);

create table score.attribution_split (
  tenant_id UUID not null,
  id UUID not null,
  run_id UUID not null,
  cycle_id UUID not null,
  service_id UUID not null,
  person_id UUID not null,
  method varchar not null,
  role varchar,
  share_num BIGINT not null,
  share_den BIGINT not null,
  share NUMERIC(20, 6) not null,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT method_word CHECK (method in ('EQUAL', 'FIXED', 'RACI')),
  CONSTRAINT role_word CHECK (role in ('ACCOUNTABLE', 'RESPONSIBLE', 'CONSULTED', 'INFORMED')),
  CONSTRAINT share_positive CHECK (share_num >= 0 and share_den > 0)
);
CREATE INDEX attribution_split_person ON score.attribution_split (tenant_id, person_id);

create table score.cycle (
  tenant_id UUID not null,
  id UUID not null,
  label varchar not null,
  starts_on DATE not null,
  ends_before DATE not null,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT cycle_order CHECK (starts_on < ends_before)
);

create table score.kpi_lineage (
  tenant_id UUID not null,
  run_id UUID not null,
  metric varchar not null,
  subject_kind varchar not null,
  subject_id UUID not null,
  record_id UUID not null,
  revision_id BIGINT not null,
  number varchar not null,
  measure BIGINT,
  left_out varchar,
  evidence_id UUID,
  PRIMARY KEY (tenant_id, run_id, metric, subject_kind, subject_id, record_id),
  CONSTRAINT subject_kind_word CHECK (subject_kind in ('TENANT', 'SERVICE', 'TEAM', 'PERSON'))
);
CREATE INDEX kpi_lineage_subject ON score.kpi_lineage (tenant_id, run_id, metric, subject_id);

create table score.kpi_value (
  tenant_id UUID not null,
  id UUID not null,
  run_id UUID not null,
  cycle_id UUID not null,
  kpi_no INTEGER not null,
  component varchar not null,
  metric varchar not null,
  subject_kind varchar not null,
  subject_id UUID not null,
  subject_label varchar not null,
  value NUMERIC(20, 6),
  unit varchar not null,
  numerator BIGINT,
  denominator BIGINT,
  n INTEGER not null,
  excluded_n INTEGER not null,
  target NUMERIC(20, 6),
  attainment NUMERIC(20, 6),
  pays NUMERIC(20, 6),
  weight NUMERIC(20, 6),
  status varchar not null,
  trace JSONB not null,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT subject_kind_word CHECK (subject_kind in ('TENANT', 'SERVICE', 'TEAM', 'PERSON')),
  CONSTRAINT status_word CHECK (status in ('OK', 'NO_DATA', 'LOW_N'))
);
CREATE INDEX kpi_value_subject ON score.kpi_value (tenant_id, subject_id);

create table score.plan_version (
  tenant_id UUID not null,
  id UUID not null,
  plan_key varchar not null,
  version INTEGER not null,
  title varchar not null,
  content_hash varchar not null,
  body varchar not null,
  published_by varchar not null,
  published_at TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT plan_version_once UNIQUE (tenant_id, plan_key, version)
);

create table score.run (
  tenant_id UUID not null,
  id UUID not null,
  run_no BIGINT GENERATED ALWAYS AS IDENTITY,
  cycle_id UUID not null,
  plan_version_id UUID not null,
  snapshot_hash varchar not null,
  engine_version varchar not null,
  result_hash varchar not null,
  signals JSONB not null,
  data_as_of TIMESTAMP WITH TIME ZONE not null,
  closed_at TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT run_once UNIQUE (tenant_id, cycle_id, plan_version_id, snapshot_hash, engine_version)
);

create table score.score (
  tenant_id UUID not null,
  id UUID not null,
  run_id UUID not null,
  cycle_id UUID not null,
  subject_kind varchar not null,
  subject_id UUID not null,
  subject_label varchar not null,
  person_id UUID,
  value NUMERIC(20, 6),
  status varchar not null,
  result_hash varchar not null,
  data_as_of TIMESTAMP WITH TIME ZONE not null,
  trace JSONB not null,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT subject_kind_word CHECK (subject_kind in ('TENANT', 'SERVICE', 'TEAM', 'PERSON')),
  CONSTRAINT status_word CHECK (status in ('PRELIMINARY', 'FINAL', 'NO_DATA'))
);
CREATE INDEX score_person ON score.score (tenant_id, person_id);
CREATE INDEX score_subject ON score.score (tenant_id, subject_id);

create table ops.security_digest (digest text not null);
reset role;
