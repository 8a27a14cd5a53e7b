-- Numbers of one person, team or service are found by whose they are, which tells most rows apart, and come in their order.
set role evenhand_owner;

drop index score.kpi_value_subject;
create index kpi_value_subject on score.kpi_value (tenant_id, subject_id, run_id, kpi_no, id);
drop index score.kpi_lineage_subject;
create index kpi_lineage_subject on score.kpi_lineage (tenant_id, subject_id, run_id, metric, number, record_id);
create index reporting_closure_person on access.reporting_closure (tenant_id, person_id, manager_id);

reset role;
