-- The mirror. The worker writes it. People see the organisation they belong to; records are for those who prove them.
set role evenhand_owner;

grant select, insert, update, delete on all tables in schema mirror to evenhand_worker;
revoke update, delete on mirror.revision, mirror.payload, mirror.standing, mirror.snapshot from evenhand_worker;
do $$
declare
  name text;
begin
  -- after a large load the planner needs statistics now, not when autovacuum comes by (older servers must wait for it)
  if current_setting('server_version_num')::int >= 170000 then
    execute 'grant maintain on all tables in schema mirror to evenhand_worker';
  end if;
  for name in select tablename from pg_tables where schemaname = 'mirror' loop
    execute format('create policy worker on mirror.%I to evenhand_worker using (true) with check (true)', name);
  end loop;
  -- single records name people and customers: auditors and the tool's own administrators
  foreach name in array array['incident', 'change', 'change_approval', 'problem', 'task_sla', 'csat_response',
                              'standing', 'snapshot', 'group_approval', 'cab_board', 'cab_meeting', 'cab_agenda_item',
                              'cab_attendee', 'survey', 'survey_category', 'survey_question', 'survey_option',
                              'survey_instance', 'survey_answer', 'state_change', 'journal_entry', 'account_group'] loop
    execute format('grant select on mirror.%I to evenhand_app', name);
    execute format('create policy evidence on mirror.%I for select to evenhand_app
                    using ((select app.granted(''AUDITOR'')) or (select app.granted(''ITSM_ADMIN'')))', name);
  end loop;
  -- what came from HR, finance and payroll is no business of the tools' administrators: not as a key, not as a bad value
  foreach name in array array['record', 'data_issue', 'revision'] loop
    execute format('grant select on mirror.%I to evenhand_app', name);
    execute format('create policy evidence on mirror.%I for select to evenhand_app
                    using ((select app.granted(''AUDITOR'')) or ((select app.granted(''ITSM_ADMIN''))
                           and source not in (''hris'', ''finance'', ''payroll'')))', name);
  end loop;
  -- suppliers and money meet in contracts and in what suppliers report: those who pay them and build plans on them
  foreach name in array array['contract', 'service_offering', 'vendor_sla_result'] loop
    execute format('grant select on mirror.%I to evenhand_app', name);
    execute format('create policy suppliers on mirror.%I for select to evenhand_app
                    using ((select app.granted(''AUDITOR'')) or (select app.granted(''ITSM_ADMIN''))
                           or (select app.granted(''FINANCE'')) or (select app.granted(''PLAN_ADMIN'')))', name);
  end loop;
  -- what everybody in the house may know: which services, teams, vendors and agreements there are
  foreach name in array array['service', 'team', 'vendor', 'sla_definition'] loop
    execute format('grant select on mirror.%I to evenhand_app, evenhand_pay', name);
    execute format('create policy member on mirror.%I for select to evenhand_app, evenhand_pay
                    using ((select app.member()))', name);
  end loop;
end $$;

-- Bodies hold every column, those too that are withheld above: an account's is for auditors, for its employee number.
grant select on mirror.payload to evenhand_app;
create policy evidence on mirror.payload for select to evenhand_app
  using ((select app.granted('AUDITOR')) or ((select app.granted('ITSM_ADMIN'))
         and exists (select from mirror.revision r
                      where r.tenant_id = payload.tenant_id and r.id = payload.revision_id
                        and r.source in ('servicenow', 'jira', 'vendor'))));

grant select on mirror.team_membership to evenhand_app;
create policy related on mirror.team_membership for select to evenhand_app
  using (person_id = (select app.person()) or person_id in (select app.reports())
         or (select app.granted('HR')) or (select app.granted('AUDITOR')));

-- A person: oneself, the line below and above, HR, auditors; payroll for those it pays. The employee number is payroll's.
grant select (tenant_id, id, source, source_key, revision_id, gone_at, name, email, manager_id, human, active)
  on mirror.person to evenhand_app;
grant select on mirror.person to evenhand_pay;
create policy related on mirror.person for select to evenhand_app, evenhand_pay
  using (id = (select app.person()) or id in (select app.reports()) or id in (select app.managers())
         or (select app.granted('HR')) or (select app.granted('AUDITOR')));
create policy payable on mirror.person for select to evenhand_pay
  using ((select app.granted('FINANCE')) or (select app.granted('PAYROLL')));

-- Accounts of the identity provider, but not the employee number: that is payroll's here too.
grant select (tenant_id, id, source, source_key, revision_id, gone_at, user_name, external_id, name, email, active,
              person_id) on mirror.account to evenhand_app;
create policy evidence on mirror.account for select to evenhand_app
  using ((select app.granted('AUDITOR')) or (select app.granted('ITSM_ADMIN')));

-- Employment and money around it: oneself and HR; budgets for finance; what was paid for those who pay.
grant select on mirror.employment to evenhand_app;
create policy own on mirror.employment for select to evenhand_app
  using (person_id = (select app.person()) or (select app.granted('HR')) or (select app.granted('AUDITOR')));
grant select on mirror.budget to evenhand_app, evenhand_pay;
create policy finance on mirror.budget for select to evenhand_app, evenhand_pay
  using ((select app.granted('FINANCE')) or (select app.granted('AUDITOR')));
grant select on mirror.payroll_result to evenhand_pay;
create policy paying on mirror.payroll_result for select to evenhand_pay
  using ((select app.granted('PAYROLL')) or (select app.granted('FINANCE')) or (select app.granted('AUDITOR')));
-- through the API finance sees totals of files, never what one person got
grant select (tenant_id, id, source, source_key, revision_id, gone_at, person_id, line_ref, pay_period, currency,
              amount_minor, paid_on, source_status) on mirror.payroll_result to evenhand_app;
create policy paid on mirror.payroll_result for select to evenhand_app
  using (person_id = (select app.person()) or (select app.granted('PAYROLL')) or (select app.granted('AUDITOR')));

reset role;
