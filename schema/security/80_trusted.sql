-- Registered documents: their texts are no secret, and which of them is asked for is known before who asks.
set role evenhand_owner;

create policy anybody on ops.trusted_document for select to evenhand_app using (retired_at is null);

-- How often each table of what is shown has changed. A transaction that writes there notes itself once, without waiting
-- for others; whoever sees what it wrote sees the note. The worker counts notes and forgets them: the sum stays the same.
create policy owner_counts on ops.data_change to evenhand_owner using (true) with check (true);
create policy owner_counts on ops.data_version to evenhand_owner using (true) with check (true);

create or replace function app.note_change(of_table text) returns void volatile security definer
  set search_path = pg_temp language plpgsql as $$
declare
  nobody constant boolean := app.tenant() is null;
begin
  if nobody then  -- an administrator at work behind the house's back: it was the usual tenant
    perform set_config('app.tenant_id', '97aad9b8-32f6-58ce-a158-54dbc42432e2', true);
  end if;
  insert into ops.data_change values (app.tenant(), of_table, pg_current_xact_id()::text::bigint)
    on conflict do nothing;
  if nobody then
    perform set_config('app.tenant_id', '', true);
  end if;
end $$;

create or replace function app.note_data() returns trigger volatile security definer
  set search_path = pg_temp language plpgsql as $$
begin
  perform app.note_change(concat(tg_table_schema, '.', tg_table_name));
  return null;
end $$;

-- The same where a statement has touched a row at all.
create or replace function app.note_rows() returns trigger volatile security definer
  set search_path = pg_temp language plpgsql as $$
begin
  if exists (select from changed) then
    perform app.note_change(concat(tg_table_schema, '.', tg_table_name));
  end if;
  return null;
end $$;

-- A database that was restored counts from an older number on, and policies that were laid anew may show something else:
-- so the start of the server and the digest of these files belong to it.
create or replace function app.data_versions(areas text[]) returns text stable security definer
  set search_path = pg_temp language sql as
  $$ select concat(extract(epoch from pg_postmaster_start_time()), ' ', (select digest from ops.security_digest), ' ',
            string_agg(a.area || ':' ||
              (select coalesce(sum(v.changes), 0) from ops.data_version v
                where v.tenant_id = app.tenant() and v.area = a.area) +
              (select count(*) from ops.data_change c where c.tenant_id = app.tenant() and c.area = a.area),
              ' ' order by a.area))
       from unnest(areas) a (area) $$;

create or replace function app.fold_data_changes() returns void volatile security definer
  set search_path = pg_temp language sql as
  $$ with forgotten as (delete from ops.data_change returning tenant_id, area)
     insert into ops.data_version as v
       select tenant_id, area, count(*) from forgotten group by tenant_id, area
         on conflict (tenant_id, area) do update set changes = v.changes + excluded.changes $$;

do $$
declare
  name text;
begin
  -- What is written in bulk: a statement counts, whether it has touched a row or not.
  foreach name in array array[
    'audit.entry', 'mirror.budget', 'mirror.cab_agenda_item', 'mirror.cab_board', 'mirror.cab_meeting',
    'mirror.change', 'mirror.change_approval', 'mirror.contract', 'mirror.csat_response', 'mirror.data_issue',
    'mirror.employment', 'mirror.group_approval', 'mirror.incident', 'mirror.payroll_result', 'mirror.problem',
    'mirror.record', 'mirror.revision', 'mirror.service_offering', 'mirror.sla_definition', 'mirror.snapshot',
    'mirror.standing', 'mirror.state_change', 'mirror.survey', 'mirror.survey_question', 'mirror.task_sla',
    'mirror.vendor', 'mirror.vendor_sla_result', 'ops.call', 'ops.connection', 'ops.document', 'ops.file_drop',
    'ops.outbox', 'ops.registration', 'ops.suspicion', 'ops.sweep', 'ops.watermark', 'score.kpi_lineage'] loop
    execute format('create or replace trigger noted after insert or update or delete on %s
                    for each statement execute function app.note_data()', name);
    execute format('create or replace trigger noted_empty after truncate on %s
                    for each statement execute function app.note_data()', name);
  end loop;
  -- What rights and numbers hang on: only rows count, for these are written again and again without being changed.
  foreach name in array array[
    'access.reporting_closure', 'access.role_grant', 'access.role_request', 'feed.export', 'ledger.account',
    'ledger.journal', 'ledger.posting', 'mirror.account', 'mirror.person', 'mirror.service', 'mirror.team',
    'mirror.team_membership', 'pay.ack', 'pay.award', 'pay.award_amount', 'pay.award_proposal', 'pay.file',
    'pay.line', 'pay.pool_allocation', 'score.attribution_split', 'score.cycle', 'score.kpi_value',
    'score.plan_version', 'score.run', 'score.score'] loop
    execute format('create or replace trigger noted after insert on %s referencing new table as changed
                    for each statement execute function app.note_rows()', name);
    execute format('create or replace trigger noted_update after update on %s referencing new table as changed
                    for each statement execute function app.note_rows()', name);
    execute format('create or replace trigger noted_delete after delete on %s referencing old table as changed
                    for each statement execute function app.note_rows()', name);
    execute format('create or replace trigger noted_empty after truncate on %s
                    for each statement execute function app.note_data()', name);
  end loop;
end $$;

revoke execute on function app.note_change(text), app.note_data(), app.note_rows(), app.data_versions(text[]),
  app.fold_data_changes() from public;
grant execute on function app.data_versions(text[]) to evenhand_app;
grant execute on function app.fold_data_changes() to evenhand_worker;

reset role;
