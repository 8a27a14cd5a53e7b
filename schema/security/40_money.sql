-- Money. A manager sees that there is an award and its factor; amounts are for the person, HR, finance and auditors.
set role evenhand_owner;

grant select, insert on pay.pool_allocation, pay.award_proposal to evenhand_worker;
create policy worker on pay.pool_allocation to evenhand_worker using (true) with check (true);
create policy worker on pay.award_proposal to evenhand_worker using (true) with check (true);
grant select on pay.award_proposal to evenhand_pay;
grant select (tenant_id, run_id, person_id, currency, target_minor, earned_minor, factor) on pay.award_proposal
  to evenhand_app;
create policy overseer on pay.award_proposal for select to evenhand_app, evenhand_pay
  using ((select app.granted('HR')) or (select app.granted('FINANCE')) or (select app.granted('AUDITOR')));
grant select on pay.pool_allocation, pay.award, pay.award_amount, pay.file, pay.line, pay.ack to evenhand_pay;
grant select on pay.pool_allocation, pay.award, pay.award_amount, pay.line to evenhand_app;
grant select (tenant_id, id, receiver, environment, sequence, previous_manifest_sha256, cycle_id, state, line_count,
  currency, net_minor, pay_date, manifest_sha256, release_entry_id, created_at, pulled_at) on pay.file to evenhand_app;
grant select, insert on pay.file_part to evenhand_pay;
grant insert on pay.award, pay.award_amount, pay.file, pay.line, pay.ack to evenhand_pay;
grant update (state, approved_by, approved_at, version) on pay.award to evenhand_pay;
grant update (state, pulled_at) on pay.file to evenhand_pay;
grant update (state) on pay.line to evenhand_pay;

create policy overseer on pay.pool_allocation for select to evenhand_app, evenhand_pay
  using ((select app.granted('HR')) or (select app.granted('FINANCE')) or (select app.granted('AUDITOR')));

-- award: factors. Payroll gets lines, not the scores behind them: through the API it sees no award of others.
create policy self on pay.award for select to evenhand_app, evenhand_pay using (person_id = (select app.person()));
create policy line on pay.award for select to evenhand_app, evenhand_pay using (person_id in (select app.reports()));
create policy overseer on pay.award for select to evenhand_app, evenhand_pay
  using ((select app.granted('HR')) or (select app.granted('FINANCE')) or (select app.granted('AUDITOR')));
create policy payroll on pay.award for select to evenhand_pay
  using (state in ('IN_PAYROLL', 'PAID') and (select app.granted('PAYROLL')));
-- payroll sends lines back: the awards of every line that it was handed, whatever became of them
create policy handed_over on pay.award for select to evenhand_pay
  using ((select app.granted('PAYROLL')) and award_ref in (select l.award_ref from pay.line l));
create policy submit on pay.award for insert to evenhand_pay
  with check (state = 'SUBMITTED' and submitted_by = (select app.person()) and person_id <> (select app.person())
              and approved_by is null and approved_at is null and (select app.granted('HR')));
create policy decide on pay.award for update to evenhand_pay
  using (person_id <> (select app.person()) and submitted_by <> (select app.person())
         and ((select app.granted('FINANCE')) or (select app.granted('PAYROLL'))))
  with check (true);

-- award_amount: money
create policy self on pay.award_amount for select to evenhand_app, evenhand_pay
  using (person_id = (select app.person()));
create policy overseer on pay.award_amount for select to evenhand_app, evenhand_pay
  using ((select app.granted('HR')) or (select app.granted('FINANCE')) or (select app.granted('AUDITOR')));
create policy payroll on pay.award_amount for select to evenhand_pay
  using ((select app.granted('PAYROLL'))
         and award_id in (select a.id from pay.award a where a.state in ('IN_PAYROLL', 'PAID')));
create policy submit on pay.award_amount for insert to evenhand_pay
  with check (person_id <> (select app.person()) and (select app.granted('HR')));

-- files, lines, acknowledgements
create policy overseer on pay.file for select to evenhand_app, evenhand_pay
  using ((select app.granted('PAYROLL')) or (select app.granted('FINANCE')) or (select app.granted('HR'))
         or (select app.granted('AUDITOR')));
create policy release on pay.file for insert to evenhand_pay
  with check (state = 'PREPARED' and prepared_by = (select app.person()) and (select app.granted('FINANCE')));
create policy receive on pay.file for update to evenhand_pay
  using ((select app.granted('FINANCE')) or (select app.granted('PAYROLL'))) with check (true);
create policy receiver on pay.file_part for select to evenhand_pay
  using ((select app.granted('PAYROLL')) or (select app.granted('FINANCE')) or (select app.granted('AUDITOR')));
create policy release on pay.file_part for insert to evenhand_pay with check ((select app.granted('FINANCE')));
create policy self on pay.line for select to evenhand_app, evenhand_pay using (person_id = (select app.person()));
create policy overseer on pay.line for select to evenhand_app, evenhand_pay
  using ((select app.granted('PAYROLL')) or (select app.granted('AUDITOR')));
create policy finance on pay.line for select to evenhand_pay using ((select app.granted('FINANCE')));
create policy release on pay.line for insert to evenhand_pay with check ((select app.granted('FINANCE')));
create policy settle on pay.line for update to evenhand_pay using ((select app.granted('PAYROLL'))) with check (true);
create policy receiver on pay.ack to evenhand_pay
  using ((select app.granted('PAYROLL')) or (select app.granted('AUDITOR')))
  with check ((select app.granted('PAYROLL')));

-- that payroll answered, and with which word; the bytes stay with payroll and its auditors
grant select (tenant_id, receiver, idempotency_key, file_id, stage, received_at) on pay.ack to evenhand_app;
create policy heard on pay.ack for select to evenhand_app
  using ((select app.granted('PAYROLL')) or (select app.granted('FINANCE')) or (select app.granted('AUDITOR')));

-- the books: written by the money role alone, read by finance and auditors
grant select, insert on ledger.account, ledger.journal, ledger.posting to evenhand_pay;
create policy books on ledger.account to evenhand_pay using (true) with check (true);
create policy books on ledger.journal to evenhand_pay using (true) with check (true);
create policy books on ledger.posting to evenhand_pay using (true) with check (true);
grant select on ledger.account, ledger.journal, ledger.posting to evenhand_app;
create policy reader on ledger.account for select to evenhand_app
  using ((select app.granted('FINANCE')) or (select app.granted('AUDITOR')));
create policy reader on ledger.journal for select to evenhand_app
  using ((select app.granted('FINANCE')) or (select app.granted('AUDITOR')));
create policy reader on ledger.posting for select to evenhand_app
  using ((select app.granted('FINANCE')) or (select app.granted('AUDITOR')));

reset role;
