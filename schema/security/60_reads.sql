-- What compiled reads write with. Plain SQL functions: PostgreSQL puts their text in place.
set role evenhand_owner;

create or replace function app.global_id(kind text, id uuid) returns text immutable language sql as
  $$ select translate(encode(convert_to(kind || ':' || id, 'UTF8'), 'base64'), E'\n', '') $$;

create or replace function app.cursor(place text) returns text immutable language sql as
  $$ select translate(encode(convert_to(place, 'UTF8'), 'base64'), E'+/=\n', '-_') $$;

create or replace function app.first_of(texts text[]) returns text immutable language sql as
  $$ select texts[1] $$;

-- Whole minor units as an amount, by the digits of the currency (engine/money.py; a test compares).
create or replace function app.amount(minor bigint, currency text) returns text immutable language sql as
  $$ select case
       when currency in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'VND', 'VUV',
                         'XAF', 'XOF', 'XPF') then minor::text
       when currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then (minor * 0.001)::numeric(22, 3)::text
       else (minor * 0.01)::numeric(22, 2)::text end $$;

-- An exact fraction as text: a decimal where it ends, else numerator/denominator (engine/canonical.py; a test compares).
-- A denominator of 64 bits that divides 10^63 is one of twos and fives.
create or replace function app.fraction_text(num bigint, den bigint) returns text immutable language sql as
  $$ with least as (select (num / gcd(num, den))::numeric as n, (den / gcd(num, den))::numeric as d)
     select case when mod(1e63, d) = 0 then trim_scale(div(n * 1e63, d) * 1e-63)::text else n || '/' || d end
       from least $$;

-- A null where the schema promises a value. Not immutable: it must not be called while planning.
create or replace function app.null_violation(place text) returns text stable language plpgsql as
  $$ begin raise exception 'null at %', place using errcode = 'GQ001'; end $$;

-- Tell the viewer, for this transaction, and say whether he is somebody who is here.
create or replace function app.enter(tenant text, person text, request text) returns boolean volatile language plpgsql
  as $$
begin
  perform set_config('app.tenant_id', tenant, true), set_config('app.person_id', person, true),
          set_config('app.request_id', request, true);
  return app.member();
end $$;

revoke execute on function app.enter(text, text, text), app.global_id(text, uuid), app.cursor(text),
  app.first_of(text[]), app.amount(bigint, text), app.fraction_text(bigint, bigint), app.null_violation(text) from public;
grant execute on function app.enter(text, text, text) to evenhand_app;
grant execute on function app.global_id(text, uuid), app.cursor(text), app.first_of(text[]), app.amount(bigint, text),
  app.fraction_text(bigint, bigint), app.null_violation(text) to evenhand_app, evenhand_worker;

reset role;
