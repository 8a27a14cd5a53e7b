-- What leaves by itself. A change is seen by who sees the changed row: these are the policies of score.score, pay.award
-- and pay.file once more, so that nobody even learns that something changed. An export is its requester's, and auditors'.
set role evenhand_owner;

grant usage on schema feed to evenhand_app, evenhand_worker, evenhand_pay;
grant usage on sequence feed.change_number to evenhand_worker, evenhand_pay;
grant execute on function app.change_number() to evenhand_worker, evenhand_pay;

grant insert on feed.change to evenhand_worker, evenhand_pay;
create policy write on feed.change for insert to evenhand_worker, evenhand_pay with check (true);
grant select on feed.change to evenhand_app;
create policy published on feed.change for select to evenhand_app
  using (kind = 'SCORE' and subject_kind in ('SERVICE', 'TENANT') and (select app.member()));
create policy own_teams on feed.change for select to evenhand_app
  using (kind = 'SCORE' and subject_kind = 'TEAM' and subject_id in (select app.teams()));
create policy overseer on feed.change for select to evenhand_app
  using ((select app.granted('HR')) or (select app.granted('AUDITOR'))
         or (kind = 'SCORE' and subject_kind = 'TEAM' and (select app.granted('ITSM_ADMIN')))
         or (kind in ('AWARD', 'PAYOUT_BATCH') and (select app.granted('FINANCE')))
         or (kind = 'PAYOUT_BATCH' and (select app.granted('PAYROLL'))));
create policy self on feed.change for select to evenhand_app
  using (subject_kind = 'PERSON' and subject_id = (select app.person()));
create policy line on feed.change for select to evenhand_app
  using (subject_kind = 'PERSON' and subject_id in (select app.reports()));

-- How far the changes of a kind have come, whoever may see them: a reader does not look twice at what he may not see.
create policy owner_reads on feed.change for select to evenhand_owner using (true);
create or replace function app.newest_change(of_kind text) returns bigint stable security definer
  set search_path = feed, pg_temp language sql as
  $$ select coalesce(max(c.number), 0) from change c where c.tenant_id = app.tenant() and c.kind = of_kind $$;
revoke execute on function app.newest_change(text) from public;
grant execute on function app.newest_change(text) to evenhand_app;

grant select, insert, update on feed.export to evenhand_worker;
create policy worker on feed.export to evenhand_worker using (true) with check (true);
grant select on feed.export to evenhand_app;
create policy requester on feed.export for select to evenhand_app
  using (person_id = (select app.person()) or (select app.granted('AUDITOR')));

reset role;
