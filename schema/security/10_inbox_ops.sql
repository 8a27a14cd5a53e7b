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

grant select, insert, update on ops.watermark, ops.outbox to evenhand_worker;
create policy worker on ops.watermark to evenhand_worker using (true) with check (true);
create policy worker on ops.outbox to evenhand_worker using (true) with check (true);
grant select on ops.watermark, ops.outbox to evenhand_app;
create policy administrator on ops.watermark for select to evenhand_app using ((select app.granted('ITSM_ADMIN')));
create policy administrator on ops.outbox for select to evenhand_app using ((select app.granted('ITSM_ADMIN')));

-- Grants and lines. The closure is the worker's; a grant is shown to its holder, to HR and to auditors.
grant select, insert, update on access.tenant, access.role_grant to evenhand_worker;
grant select, insert, delete on access.reporting_closure to evenhand_worker;
grant select on access.tenant, access.role_grant, access.reporting_closure to evenhand_app, evenhand_pay;
create policy worker on access.tenant to evenhand_worker using (true) with check (true);
create policy worker on access.role_grant to evenhand_worker using (true) with check (true);
create policy worker on access.reporting_closure to evenhand_worker using (true) with check (true);
create policy everybody on access.tenant for select to evenhand_app, evenhand_pay using (true);
create policy holder on access.role_grant for select to evenhand_app, evenhand_pay
  using (person_id = (select app.person()) or (select app.granted('HR')) or (select app.granted('AUDITOR')));
create policy line on access.reporting_closure for select to evenhand_app, evenhand_pay
  using (manager_id = (select app.person()) or person_id = (select app.person())
         or (select app.granted('HR')) or (select app.granted('AUDITOR')));

reset role;
