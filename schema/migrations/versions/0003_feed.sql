-- What leaves by itself: changes as they happen, and large reads. The act that makes a change notes it, by trigger.
set role evenhand_owner;
create schema feed;

create table feed.change (
  tenant_id UUID not null,
  kind varchar not null,
  number BIGINT not null,
  row_id UUID not null,
  reason varchar not null,
  subject_kind varchar,
  subject_id UUID,
  at TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, kind, number, row_id),
  CONSTRAINT kind_word CHECK (kind in ('SCORE', 'AWARD', 'PAYOUT_BATCH'))
);
create sequence feed.change_number;

create table feed.export (
  tenant_id UUID not null,
  id UUID not null,
  person_id UUID not null,
  document varchar not null,
  variables JSONB not null,
  purpose varchar not null,
  state varchar not null,
  scope_sha256 varchar,
  cursor varchar,
  rows BIGINT not null,
  bytes BIGINT not null,
  sha256 varchar,
  failure varchar,
  attempt INTEGER not null,
  leased_until TIMESTAMP WITH TIME ZONE,
  asked_at TIMESTAMP WITH TIME ZONE not null,
  finished_at TIMESTAMP WITH TIME ZONE,
  file_ends_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT state_word CHECK (state in ('QUEUED', 'RUNNING', 'READY', 'FAILED', 'CANCELLED', 'EXPIRED')),
  CONSTRAINT progress_positive CHECK (rows >= 0 and bytes >= 0 and attempt >= 0)
);
create index export_state on feed.export (tenant_id, state, asked_at, id);

-- One number for all changes of an act. It is taken when the act commits, under a lock that is held until everybody
-- sees the act: so whoever sees a number sees every smaller one, and a reader never goes past a change that is yet to
-- come. That is why the triggers below are deferred.
create function app.change_number() returns bigint volatile language plpgsql as $$
declare
  given text := coalesce(current_setting('app.change_number', true), '');
begin
  if given = '' then
    perform pg_advisory_xact_lock(1718969444, hashtext(current_setting('app.tenant_id', true)));
    given := nextval('feed.change_number');
    perform set_config('app.change_number', given, true);
  end if;
  return given;
end $$;

-- A run's scores that are not what the newest run before it said of the same subject.
create function feed.tell_scores() returns trigger language plpgsql as $$
declare
  before uuid;
begin
  select r.id into before
    from score.run r
    join score.plan_version v on v.tenant_id = r.tenant_id and v.id = r.plan_version_id
   where r.tenant_id = new.tenant_id and r.cycle_id = new.cycle_id and r.run_no < new.run_no
     and v.plan_key = (select p.plan_key from score.plan_version p
                        where p.tenant_id = new.tenant_id and p.id = new.plan_version_id)
   order by r.run_no desc limit 1;
  insert into feed.change (tenant_id, kind, number, row_id, reason, subject_kind, subject_id, at)
  select s.tenant_id, 'SCORE', app.change_number(), s.id,
         case when p.id is null then 'FIRST'
              when row(s.value, s.status) is distinct from row(p.value, p.status) then 'VALUE'
              else 'EVIDENCE' end,
         s.subject_kind, s.subject_id, new.closed_at
    from score.score s
    left join score.score p on p.tenant_id = s.tenant_id and p.run_id = before
          and p.subject_kind = s.subject_kind and p.subject_id = s.subject_id
   where s.tenant_id = new.tenant_id and s.run_id = new.id
     and (p.id is null or row(s.value, s.status, s.trace) is distinct from row(p.value, p.status, p.trace));
  return null;
end $$;
create constraint trigger told after insert on score.run deferrable initially deferred
  for each row execute function feed.tell_scores();

-- An act that moves an award on twice tells the state that it came to.
create function feed.tell_award() returns trigger language plpgsql as $$
begin
  insert into feed.change (tenant_id, kind, number, row_id, reason, subject_kind, subject_id, at)
  select a.tenant_id, 'AWARD', app.change_number(), a.id, a.state, 'PERSON', a.person_id,
         case new.state when 'SUBMITTED' then a.submitted_at when 'REJECTED' then a.approved_at else now() end
    from pay.award a
   where a.tenant_id = new.tenant_id and a.id = new.id and row(a.state, a.version) = row(new.state, new.version)
  on conflict do nothing;
  return null;
end $$;
create constraint trigger told_new after insert on pay.award deferrable initially deferred
  for each row execute function feed.tell_award();
create constraint trigger told after update on pay.award deferrable initially deferred
  for each row when (old.state is distinct from new.state) execute function feed.tell_award();

create function feed.tell_file() returns trigger language plpgsql as $$
begin
  insert into feed.change (tenant_id, kind, number, row_id, reason, at)
  select f.tenant_id, 'PAYOUT_BATCH', app.change_number(), f.id, f.state, now()
    from pay.file f where f.tenant_id = new.tenant_id and f.id = new.id and f.state = new.state
  on conflict do nothing;
  return null;
end $$;
create constraint trigger told_new after insert on pay.file deferrable initially deferred
  for each row execute function feed.tell_file();
create constraint trigger told after update on pay.file deferrable initially deferred
  for each row when (old.state is distinct from new.state) execute function feed.tell_file();

-- Whoever listens hears that there is something to read, never what: anybody who may connect may listen.
create function feed.ring() returns trigger language plpgsql as $$
begin
  perform pg_notify('feed_change', c.tenant_id || ':' || c.kind || ':' || c.number)
    from (select distinct tenant_id, kind, number from added) c;
  return null;
end $$;
create trigger ring after insert on feed.change referencing new table as added
  for each statement execute function feed.ring();
create function feed.ring_export() returns trigger language plpgsql as $$
begin
  perform pg_notify('feed_change', new.tenant_id || ':EXPORT:' || new.attempt);
  return null;
end $$;
create trigger ring after update on feed.export for each row execute function feed.ring_export();
create trigger append_only before update or delete or truncate on feed.change
  for each statement execute function app.refuse_edit();

reset role;
