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
  foreach name in array array['kpi_value', 'kpi_lineage', 'score'] loop
    execute format('create policy published on score.%I for select to evenhand_app, evenhand_pay
                    using (subject_kind in (''SERVICE'', ''TENANT'') and (select app.member()))', name);
    execute format('create policy own_teams on score.%I for select to evenhand_app, evenhand_pay
                    using (subject_kind = ''TEAM'' and subject_id in (select app.teams()))', name);
    execute format('create policy overseer on score.%I for select to evenhand_app, evenhand_pay
                    using ((select app.granted(''HR'')) or (select app.granted(''AUDITOR''))
                           or (subject_kind = ''TEAM'' and (select app.granted(''ITSM_ADMIN''))))', name);
    execute format('create policy self on score.%I for select to evenhand_app, evenhand_pay
                    using (subject_kind = ''PERSON'' and subject_id = (select app.person()))', name);
    execute format('create policy line on score.%I for select to evenhand_app, evenhand_pay
                    using (subject_kind = ''PERSON'' and subject_id in (select app.reports()))', name);
  end loop;
end $$;

create policy self on score.attribution_split for select to evenhand_app, evenhand_pay
  using (person_id = (select app.person()));
create policy line on score.attribution_split for select to evenhand_app, evenhand_pay
  using (person_id in (select app.reports()));
create policy overseer on score.attribution_split for select to evenhand_app, evenhand_pay
  using ((select app.granted('HR')) or (select app.granted('AUDITOR')));

reset role;
