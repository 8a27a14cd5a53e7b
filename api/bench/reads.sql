-- The organisation of `bench reads`: a head, managers below him, their people below them; four cycles, scored once each,
-- six values a score, two mirrored records a value. Settings: bench.tenant, bench.managers, bench.people (below each).

create temporary table somebody as
  select n, md5('person' || n)::uuid as id, current_setting('bench.tenant')::uuid as tenant,
         case when n = 0 then null when n <= managers then 0 else (n - managers - 1) / people + 1 end as above
    from (select current_setting('bench.managers')::int as managers, current_setting('bench.people')::int as people) s,
         generate_series(0, managers + managers * people) n;

insert into access.tenant (tenant_id, name, frame_ancestors) values ((select tenant from somebody limit 1),
    'Bench', '') on conflict do nothing;

insert into mirror.person (tenant_id, id, source, source_key, revision_id, name, email, employee_number,
    manager_id, human, active)
  select tenant, id, 'servicenow', md5('sys' || n), 1, 'Person ' || lpad(n::text, 5, '0'),
         'person' || n || '@example.test', lpad(n::text, 6, '0'), md5('person' || above)::uuid, true, true
    from somebody;

insert into mirror.account (tenant_id, id, source, source_key, revision_id, user_name, name, email,
    employee_number, active, person_id)
  select tenant, md5('account' || n)::uuid, 'scim', md5('scim' || n), 1, 'person' || n || '@example.test',
         'Person ' || n, 'person' || n || '@example.test', lpad(n::text, 6, '0'), true, id from somebody;

insert into access.reporting_closure (tenant_id, manager_id, person_id, depth)
  select s.tenant, md5('person' || s.above)::uuid, s.id, 1 from somebody s where s.above is not null
  union all select s.tenant, md5('person0')::uuid, s.id, 2 from somebody s where s.above > 0;

insert into access.role_grant (tenant_id, person_id, role, granted_by, valid_from)
  select tenant, id, 'HR', 'bench', now() from somebody where n = 0;

insert into mirror.team (tenant_id, id, source, source_key, revision_id, name, manager_id, active)
  select distinct on (above, n / 10) tenant, md5('team' || above || '-' || n / 10)::uuid,
         'servicenow', md5('team' || above || '-' || n / 10), 1, 'Team ' || above || '-' || n / 10,
         md5('person' || above)::uuid, true from somebody where above > 0;

insert into mirror.team_membership (tenant_id, id, source, source_key, revision_id, team_id, person_id)
  select tenant, md5('member' || n)::uuid, 'servicenow', md5('member' || n), 1,
         md5('team' || above || '-' || n / 10)::uuid, id from somebody where above > 0;

insert into score.plan_version (tenant_id, id, plan_key, version, title, content_hash, body, published_by,
    published_at)
  select tenant, md5('plan1')::uuid, 'bench', 1, 'Bench', md5(''), '', 'bench', now() from somebody limit 1;

insert into score.cycle (tenant_id, id, label, starts_on, ends_before)
  select tenant, md5('cycle' || c)::uuid, '2026-Q' || c, make_date(2026, 3 * c - 2, 1),
         (make_date(2026, 3 * c - 2, 1) + interval '3 months')::date
    from (select tenant from somebody limit 1) s, generate_series(1, 4) c;

insert into score.run (tenant_id, id, cycle_id, plan_version_id, snapshot_hash, engine_version, result_hash,
    signals, data_as_of, closed_at)
  select tenant, md5('run' || c)::uuid, md5('cycle' || c)::uuid, md5('plan1')::uuid, md5('snapshot' || c), '1',
         md5('result' || c), '[]', make_date(2026, 3 * c, 1), make_date(2026, 3 * c, 2)
    from (select tenant from somebody limit 1) s, generate_series(1, 4) c;

insert into score.score (tenant_id, id, run_id, cycle_id, subject_kind, subject_id, subject_label, person_id,
    value, status, result_hash, data_as_of, trace)
  select tenant, md5('score' || n || '-' || c)::uuid, md5('run' || c)::uuid, md5('cycle' || c)::uuid, 'PERSON', id,
         'Person ' || n, id, round(0.5 + (n * 7 + c) % 1000 / 1000.0, 6), 'FINAL', md5('result' || c),
         make_date(2026, 3 * c, 1),
         jsonb_build_object('kind', 'COMPOSITE', 'op', 'SUM', 'label', 'Composite', 'because', '[]'::jsonb,
                            'sentence', repeat(md5(n::text), 8))
    from somebody, generate_series(1, 4) c;

insert into score.kpi_value (tenant_id, id, run_id, cycle_id, kpi_no, component, metric, subject_kind, subject_id,
    subject_label, value, unit, numerator, denominator, n, excluded_n, target, attainment, pays, weight, status,
    trace)
  select s.tenant_id, md5(s.id::text || k)::uuid, s.run_id, s.cycle_id, k, 'component' || k, 'metric' || k,
         s.subject_kind, s.subject_id, s.subject_label, round(90 + k + s.value, 6), 'PERCENT', 9, 10, 10, 0, 95,
         1, 1, round(1 / 6.0, 6), 'OK',
         jsonb_build_object('kind', 'KPI', 'op', 'CURVE', 'label', 'metric' || k, 'because', '[]'::jsonb,
                            'sentence', repeat(md5(k::text), 8))
    from score.score s, generate_series(1, 6) k;

insert into score.kpi_lineage (tenant_id, run_id, metric, subject_kind, subject_id, record_id, revision_id, number,
    measure)
  select v.tenant_id, v.run_id, v.metric, v.subject_kind, v.subject_id, md5(v.id::text || r)::uuid, 1,
         'INC' || lpad((hashtext(v.id::text || r) & 1048575)::text, 7, '0'), (v.kpi_no + r) % 2
    from score.kpi_value v, generate_series(1, 2) r;

drop table somebody;
