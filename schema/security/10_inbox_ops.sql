-- Deliveries: intake writes them, the worker reads them; nobody else, ever.
set role evenhand_owner;

grant insert on inbox.delivery to evenhand_intake;
grant select, insert, update (conflicts, duplicates) on inbox.delivery_key to evenhand_intake;
grant select, insert, update (state, attempts, reason, done_at) on inbox.delivery to evenhand_worker;
grant select, insert, update (conflicts, duplicates) on inbox.delivery_key to evenhand_worker;
create policy intake on inbox.delivery for insert to evenhand_intake with check (true);
create policy intake on inbox.delivery_key to evenhand_intake using (true) with check (true);
create policy worker on inbox.delivery to evenhand_worker using (true) with check (true);
create policy worker on inbox.delivery_key to evenhand_worker using (true) with check (true);

-- How the tools are read: the worker's books. The tool's administrators may look.
do $$
declare
  name text;
begin
  for name in select tablename from pg_tables where schemaname = 'ops' and tablename <> 'security_digest' loop
    execute format('grant select, insert, update, delete on ops.%I to evenhand_worker', name);
    execute format('create policy worker on ops.%I to evenhand_worker using (true) with check (true)', name);
    execute format('grant select on ops.%I to evenhand_app', name);
    execute format('create policy auditor on ops.%I for select to evenhand_app
                    using ((select app.granted(''AUDITOR'')))', name);
    -- not what HR, finance and payroll handed over: not the name of a file, not a key
    execute format('create policy administrator on ops.%I for select to evenhand_app
                    using ((select app.granted(''ITSM_ADMIN''))%s)', name,
                   case when name in ('file_drop', 'hint', 'suspicion')
                        then ' and source not in (''hris'', ''finance'', ''payroll'')' else '' end);
  end loop;
end $$;
create policy loader on ops.file_drop for select to evenhand_app using (loaded_by = (select app.person()));
-- what rules how people's work is read is read by those who stand for them, and by those who build plans on it
create policy reader on ops.document for select to evenhand_app
  using ((select app.granted('WORKS_COUNCIL')) or (select app.granted('PLAN_ADMIN')));
revoke delete on ops.watermark, ops.outbox, ops.document, ops.sweep, ops.file_drop from evenhand_worker;

-- Grants and lines. The closure is the worker's; a grant is shown to its holder, to HR and to auditors.
grant select, insert, update on access.tenant, access.role_grant, access.role_request to evenhand_worker;
grant select, insert, delete on access.reporting_closure to evenhand_worker;
grant select on access.tenant, access.role_grant, access.reporting_closure to evenhand_app, evenhand_pay;
grant select on access.role_request to evenhand_app;
-- keys of acts are the business of nobody who reads
grant select, insert, update, delete on access.act_key to evenhand_worker;
create policy worker on access.act_key to evenhand_worker using (true) with check (true);
create policy worker on access.tenant to evenhand_worker using (true) with check (true);
create policy worker on access.role_grant to evenhand_worker using (true) with check (true);
create policy worker on access.role_request to evenhand_worker using (true) with check (true);
create policy worker on access.reporting_closure to evenhand_worker using (true) with check (true);
create policy everybody on access.tenant for select to evenhand_app, evenhand_pay using (true);
create policy holder on access.role_grant for select to evenhand_app, evenhand_pay
  using (person_id = (select app.person()) or (select app.granted('HR')) or (select app.granted('AUDITOR')));
create policy holder on access.role_request for select to evenhand_app
  using (person_id = (select app.person()) or (select app.granted('HR')) or (select app.granted('AUDITOR')));
create policy line on access.reporting_closure for select to evenhand_app, evenhand_pay
  using (manager_id = (select app.person()) or person_id = (select app.person())
         or (select app.granted('HR')) or (select app.granted('AUDITOR')));

reset role;
