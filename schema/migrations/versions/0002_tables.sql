-- What the mirror needs beside its records: feeds, documents, boards, surveys, suppliers, staff, the diary.
set role evenhand_owner;

create table access.role_request (
  tenant_id UUID not null,
  id UUID not null,
  person_id UUID not null,
  role varchar not null,
  asked_by varchar not null,
  state varchar not null,
  asked_at TIMESTAMP WITH TIME ZONE not null,
  decided_by UUID,
  decided_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT role_word CHECK (role in ('EMPLOYEE', 'MANAGER', 'HR', 'FINANCE', 'AUDITOR', 'PAYROLL', 'ITSM_ADMIN', 'PLAN_ADMIN')),
  CONSTRAINT state_word CHECK (state in ('REQUESTED', 'APPROVED', 'REFUSED', 'WITHDRAWN'))
);

create table mirror.account (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  user_name varchar not null,
  external_id varchar,
  name varchar,
  email varchar,
  employee_number varchar,
  active BOOLEAN,
  person_id UUID,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX account_email ON mirror.account (tenant_id, email);
CREATE INDEX account_external ON mirror.account (tenant_id, external_id);
CREATE INDEX account_number ON mirror.account (tenant_id, employee_number);
CREATE INDEX account_person ON mirror.account (tenant_id, person_id);
CREATE INDEX account_user_name ON mirror.account (tenant_id, user_name);

create table mirror.account_group (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  external_id varchar,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX account_group_external ON mirror.account_group (tenant_id, external_id);

create table mirror.budget (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  unit varchar,
  period_starts_on DATE,
  period_ends_on DATE,
  currency varchar,
  amount_minor BIGINT,
  PRIMARY KEY (tenant_id, id)
);

create table mirror.cab_agenda_item (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  meeting_id UUID,
  change_id UUID,
  position INTEGER,
  source_state varchar,
  source_decision varchar,
  allotted_seconds BIGINT,
  elapsed_seconds BIGINT,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX cab_agenda_item_change ON mirror.cab_agenda_item (tenant_id, change_id);

create table mirror.cab_attendee (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  meeting_id UUID,
  person_id UUID,
  source_state varchar,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX cab_attendee_meeting ON mirror.cab_attendee (tenant_id, meeting_id);

create table mirror.cab_board (
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

create table mirror.cab_meeting (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  board_id UUID,
  manager_id UUID,
  state varchar,
  source_state varchar,
  starts_at TIMESTAMP WITH TIME ZONE,
  ends_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT state_word CHECK (state in ('PENDING', 'IN_PROGRESS', 'COMPLETE', 'CANCELLED'))
);

create table mirror.contract (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  number varchar not null,
  name varchar,
  vendor_id UUID,
  vendor_reference varchar,
  source_state varchar,
  starts_on DATE,
  ends_on DATE,
  active BOOLEAN,
  PRIMARY KEY (tenant_id, id)
);

create table mirror.employment (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  employee_number varchar,
  person_id UUID,
  legal_entity varchar,
  cost_center varchar,
  job varchar,
  grade varchar,
  full_time_share NUMERIC(20, 6),
  starts_on DATE,
  ends_on DATE,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX employment_person ON mirror.employment (tenant_id, person_id);

create table mirror.group_approval (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  change_id UUID,
  team_id UUID,
  state varchar,
  source_state varchar,
  opened_at TIMESTAMP WITH TIME ZONE,
  decided_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT state_word CHECK (state in ('NOT_REQUESTED', 'REQUESTED', 'APPROVED', 'REJECTED', 'CANCELLED', 'NOT_REQUIRED', 'SKIPPED'))
);
CREATE INDEX group_approval_change ON mirror.group_approval (tenant_id, change_id);

create table mirror.journal_entry (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  task_id UUID,
  element varchar,
  written_at TIMESTAMP WITH TIME ZONE,
  written_by varchar,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX journal_entry_task ON mirror.journal_entry (tenant_id, task_id, written_at);

create table mirror.payload (
  tenant_id UUID not null,
  revision_id BIGINT not null,
  month DATE not null,
  body BYTEA not null,
  PRIMARY KEY (tenant_id, revision_id, month)
)
 PARTITION BY RANGE (month);

create table mirror.payroll_result (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  employee_number varchar,
  person_id UUID,
  line_ref varchar,
  pay_period varchar,
  currency varchar,
  amount_minor BIGINT,
  paid_on DATE,
  source_status varchar,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX payroll_result_line ON mirror.payroll_result (tenant_id, line_ref);

create table mirror.service_offering (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  service_id UUID,
  contract_id UUID,
  vendor_id UUID,
  PRIMARY KEY (tenant_id, id)
);

create table mirror.snapshot (
  tenant_id UUID not null,
  id UUID not null,
  name varchar not null,
  taken_at TIMESTAMP WITH TIME ZONE not null,
  cut_no BIGINT not null,
  records BIGINT not null,
  hash varchar not null,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT snapshot_name UNIQUE (tenant_id, name)
);

create table mirror.standing (
  tenant_id UUID not null,
  no BIGINT GENERATED ALWAYS AS IDENTITY,
  record_id UUID not null,
  revision_id BIGINT not null,
  gone BOOLEAN not null,
  at TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, no)
);
CREATE INDEX standing_record ON mirror.standing (tenant_id, record_id, no);

create table mirror.state_change (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  task_id UUID,
  field varchar not null,
  old_value varchar,
  new_value varchar,
  changed_at TIMESTAMP WITH TIME ZONE,
  changed_by varchar,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX state_change_task ON mirror.state_change (tenant_id, task_id, changed_at);

create table mirror.survey (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  source_method varchar,
  active BOOLEAN,
  PRIMARY KEY (tenant_id, id)
);

create table mirror.survey_answer (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  instance_id UUID,
  question_id UUID,
  value NUMERIC(20, 6),
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX survey_answer_instance ON mirror.survey_answer (tenant_id, instance_id);

create table mirror.survey_category (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  survey_id UUID,
  position INTEGER,
  PRIMARY KEY (tenant_id, id)
);

create table mirror.survey_instance (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  survey_id UUID,
  person_id UUID,
  task_id UUID,
  source_state varchar,
  due_on DATE,
  taken_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX survey_instance_task ON mirror.survey_instance (tenant_id, task_id);

create table mirror.survey_option (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  question_id UUID,
  value NUMERIC(20, 6),
  label varchar,
  PRIMARY KEY (tenant_id, id)
);

create table mirror.survey_question (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  name varchar not null,
  question varchar,
  survey_id UUID,
  category_id UUID,
  source_type varchar,
  weight NUMERIC(20, 6),
  lowest NUMERIC(20, 6),
  highest NUMERIC(20, 6),
  active BOOLEAN,
  PRIMARY KEY (tenant_id, id)
);

create table mirror.vendor_sla_result (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  source_key varchar not null,
  revision_id BIGINT not null,
  gone_at TIMESTAMP WITH TIME ZONE,
  vendor_id UUID,
  vendor_name varchar,
  agreement varchar,
  service_id UUID,
  metric varchar,
  period_starts_on DATE,
  period_ends_on DATE,
  met BIGINT,
  total BIGINT,
  attainment NUMERIC(20, 6),
  status varchar,
  final_on DATE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT status_word CHECK (status in ('PROVISIONAL', 'FINAL')),
  CONSTRAINT met_range CHECK (met between 0 and total),
  CONSTRAINT attainment_range CHECK (attainment between 0 and 1)
);
CREATE INDEX vendor_sla_result_vendor ON mirror.vendor_sla_result (tenant_id, vendor_id, period_starts_on);

create table ops.call (
  tenant_id UUID not null,
  source varchar not null,
  purpose varchar not null,
  hour TIMESTAMP WITH TIME ZONE not null,
  calls BIGINT not null,
  limited BIGINT not null,
  failed BIGINT not null,
  waited_ms BIGINT not null,
  PRIMARY KEY (tenant_id, source, purpose, hour)
);

create table ops.connection (
  tenant_id UUID not null,
  source varchar not null,
  state varchar not null,
  why varchar,
  since TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, source),
  CONSTRAINT source_word CHECK (source in ('servicenow', 'jira', 'scim', 'hris', 'finance', 'payroll', 'vendor')),
  CONSTRAINT state_word CHECK (state in ('OK', 'DEGRADED'))
);

create table ops.document (
  tenant_id UUID not null,
  id UUID not null,
  kind varchar not null,
  name varchar not null,
  version_no INTEGER not null,
  content_hash varchar not null,
  body varchar not null,
  state varchar not null,
  owner varchar,
  proposed_by UUID,
  proposed_at TIMESTAMP WITH TIME ZONE not null,
  test_report JSONB,
  activated_by UUID,
  activated_at TIMESTAMP WITH TIME ZONE,
  retired_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT kind_word CHECK (kind in ('DATA_CONTRACT', 'DATA_SHARING', 'DATA_DEFINITION')),
  CONSTRAINT state_word CHECK (state in ('DRAFT', 'TESTED', 'ACTIVE', 'RETIRED')),
  CONSTRAINT document_version UNIQUE (tenant_id, kind, name, version_no)
);
CREATE UNIQUE INDEX document_in_force ON ops.document (tenant_id, kind, name) WHERE state = 'ACTIVE';

create table ops.file_drop (
  tenant_id UUID not null,
  id UUID not null,
  source varchar not null,
  entity varchar not null,
  name varchar not null,
  sha256 varchar not null,
  rows BIGINT not null,
  passed BIGINT not null,
  warned BIGINT not null,
  rejected BIGINT not null,
  loaded_by UUID,
  loaded_at TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT source_word CHECK (source in ('servicenow', 'jira', 'scim', 'hris', 'finance', 'payroll', 'vendor'))
);

create table ops.governor (
  tenant_id UUID not null,
  account varchar not null,
  scope varchar not null,
  open_at TIMESTAMP WITH TIME ZONE not null,
  rate_permille INTEGER not null,
  failures INTEGER not null,
  limit_per_hour INTEGER,
  told_at TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, account, scope)
);

create table ops.hint (
  tenant_id UUID not null,
  source varchar not null,
  entity varchar not null,
  source_key varchar not null,
  why varchar not null,
  asked_at TIMESTAMP WITH TIME ZONE not null,
  attempts SMALLINT not null,
  PRIMARY KEY (tenant_id, source, entity, source_key),
  CONSTRAINT source_word CHECK (source in ('servicenow', 'jira', 'scim', 'hris', 'finance', 'payroll', 'vendor'))
);

create table ops.reading (
  tenant_id UUID not null,
  source varchar not null,
  entity varchar not null,
  feed varchar not null,
  began_at TIMESTAMP WITH TIME ZONE not null,
  cursor varchar not null,
  PRIMARY KEY (tenant_id, source, entity, feed)
);

create table ops.registration (
  tenant_id UUID not null,
  source varchar not null,
  external_id varchar not null,
  url varchar not null,
  state varchar not null,
  expires_at TIMESTAMP WITH TIME ZONE,
  refreshed_at TIMESTAMP WITH TIME ZONE not null,
  healthy_at TIMESTAMP WITH TIME ZONE not null,
  alarm varchar,
  PRIMARY KEY (tenant_id, source, external_id),
  CONSTRAINT source_word CHECK (source in ('servicenow', 'jira', 'scim', 'hris', 'finance', 'payroll', 'vendor')),
  CONSTRAINT state_word CHECK (state in ('LIVE', 'EXPIRED', 'REMOVED'))
);

create table ops.suspicion (
  tenant_id UUID not null,
  source varchar not null,
  entity varchar not null,
  source_key varchar not null,
  why varchar not null,
  first_at TIMESTAMP WITH TIME ZONE not null,
  missed_at TIMESTAMP WITH TIME ZONE,
  misses SMALLINT not null,
  PRIMARY KEY (tenant_id, source, entity, source_key),
  CONSTRAINT source_word CHECK (source in ('servicenow', 'jira', 'scim', 'hris', 'finance', 'payroll', 'vendor'))
);

create table ops.sweep (
  tenant_id UUID not null,
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  source varchar not null,
  entity varchar not null,
  kind varchar not null,
  started_at TIMESTAMP WITH TIME ZONE not null,
  finished_at TIMESTAMP WITH TIME ZONE not null,
  state varchar not null,
  keys BIGINT not null,
  mirrored BIGINT not null,
  hinted BIGINT not null,
  suspected BIGINT not null,
  gone BIGINT not null,
  note varchar,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT source_word CHECK (source in ('servicenow', 'jira', 'scim', 'hris', 'finance', 'payroll', 'vendor')),
  CONSTRAINT kind_word CHECK (kind in ('KEYS', 'CONTENT')),
  CONSTRAINT state_word CHECK (state in ('DONE', 'PARTIAL', 'HELD'))
);
CREATE INDEX sweep_entity ON ops.sweep (tenant_id, source, entity, started_at);

reset role;
