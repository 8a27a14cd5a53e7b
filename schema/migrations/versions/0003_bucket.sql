-- How far each person's bucket of query points is filled. It may be lost, so it writes no log.
set role evenhand_owner;

create unlogged table access.bucket (
  tenant_id UUID not null,
  person_id UUID not null,
  empty_at TIMESTAMP WITH TIME ZONE not null,
  PRIMARY KEY (tenant_id, person_id)
);

reset role;
