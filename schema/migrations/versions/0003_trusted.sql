-- Registered documents, and how often what is shown has changed.
set role evenhand_owner;

create table ops.trusted_document (
  tenant_id UUID not null,
  id varchar not null,
  name varchar not null,
  body varchar not null,
  computed BOOLEAN not null,
  registered_by UUID,
  registered_at TIMESTAMP WITH TIME ZONE not null,
  retired_at TIMESTAMP WITH TIME ZONE,
  PRIMARY KEY (tenant_id, id)
);
create table ops.data_change (
  tenant_id UUID not null,
  area varchar not null,
  transaction BIGINT not null,
  PRIMARY KEY (tenant_id, area, transaction)
);
create table ops.data_version (
  tenant_id UUID not null,
  area varchar not null,
  changes BIGINT not null,
  PRIMARY KEY (tenant_id, area)
);
create table score.stored_json (
  tenant_id UUID not null,
  score_id UUID not null,
  fragment_hash varchar not null,
  subject_kind varchar not null,
  subject_id UUID not null,
  body varchar not null,
  result_hash varchar not null,
  PRIMARY KEY (tenant_id, score_id, fragment_hash),
  CONSTRAINT subject_kind_word CHECK (subject_kind in ('TENANT', 'SERVICE', 'TEAM', 'PERSON'))
);

reset role;
