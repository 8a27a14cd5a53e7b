-- Plans and service results are everybody's. A team's numbers are its own; a person's are that person's.
set role evenhand_owner;

grant select, insert on all tables in schema score to evenhand_worker;
do $$
declare
  name text;
begin
  for name in select tablename from pg_tables where schemaname = 'score' loop
    execute format('create policy worker on score.%I to evenhand_worker using (true) with check (true)', name);
    execute format('grant select on score.%I to evenhand_app, evenhand_pay', name);
  end loop;
  foreach name in array array['plan_version', 'cycle', 'run'] loop
    execute format('create policy member on score.%I for select to evenhand_app, evenhand_pay
                    using ((select app.member()))', name);
  end loop;
  foreach name in array array['kpi_value', 'kpi_lineage', 'score', 'stored_json'] loop
    -- One policy, so that what holds for most rows is asked first: a person's own numbers and those of his line; of
    -- services, everybody's; a team's own; all of them for those who look over everything.
    execute format('create policy seen on score.%I for select to evenhand_app, evenhand_pay
                    using ((subject_kind = ''PERSON'' and (subject_id = (select app.person())
                                                       or subject_id in (select app.reports())))
                           or (subject_kind in (''SERVICE'', ''TENANT'') and (select app.member()))
                           or (subject_kind = ''TEAM'' and (subject_id in (select app.teams())
                                                     or (select app.granted(''ITSM_ADMIN''))))
                           or (select app.granted(''HR'')) or (select app.granted(''AUDITOR'')))', name);
  end loop;
end $$;

-- What is kept of answers may go: for an erasure, or when nothing asks for it any more.
grant delete on score.stored_json to evenhand_worker;

create policy self on score.attribution_split for select to evenhand_app, evenhand_pay
  using (person_id = (select app.person()));
create policy line on score.attribution_split for select to evenhand_app, evenhand_pay
  using (person_id in (select app.reports()));
create policy overseer on score.attribution_split for select to evenhand_app, evenhand_pay
  using ((select app.granted('HR')) or (select app.granted('AUDITOR')));

reset role;
