-- The bucket of query points: filled by one function alone, for the viewer alone.
set role evenhand_owner;

create policy owner_takes on access.bucket to evenhand_owner
  using (person_id = (select app.person())) with check (person_id = (select app.person()));

-- Takes up to `wanted` points for the viewer, at least `needed`, or none. The bucket holds `size` points and gives back
-- `restore` a second. Answers what was taken, and what could still be. The clock is the database's: all processes
-- share it. The row is locked from the first look to the end of the transaction, so nothing is taken twice.
create or replace function app.take_points(wanted bigint, needed bigint, size bigint, restore bigint,
                                           out taken bigint, out available bigint)
  volatile security definer set search_path = access, pg_temp language plpgsql as
  $$
declare
  filled timestamptz;
  moment timestamptz;
begin
  select b.empty_at into filled from bucket b
   where b.tenant_id = app.tenant() and b.person_id = app.person() for update;
  if not found then
    insert into bucket as b values (app.tenant(), app.person(), clock_timestamp())
      on conflict (tenant_id, person_id) do update set empty_at = b.empty_at returning b.empty_at into filled;
  end if;
  moment := clock_timestamp();
  -- Never fuller than full, also when the clock was set back or the bucket made smaller.
  filled := greatest(moment, least(filled, moment + size * interval '1 second' / restore));
  available := greatest(0, size - ceil(extract(epoch from filled - moment) * restore)::bigint);
  taken := case when needed <= available then least(wanted, available) else 0 end;
  available := available - taken;
  if taken > 0 then
    update bucket b set empty_at = filled + taken * interval '1 second' / restore
     where b.tenant_id = app.tenant() and b.person_id = app.person();
  end if;
end $$;

revoke execute on function app.take_points(bigint, bigint, bigint, bigint) from public;
grant execute on function app.take_points(bigint, bigint, bigint, bigint) to evenhand_app;

reset role;
