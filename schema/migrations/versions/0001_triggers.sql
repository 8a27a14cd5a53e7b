-- What no role may do whatever its grants: edit the past, or book what does not balance.
set role evenhand_owner;

create function app.refuse_edit() returns trigger language plpgsql as $$
begin
  raise exception '% on %.% is refused: this table is append-only', tg_op, tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege';
end $$;

do $$
declare
  name text;
begin
  foreach name in array array['mirror.revision', 'score.plan_version', 'score.cycle', 'score.run', 'score.kpi_value',
      'score.kpi_lineage', 'score.score', 'score.attribution_split', 'pay.pool_allocation', 'pay.award_proposal',
      'pay.award_amount', 'pay.file_part', 'pay.ack', 'ledger.account',
      'ledger.journal', 'ledger.posting', 'audit.seq', 'audit.tree_head', 'audit.note_line'] loop
    execute format('create trigger append_only before update or delete or truncate on %s
                    for each statement execute function app.refuse_edit()', name);
  end loop;
  execute 'create trigger append_only before delete or truncate on audit.entry
           for each statement execute function app.refuse_edit()';
end $$;

-- Whoever decides an award does it in his own name, as finance, once; nobody changes afterwards who decided.
create function pay.guard_award() returns trigger language plpgsql as $$
begin
  if row(new.approved_by, new.approved_at) is distinct from row(old.approved_by, old.approved_at)
     and (old.state <> 'SUBMITTED' or new.approved_by is distinct from app.person() or not app.granted('FINANCE')) then
    raise exception 'award % is decided once, by the one who says so', old.award_ref
      using errcode = 'insufficient_privilege';
  end if;
  if new.state <> old.state and (old.state, new.state) not in (('SUBMITTED', 'APPROVED'), ('SUBMITTED', 'REJECTED'),
       ('APPROVED', 'IN_PAYROLL'), ('IN_PAYROLL', 'PAID'), ('IN_PAYROLL', 'APPROVED')) then
    raise exception 'award % cannot go from % to %', old.award_ref, old.state, new.state
      using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger guard before update on pay.award for each row execute function pay.guard_award();

-- A payout file goes one way: made, visible, pulled, answered, paid.
create function pay.guard_file() returns trigger language plpgsql as $$
begin
  if new.state <> old.state and (old.state, new.state) not in (('PREPARED', 'RELEASED'), ('RELEASED', 'PULLED'),
       ('PULLED', 'ACCEPTED'), ('PULLED', 'PARTLY_ACCEPTED'), ('PULLED', 'REJECTED'), ('ACCEPTED', 'PAID'),
       ('PARTLY_ACCEPTED', 'PAID')) then
    raise exception 'payout file % cannot go from % to %', old.id, old.state, new.state
      using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger guard before update on pay.file for each row execute function pay.guard_file();

-- Of an audit entry only the sealed text may go (erasure), and only without a legal hold.
create function audit.guard_entry() returns trigger language plpgsql as $$
begin
  if row(new.tenant_id, new.id, new.ty, new.at, new.leaf, new.leaf_hash, new.dek_id, new.actor_id, new.subject_id,
         new.object_type, new.object_id)
     is distinct from row(old.tenant_id, old.id, old.ty, old.at, old.leaf, old.leaf_hash, old.dek_id, old.actor_id,
         old.subject_id, old.object_type, old.object_id)
     or (new.sealed is distinct from old.sealed and (new.sealed is not null or old.legal_hold)) then
    raise exception 'audit entries are never edited' using errcode = 'insufficient_privilege';
  end if;
  return new;
end $$;
create trigger guard before update on audit.entry for each row execute function audit.guard_entry();

-- One check a journal, when it commits: complete, and balanced for each award. A full journal takes no more postings.
create function ledger.check_journal() returns trigger language plpgsql as $$
begin
  if (select count(*) from ledger.posting p where p.tenant_id = new.tenant_id and p.journal_id = new.id)
       <> new.postings
     or exists (select from ledger.posting p where p.tenant_id = new.tenant_id and p.journal_id = new.id
                group by p.award_ref having sum(p.amount_minor) <> 0) then
    raise exception 'journal % does not balance', new.id using errcode = 'check_violation';
  end if;
  return null;
end $$;
create constraint trigger balanced after insert on ledger.journal deferrable initially deferred
  for each row execute function ledger.check_journal();

create function ledger.check_postings() returns trigger language plpgsql as $$
begin
  if exists (
    select from (select tenant_id, journal_id, account, max(line) as top from added group by 1, 2, 3) p
      left join ledger.journal j on j.tenant_id = p.tenant_id and j.id = p.journal_id
      left join ledger.account a on a.tenant_id = p.tenant_id and a.code = p.account
     where a.code is null or j.id is null or p.top > j.postings) then
    raise exception 'posting: unknown account or journal, or the journal is full' using errcode = 'check_violation';
  end if;
  return null;
end $$;
create trigger known after insert on ledger.posting referencing new table as added
  for each statement execute function ledger.check_postings();

reset role;
