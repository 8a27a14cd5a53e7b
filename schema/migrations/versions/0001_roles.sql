-- Service roles. None may log in by itself, own a table or bypass row security; connections take one with SET ROLE.
do $$
declare
  name text;
begin
  foreach name in array array['evenhand_owner', 'evenhand_app', 'evenhand_intake', 'evenhand_worker', 'evenhand_pay',
                              'evenhand_sequencer'] loop
    begin
      execute format('create role %I nologin nosuperuser nobypassrls noinherit', name);
    exception when duplicate_object or unique_violation then null;  -- roles are shared by all databases of a server
    end;
    begin
      execute format('grant %I to current_user', name);
    exception when unique_violation or internal_error then null;
    end;
  end loop;
  execute format('grant create, connect on database %I to evenhand_owner', current_database());
  execute format('revoke all on database %I from public', current_database());
  foreach name in array array['evenhand_app', 'evenhand_intake', 'evenhand_worker', 'evenhand_pay',
                              'evenhand_sequencer'] loop
    execute format('grant connect on database %I to %I', current_database(), name);
  end loop;
  execute format('grant temporary on database %I to evenhand_worker', current_database());
end $$;
