-- Every order of a list of the API has an index that begins with the tenant; and one role more.
set role evenhand_owner;

alter table access.role_grant drop constraint role_word;
alter table access.role_grant add CONSTRAINT role_word CHECK (role in ('EMPLOYEE', 'MANAGER', 'HR', 'FINANCE',
  'AUDITOR', 'PAYROLL', 'ITSM_ADMIN', 'PLAN_ADMIN', 'WORKS_COUNCIL'));
alter table access.role_request drop constraint role_word;
alter table access.role_request add CONSTRAINT role_word CHECK (role in ('EMPLOYEE', 'MANAGER', 'HR', 'FINANCE',
  'AUDITOR', 'PAYROLL', 'ITSM_ADMIN', 'PLAN_ADMIN', 'WORKS_COUNCIL'));

create index person_name on mirror.person (tenant_id, name, id);
create index team_name on mirror.team (tenant_id, name, id);
create index service_name on mirror.service (tenant_id, name, id);
create index vendor_name on mirror.vendor (tenant_id, name, id);
create index sla_definition_name on mirror.sla_definition (tenant_id, name, id);
create index team_membership_person on mirror.team_membership (tenant_id, person_id);
create index incident_number on mirror.incident (tenant_id, number, id);
create index task_sla_breached on mirror.task_sla (tenant_id, has_breached, id);
create index change_number on mirror.change (tenant_id, number, id);
create index problem_number on mirror.problem (tenant_id, number, id);
create index contract_number on mirror.contract (tenant_id, number, id);
create index record_revision on mirror.record (tenant_id, revision_id, id);
create index data_issue_listed on mirror.data_issue (tenant_id, entity, source_key, record_id, field, code);
create index snapshot_taken on mirror.snapshot (tenant_id, taken_at, id);

create index sweep_started on ops.sweep (tenant_id, started_at, id);
create index file_drop_loaded on ops.file_drop (tenant_id, loaded_at, id);
create index outbox_listed on ops.outbox (tenant_id, created_at, id);

create index run_numbered on score.run (tenant_id, run_no, id);
create index score_run on score.score (tenant_id, run_id, person_id);
create index attribution_split_service on score.attribution_split (tenant_id, service_id, person_id, id);

create index award_reference on pay.award (tenant_id, award_ref, id);
create index award_run on pay.award (tenant_id, run_id, person_id);
create index award_submitted on pay.award (tenant_id, submitted_at, id);
create index line_file on pay.line (tenant_id, file_id, line_id);
create index line_award on pay.line (tenant_id, award_ref, line_id);
create index journal_booked on ledger.journal (tenant_id, booked_on, id);
create index posting_award on ledger.posting (tenant_id, award_ref, journal_id, line);
create index entry_at on audit.entry (tenant_id, at, id);

reset role;
