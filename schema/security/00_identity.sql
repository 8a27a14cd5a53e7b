-- Who is asking. Every policy wraps these calls as (select ...): evaluated once a statement, not once a row.
set role evenhand_owner;

create or replace function app.tenant() returns uuid stable language sql as
  $$ select nullif(current_setting('app.tenant_id', true), '')::uuid $$;
create or replace function app.person() returns uuid stable language sql as
  $$ select nullif(current_setting('app.person_id', true), '')::uuid $$;

-- Does this account belong to a person of this id, address (in lower case), number and key of a tool? While nothing was
-- joined for certain, these are compared. Nothing in here but leakproof comparisons: only then are indexes used.
create or replace function app.joined(a mirror.account, id uuid, address text, number text, key text) returns boolean
  stable language sql as
  $$ select a.person_id = id
         or a.person_id is null and (a.employee_number = number
              or a.email = address and coalesce(a.employee_number = number, true)
              or a.external_id = number or a.external_id = key) $$;

-- Has this person left? So say the tools, or the identity provider when none of his accounts may enter any more.
-- Whom neither knows has not left: an outside auditor is in no tool.
create or replace function app.has_left(who uuid) returns boolean stable security definer
  set search_path = mirror, pg_temp language sql as
  $$ with person as materialized (
       select p.tenant_id, p.id, lower(p.email) as address, p.employee_number as number, p.source_key as key,
              p.active is false or p.gone_at is not null as inactive
         from mirror.person p where p.tenant_id = app.tenant() and p.id = who)
     select exists (select from person where inactive)
         or (select count(*) > 0 and not bool_or(a.active is true and a.gone_at is null)
               from person p join mirror.account a
                 on a.tenant_id = p.tenant_id and app.joined(a, p.id, p.address, p.number, p.key)) $$;

-- The people that an account belongs to: one, or several as long as it is not clear.
create or replace function app.people_of(account uuid) returns setof uuid stable security definer
  set search_path = mirror, pg_temp language sql as
  $$ select p.id from mirror.account a join mirror.person p
         on p.tenant_id = a.tenant_id and app.joined(a, p.id, lower(p.email), p.employee_number, p.source_key)
      where a.tenant_id = app.tenant() and a.id = account $$;

-- Has the viewer left? A grant of somebody whom no tool knows counts.
create or replace function app.left_us() returns boolean stable security definer
  set search_path = pg_temp language sql as
  $$ select app.has_left(app.person()) $$;

-- What the viewer is now: the roles granted to him, and `member` when he is somebody we know and who is still here; each
-- between blanks. Grants stand in the database, never in a token; they end with the account, as membership does.
create or replace function app.judged() returns text stable security definer
  set search_path = pg_temp language plpgsql as $$
declare
  roles text;
begin
  if app.person() is null or app.left_us() then
    return ' ';
  end if;
  select string_agg(g.role, ' ') into roles from access.role_grant g
   where g.tenant_id = app.tenant() and g.person_id = app.person()
     and g.valid_from <= now() and (g.valid_to is null or now() < g.valid_to);
  if roles is not null or exists (select from mirror.person p where p.tenant_id = app.tenant() and p.id = app.person()
                                    and p.active and p.gone_at is null) then
    return concat(' ', roles, ' member ');
  end if;
  return ' ';
end $$;

-- The same, judged once where it cannot change: in a transaction that only reads, and reads one moment throughout. It is
-- kept with the names that it was judged for, and goes with the transaction as they do.
create or replace function app.standing() returns text stable language plpgsql as $$
declare
  who text;
  kept text;
begin
  if current_setting('transaction_isolation') <> 'repeatable read'
     or current_setting('transaction_read_only') <> 'on' then
    return app.judged();
  end if;
  who := concat(current_setting('app.tenant_id', true), '/', current_setting('app.person_id', true), ':');
  kept := current_setting('app.standing', true);
  if not coalesce(starts_with(kept, who), false) then
    kept := set_config('app.standing', who || app.judged(), true);
  end if;
  return kept;
end $$;

-- Does the viewer hold this role now?
create or replace function app.granted(wanted text) returns boolean stable language sql as
  $$ select position(' ' || wanted || ' ' in app.standing()) > 0 $$;

-- Is the viewer somebody we know and who is still here?
create or replace function app.member() returns boolean stable language sql as
  $$ select position(' member ' in app.standing()) > 0 $$;

-- Lists of ids come from plpgsql, which hands them over at once: a list of another language that changes its
-- search_path does so for every row.

-- Everybody below the viewer in the line.
create or replace function app.reports() returns setof uuid stable security definer
  set search_path = pg_temp language plpgsql as $$
begin
  return query select c.person_id from access.reporting_closure c
    where c.tenant_id = app.tenant() and c.manager_id = app.person();
end $$;

-- The viewer's own line upwards.
create or replace function app.managers() returns setof uuid stable security definer
  set search_path = pg_temp language plpgsql as $$
begin
  return query select c.manager_id from access.reporting_closure c
    where c.tenant_id = app.tenant() and c.person_id = app.person();
end $$;

-- Teams that the viewer belongs to or leads, and those of everybody below him.
create or replace function app.teams() returns setof uuid stable security definer
  set search_path = pg_temp language plpgsql as $$
begin
  return query
    select m.team_id from mirror.team_membership m
     where m.tenant_id = app.tenant() and m.person_id = app.person() and m.gone_at is null
    union select t.id from mirror.team t where t.tenant_id = app.tenant() and t.manager_id = app.person()
    union select m.team_id from access.reporting_closure c
      join mirror.team_membership m on m.tenant_id = c.tenant_id and m.person_id = c.person_id
     where c.tenant_id = app.tenant() and c.manager_id = app.person() and m.gone_at is null;
end $$;

revoke execute on all functions in schema app from public;
grant execute on function app.make_parts(date, int), app.drop_part(text, date), app.has_left(uuid), app.people_of(uuid)
  to evenhand_worker;
grant usage on schema app to evenhand_app, evenhand_intake, evenhand_worker, evenhand_pay, evenhand_sequencer;
grant execute on function app.tenant(), app.person(), app.left_us(), app.judged(), app.standing(), app.granted(text),
  app.member(), app.reports(), app.managers(), app.teams()
  to evenhand_app, evenhand_intake, evenhand_worker, evenhand_pay, evenhand_sequencer;

-- Row security on every table of ours, for its owner too; and the tenant wall before every other policy.
-- All policies and grants are laid anew each time, so what these files say is all there is.
do $$
declare
  t record;
  p record;
begin
  for p in select schemaname, tablename, policyname from pg_policies
            where schemaname in ('access', 'audit', 'feed', 'inbox', 'ledger', 'mirror', 'ops', 'pay', 'score') loop
    execute format('drop policy %I on %I.%I', p.policyname, p.schemaname, p.tablename);
  end loop;
  for t in select schemaname, tablename from pg_tables
            where schemaname in ('access', 'audit', 'feed', 'inbox', 'ledger', 'mirror', 'ops', 'pay', 'score')
              and tablename <> 'security_digest' loop
    execute format('revoke all on %I.%I from evenhand_app, evenhand_intake, evenhand_worker, evenhand_pay,
                    evenhand_sequencer, public', t.schemaname, t.tablename);
    execute format('alter table %I.%I enable row level security', t.schemaname, t.tablename);
    execute format('alter table %I.%I force row level security', t.schemaname, t.tablename);
    execute format('create policy tenant on %I.%I as restrictive
                    using (tenant_id = (select app.tenant())) with check (tenant_id = (select app.tenant()))',
                   t.schemaname, t.tablename);
  end loop;
end $$;

grant usage on schema access, audit, ledger, mirror, ops, pay, score to evenhand_app, evenhand_worker, evenhand_pay,
  evenhand_sequencer;
grant usage on schema inbox to evenhand_intake, evenhand_worker, evenhand_app;

-- What the identity functions above read, they read as the owner.
create policy owner_reads on access.role_grant for select to evenhand_owner using (true);
create policy owner_reads on access.reporting_closure for select to evenhand_owner using (true);
create policy owner_reads on mirror.person for select to evenhand_owner using (true);
create policy owner_reads on mirror.account for select to evenhand_owner using (true);
create policy owner_reads on mirror.team for select to evenhand_owner using (true);
create policy owner_reads on mirror.team_membership for select to evenhand_owner using (true);
-- What is still needed is not dropped.
create policy owner_reads on score.kpi_lineage for select to evenhand_owner using (true);

reset role;
