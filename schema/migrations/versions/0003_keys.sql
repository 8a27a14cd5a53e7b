-- Acts that were asked for under a key: for a day the same key is the same act.
set role evenhand_owner;

create table access.act_key (
  tenant_id UUID not null,
  person_id UUID not null,
  key varchar not null,
  act_sha256 BYTEA not null,
  asked_at TIMESTAMP WITH TIME ZONE not null,
  outcome JSONB,
  PRIMARY KEY (tenant_id, person_id, key)
);

reset role;
