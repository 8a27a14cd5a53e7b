-- The log. Every service role writes entries; auditors read them all, everybody those about himself or by himself.
set role evenhand_owner;

grant insert on audit.entry, audit.pending to evenhand_app, evenhand_worker, evenhand_pay, evenhand_sequencer;
-- approvals are counted from these entries: nobody writes one in another name
create policy write on audit.entry for insert to evenhand_app, evenhand_worker, evenhand_pay, evenhand_sequencer
  with check (actor_id is not distinct from (select app.person()));
create policy write on audit.pending for insert to evenhand_app, evenhand_worker, evenhand_pay, evenhand_sequencer
  with check (true);

grant select (tenant_id, id, ty, at, leaf, leaf_hash, actor_id, subject_id, object_type, object_id)
  on audit.entry to evenhand_app;
grant select on audit.entry to evenhand_pay;
create policy auditor on audit.entry for select to evenhand_app, evenhand_pay using ((select app.granted('AUDITOR')));
create policy own on audit.entry for select to evenhand_app, evenhand_pay
  using (subject_id = (select app.person()) or actor_id = (select app.person()));
-- who releases a payout must see who else approved it
create policy approvals on audit.entry for select to evenhand_pay
  using (ty = 'payout.approved/v1' and (select app.granted('FINANCE')));

grant select on audit.entry to evenhand_sequencer;
create policy sequencer on audit.entry for select to evenhand_sequencer using (true);
grant select, delete on audit.pending to evenhand_sequencer;
create policy sequencer on audit.pending to evenhand_sequencer using (true) with check (true);
grant select, insert on audit.seq, audit.tree_head, audit.note_line to evenhand_sequencer;
create policy sequencer on audit.seq to evenhand_sequencer using (true) with check (true);
create policy sequencer on audit.tree_head to evenhand_sequencer using (true) with check (true);
create policy sequencer on audit.note_line to evenhand_sequencer using (true) with check (true);

grant select on audit.seq, audit.tree_head, audit.note_line to evenhand_app;
create policy auditor on audit.seq for select to evenhand_app using ((select app.granted('AUDITOR')));
create policy head on audit.tree_head for select to evenhand_app using ((select app.member()));
create policy head on audit.note_line for select to evenhand_app using ((select app.member()));

reset role;
