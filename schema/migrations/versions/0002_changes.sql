-- Tables that exist already: new words, new columns, and raw bytes by the month, so that a month can go at once.
-- Partitions stand in a schema of their own where no service role has any right; policies are those of the parent.
set role evenhand_owner;
create schema parts;

-- Parts of the months around a day, and one for what fits none, so that nothing that arrives is ever refused.
create function app.make_parts(around date, ahead int) returns void language plpgsql security definer
  set search_path = pg_temp as $$
declare
  parent text;
  first date;
  part text;
begin
  foreach parent in array array['inbox.delivery', 'mirror.payload'] loop
    execute format('create table if not exists parts.%I partition of %s default',
                   split_part(parent, '.', 2) || '_other', parent);
    for n in 0..ahead loop
      first := date_trunc('month', around)::date + make_interval(months => n);
      part := split_part(parent, '.', 2) || to_char(first, '_YYYY_MM');
      if to_regclass('parts.' || part) is null then
        begin
          execute format('create table parts.%I partition of %s for values from (%L) to (%L)', part, parent, first,
                         (first + interval '1 month')::date);
        exception when check_violation then null;  -- rows of that month lie with the others already
        end;
      end if;
    end loop;
  end loop;
end $$;

-- A month of bodies goes at once. Refused while anything in it still waits, or while a number that was paid rests on it.
create function app.drop_part(parent text, month date) returns bigint language plpgsql security definer
  set search_path = pg_temp as $$
declare
  part text := split_part(parent, '.', 2) || to_char(month, '_YYYY_MM');
  asking text := current_setting('app.tenant_id', true);
  tenant text;
  held bigint := 0;
  dropped bigint;
begin
  if parent not in ('inbox.delivery', 'mirror.payload') or date_trunc('month', month)::date <> month then
    raise exception 'there is no month % of %', month, parent using errcode = 'invalid_parameter_value';
  end if;
  if month + interval '1 month' > date_trunc('month', now()) then
    raise exception 'the month % is not over', month using errcode = 'object_in_use';
  end if;
  if to_regclass('parts.' || part) is null then
    return 0;
  end if;
  execute format('lock table parts.%I in access exclusive mode', part);  -- nothing joins between counting and dropping
  if parent = 'inbox.delivery' then
    execute format('select count(*) from parts.%I where state <> $1', part) into held using 'DONE';
  else
    for tenant in execute format('select distinct tenant_id::text from parts.%I', part) loop
      perform set_config('app.tenant_id', tenant, true);  -- row security shows the owner one tenant at a time
      execute format('select count(*) + $1 from parts.%I p where exists (
                        select from score.kpi_lineage l where l.tenant_id = p.tenant_id
                           and l.revision_id = p.revision_id)', part) into held using held;
    end loop;
    perform set_config('app.tenant_id', asking, true);
  end if;
  if held > 0 then
    raise exception '% rows of % are still needed', held, part using errcode = 'object_in_use';
  end if;
  execute format('select count(*) from parts.%I', part) into dropped;
  execute format('drop table parts.%I', part);
  return dropped;
end $$;

alter table mirror.revision
  drop constraint source_word, drop constraint feed_word,
  add constraint source_word check (source in ('servicenow', 'jira', 'scim', 'hris', 'finance', 'payroll', 'vendor')),
  add constraint feed_word check (feed in ('WEBHOOK', 'POLL', 'SWEEP', 'FILE', 'PUSH'));
alter table mirror.record
  drop constraint source_word, drop constraint kind_word,
  add constraint source_word check (source in ('servicenow', 'jira', 'scim', 'hris', 'finance', 'payroll', 'vendor')),
  add constraint kind_word check (kind in (
    'INCIDENT', 'CHANGE', 'CHANGE_APPROVAL', 'PROBLEM', 'TASK_SLA', 'SLA_DEFINITION', 'CSAT_RESPONSE', 'PERSON',
    'TEAM', 'TEAM_MEMBERSHIP', 'SERVICE', 'VENDOR', 'GROUP_APPROVAL', 'CAB_BOARD', 'CAB_MEETING', 'CAB_AGENDA_ITEM',
    'CAB_ATTENDEE', 'CONTRACT', 'SERVICE_OFFERING', 'SURVEY', 'SURVEY_CATEGORY', 'SURVEY_QUESTION', 'SURVEY_OPTION',
    'SURVEY_INSTANCE', 'SURVEY_ANSWER', 'STATE_CHANGE', 'JOURNAL_ENTRY', 'VENDOR_SLA_RESULT', 'ACCOUNT',
    'ACCOUNT_GROUP', 'EMPLOYMENT', 'BUDGET', 'PAYROLL_RESULT'));
alter table mirror.data_issue
  drop constraint code_word,
  add constraint code_word check (code in (
    'UNMAPPED_SOURCE_VALUE', 'EVIDENCE_REQUIRED', 'MALFORMED', 'REQUIRED_FIELD_MISSING', 'TIME_ORDER',
    'OUT_OF_RANGE', 'REFERENCE_MISSING', 'NOT_UNIQUE', 'VERSION_CONFLICT', 'FIELD_NOT_COVERED'));

-- The owner sees every row while it rewrites them; the wall is laid anew at the end of every migration.
alter table mirror.revision no force row level security;
alter table mirror.record no force row level security;
alter table inbox.delivery no force row level security;

-- Deliveries by month, with the numbers that revisions know them by.
create table parts.delivery_before as select * from inbox.delivery;
drop table inbox.delivery;
create table inbox.delivery (
  tenant_id UUID not null,
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  received_at TIMESTAMP WITH TIME ZONE not null,
  source varchar not null,
  entity varchar not null,
  feed varchar not null,
  delivery_id varchar not null,
  conflict_no SMALLINT not null,
  body BYTEA not null,
  body_sha256 BYTEA not null,
  headers JSONB not null,
  state varchar not null,
  attempts SMALLINT not null,
  reason varchar,
  done_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id, received_at),
  CONSTRAINT source_word CHECK (source in ('servicenow', 'jira', 'scim', 'hris', 'finance', 'payroll', 'vendor')),
  CONSTRAINT feed_word CHECK (feed in ('WEBHOOK', 'POLL', 'SWEEP', 'FILE', 'PUSH')),
  CONSTRAINT state_word CHECK (state in ('READY', 'DONE', 'DEAD'))
) PARTITION BY RANGE (received_at);
CREATE INDEX delivery_ready ON inbox.delivery (tenant_id, id) WHERE state = 'READY';
select app.make_parts(date_trunc('month', received_at)::date, 0)
  from (select distinct date_trunc('month', received_at) as received_at from parts.delivery_before) m;
select app.make_parts(current_date, 3);
insert into inbox.delivery overriding system value
select tenant_id, id, received_at, source, entity, feed, delivery_id, conflict_no, body, body_sha256, headers, state,
       attempts, reason, done_at from parts.delivery_before;
select setval(pg_get_serial_sequence('inbox.delivery', 'id'), coalesce(max(id), 1), max(id) is not null)
  from parts.delivery_before;
drop table parts.delivery_before;

-- Bodies leave the revisions. Those of before count as accepted in the month in which they were seen.
alter table mirror.revision disable trigger append_only;
alter table mirror.revision add column month date, add column echo boolean not null default false;
create index revision_echo on mirror.revision (tenant_id, id) where echo;
update mirror.revision set month = date_trunc('month', observed_at at time zone 'UTC')::date;
alter table mirror.revision alter column month set not null;
select app.make_parts(month, 0) from (select distinct month from mirror.revision) m;
insert into mirror.payload (tenant_id, revision_id, month, body)
select tenant_id, id, month, payload from mirror.revision;
alter table mirror.revision drop column payload;
alter table mirror.revision enable trigger append_only;

-- What stands, since when it was last seen to stand, and the first lines of the diary.
alter table mirror.record add column read_at timestamptz, add column shown_at timestamptz;
update mirror.record m set read_at = case when r.feed = 'WEBHOOK' then timestamptz '0001-01-01 00:00:00+00'
                                          else r.observed_at end
  from mirror.revision r where r.tenant_id = m.tenant_id and r.id = m.revision_id;
update mirror.record set shown_at = read_at;
alter table mirror.record alter column read_at set not null, alter column shown_at set not null;
create index record_entity on mirror.record (tenant_id, source, entity);
create index record_below on mirror.record (tenant_id, source_key text_pattern_ops) where source = 'jira';
insert into mirror.standing (tenant_id, record_id, revision_id, gone, at)
select tenant_id, id, revision_id, false, now() from mirror.record order by revision_id;
create trigger append_only before update or delete or truncate on mirror.standing
  for each statement execute function app.refuse_edit();
create trigger append_only before update or delete or truncate on mirror.snapshot
  for each statement execute function app.refuse_edit();

alter table mirror.task_sla add column vendor_id uuid;
alter table ops.outbox add column premise bigint, add column next_at timestamptz;
create index outbox_record on ops.outbox (tenant_id, target, record, created_at);

reset role;
