"""Statements that get at values of classified columns when they are run directly, by the rows of the
PostgreSQL table of threats: numbers are what a bypass is about, texts are run in order in one session.

`BYTES`: the answer holds a value, as it is or recoded. `ORACLES`: the answer tells whether a guess is
right; {guess} is a right or a wrong one."""

from own_postgres import MAJOR

# Values that nobody but the database knows. All of them are classified.
EMAIL = "zebra-quartz-7781@leak.example"
SSN = "901-77-4451"
CARD = "4929 8866 1177 5533"
SALARY = "918273.64"
BALANCE = 77123456789012
BORN = "1911-03-07"
SEEN = "1999-04-05 06:07:08.123456+00"
TOKEN = "6b9c1b1e-9a55-4e0b-8f6e-5d0c7a9e4411"
SECRET = "xylophone-vortex-3390"
ADDRESS = "203.0.113.77"
# Of another row, for guesses: what is guessed is in the client's own text.
GUESSED = "mammoth-ginger-1204@leak.example"
GUESSED_SSN = "333-22-8765"

ATOMIC = "as 'select email from public.customers where id = 1'" if MAJOR < 14 else \
    "begin atomic select email from public.customers where id = 1; end"

SQL = f"""
create type mood as enum ('plain', 'secretive-kumquat');
create domain mail as text check (value is null or length(value) > 3);
create table customers (
  id int primary key, name text, email mail unique, ssn varchar(20) check (ssn <> '000'),
  card char(19), salary numeric(12, 2), balance bigint, ratio float8, born date, seen timestamptz,
  token uuid, profile jsonb, tags text[], raw bytea, address inet, feeling mood, note text,
  shout text generated always as (upper(email)) stored);
insert into customers values
  (1, 'Zoe', '{EMAIL}', '{SSN}', '{CARD}', {SALARY}, {BALANCE}, {SALARY}, '{BORN}', '{SEEN}', '{TOKEN}',
   '{{"secret": "{SECRET}"}}', '{{{SECRET},two}}', '{SECRET}', '{ADDRESS}', 'secretive-kumquat', 'n1'),
  (2, 'Max', '{GUESSED}', '{GUESSED_SSN}', '5500 0000 0000 0004', 41000, 12, 1.5, '1980-01-01',
   '2001-01-01', '00000000-0000-0000-0000-000000000002', '{{"a": 1}}', '{{one}}', 'zz', '10.0.0.1', 'plain',
   'n2');
insert into customers select i, 'name' || i, 'user' || i || '@common.example', 'ssn' || i, null, i, i, i,
  '1970-01-01', '2000-01-01', null, '{{}}', '{{}}', null, null, 'plain', 'n' || i
  from generate_series(10, 40) i;
create index customers_lower on customers (lower(email));
create statistics customers_stats (mcv) on email, ssn from customers;
create table orders (id int primary key, customer_id int references customers, note text, total numeric);
insert into orders values (1, 1, 'o1', 5), (2, 2, 'o2', 7);
create table parents (id int, email text);
create table children (extra text) inherits (parents);
insert into children values (1, '{EMAIL}', 'x');
create table events (at date, email text) partition by range (at);
create table events_2020 partition of events for values from ('2020-01-01') to ('2021-01-01');
insert into events values ('2020-05-05', '{EMAIL}');
create table "Odd Names" ("E-Mail" text, "select" int);
insert into "Odd Names" values ('{EMAIL}', 1);
create schema other;
create table other.customers (id int, email text);
insert into other.customers values (1, '{EMAIL}');
create table sink (a text, b text, c int unique);
create table filtered (id int, owner text, what text);
insert into filtered values (1, 'me', 'seen'), (2, 'them', '{SECRET}');
create view v_plain as select id, email from customers;
create view v_renamed as select id as a, email as b from customers;
create view v_nested as select a, upper(b) as c from v_renamed;
create view v_where as select id from customers where email = '{GUESSED}';
create view v_union as select email as x from customers union all select note from orders;
create view v_row as select c as whole from customers c;
create view v_json as select to_jsonb(c) as j from customers c;
create view v_agg as select string_agg(email, ',') as all_mails from customers;
create view v_filtered as select * from filtered;
create materialized view m_mails as select id, lower(email) as low, name from customers;
create materialized view m_filtered as select * from filtered;
create function f_sql(int) returns text language sql stable as 'select email::text from public.customers where id = $1';
create function f_definer(int) returns text language sql stable security definer
  set search_path = public as 'select email::text from customers where id = $1';
create function f_plpgsql(int) returns text language plpgsql stable as
  'declare r text; begin select email into r from customers where id = $1; return r; end';
create function f_dynamic(text) returns setof text language plpgsql as 'begin return query execute $1; end';
create function f_table() returns table (e text) language sql as 'select email::text from public.customers';
create function f_atomic() returns text language sql {ATOMIC};
create function f_row(c customers) returns text language sql as 'select $1.email::text';
create function f_raise(int) returns int language plpgsql as
  'begin raise notice ''%'', (select email from customers where id = $1); raise exception ''%'', (select email from customers where id = $1); end';
create function f_warn(int) returns int language plpgsql as
  'begin raise warning ''%'', (select email from customers where id = $1); return 1; end';
create function f_step(text, int) returns text language sql as 'select $1 || email from public.customers where id = $2';
create aggregate a_mails (int) (sfunc = f_step, stype = text, initcond = '');
create function f_op(int, int) returns text language sql as 'select email::text from public.customers where id = $1 + $2';
create operator <~> (leftarg = int, rightarg = int, function = f_op);
create type boxed as (v int);
create function f_cast(boxed) returns text language sql as 'select email::text from public.customers where id = ($1).v';
create cast (boxed as text) with function f_cast(boxed) as implicit;
create function f_trigger() returns trigger language plpgsql as
  'begin raise notice ''%'', (select email from customers where id = 1); new.b := (select email from customers where id = 1); return new; end';
create table triggered (a text, b text);
create trigger t before insert on triggered for each row execute function f_trigger();
create table ruled (a text);
create rule r as on insert to ruled do also select email from customers;
create table copied (a text);
create rule r as on insert to copied do also insert into sink (a) select email from customers;
create domain leaky as int check (f_sql(value) <> 'x' and f_raise(value) > 0);
create function f_default(a text default f_sql(1)) returns text language sql as 'select a';
create function f_order(o orders) returns text language sql as 'select email::text from public.customers where id = o.id';
create view v_triggered as select a, b from triggered;
create function f_equal(boxed, boxed) returns bool language sql as 'select (select email from public.customers where id = 1) < chr(122)';
create operator <= (leftarg = boxed, rightarg = boxed, function = f_equal);
create operator >= (leftarg = boxed, rightarg = boxed, function = f_equal);
create view v_function as select id, f_sql(customer_id) as e from orders;
create materialized view m_function as select f_sql(1) as e;
create table defaulted (id int, got text default f_sql(1));
analyze;
"""

PROTECTION = """
classification:
  "*.customers.email": pii.email
  "*.customers.ssn": secret
  "*.customers.card": pci.card
  "*.customers.salary": hr.salary
  "*.customers.balance": hr.balance
  "*.customers.ratio": hr.salary
  "*.customers.born": pii.born
  "*.customers.seen": pii.seen
  "*.customers.token": secret
  "*.customers.profile": secret
  "*.customers.tags": secret
  "*.customers.raw": secret
  "*.customers.address": pii.ip
  "*.customers.feeling": pii.feeling
  "*.parents.email": pii.email
  "*.events.email": pii.email
  "public.Odd Names.E-Mail": pii.email
masks:
  pii.email: redact
row_filters:
  public.filtered:
    own: "owner = 'me'"
"""

BYTES = [
    # 1 several statements in one string
    (1, "select 1; select email from customers where id = 1"),
    (1, ";;; /* x */ select email from customers where id = 1;;"),
    (1, "begin; select email from customers where id = 1; commit"),
    (1, "-- first\nselect email from customers"),
    (1, "/* a /* nested */ b */ select email from customers"),
    # 4 names of SQL
    (4, "prepare p1 as select email from customers where id = $1", "execute p1(1)"),
    (4, "prepare p2 (int) as select c from customers c where id = $1", "execute p2(1)"),
    (4, "prepare p3 as select 1", "deallocate p3", "prepare p3 as select email from customers", "execute p3"),
    (4, "prepare p4 as select email from customers", "explain analyze execute p4", "execute p4"),
    (4, "begin", "declare c1 cursor for select email from customers order by id", "fetch 1 from c1", "commit"),
    (4, "begin", "declare c2 binary cursor for select balance, born from customers order by id", "fetch all from c2"),
    (4, "begin", "declare c3 scroll cursor with hold for select * from customers", "commit", "fetch first from c3"),
    (4, "prepare p5 as insert into sink (a) select email from customers returning a", "execute p5"),
    (4, "prepare p6 as select email from customers", "create table p6_out as execute p6", "select * from p6_out"),
    # 6 COPY
    (6, "copy customers to stdout"),
    (6, "copy customers (email) to stdout (format csv, header)"),
    (6, "copy customers (balance, born) to stdout (format binary)"),
    (6, "copy public.customers to stdout (format csv, delimiter ';', quote '''', force_quote *)"),
    (6, "copy (select email from customers) to stdout"),
    (6, "copy (select to_json(c) from customers c) to stdout (encoding 'latin1')"),
    (6, "copy (table customers) to stdout"),
    (6, "copy (update customers set note = 'x' where id = 1 returning email) to stdout"),
    (6, "copy (delete from parents returning *) to stdout"),
    (6, "copy events_2020 to stdout"),
    (6, "copy children to stdout"),
    # 7 files and programs
    (7, "copy customers to program 'cat >&2'", "copy customers to '/tmp/sallyport-attack.csv'",
     "select pg_read_file('/tmp/sallyport-attack.csv')"),
    (7, "select lo_from_bytea(4711, (select email::text::bytea from customers where id = 1))", "select convert_from(lo_get(4711), 'utf8')"),
    (7, "select pg_read_file(pg_relation_filepath('events_2020'), 0, 8192, true)", "checkpoint", "select encode(pg_read_binary_file(pg_relation_filepath('events_2020')), 'escape')"),
    # 15 names that shadow
    (15, "create schema evil", "create table evil.customers as select * from public.customers", "set search_path = evil, public", "select email from customers"),
    (15, "create temp table customers as select * from public.customers", "select email from customers"),
    (15, "create temp view tv as select email from customers", "select * from tv"),
    (15, "set search_path = other, public", "select email from customers"),
    (15, "create function pg_temp.f() returns setof text language sql as 'select email::text from public.customers'", "select pg_temp.f()"),
    (15, "create function public.regexp_replace(text, text, text, text) returns text language sql as 'select $1'", "set search_path = public, pg_catalog", "select email from customers"),
    # 16 views and relatives
    (16, "select email from v_plain"),
    (16, "select b from v_renamed"),
    (16, "select c from v_nested"),
    (16, "select x from v_union"),
    (16, "select whole from v_row"),
    (16, "select j from v_json"),
    (16, "select all_mails from v_agg"),
    (16, "select low from m_mails"),
    (16, "select * from children"),
    (16, "select * from only children"),
    (16, "select email from parents*"),
    (16, "select email from events"),
    (16, "select email from events_2020"),
    (16, "select shout from customers where id = 1"),
    (16, "select \"E-Mail\" from \"Odd Names\""),
    (16, "select u.\"E-Mail\" from public.\"Odd Names\" u"),
    (16, "select U&\"E\\002DMail\" from U&\"Odd\\0020Names\""),
    (16, "select * from filtered"),
    (16, "select * from v_filtered"),
    (16, "select * from m_filtered"),
    (16, "select what from filtered where id = 2 or owner = 'me' or true"),
    (16, "copy filtered to stdout"),
    (16, "update filtered set what = what returning what"),
    (16, "delete from filtered returning what"),
    (16, "select max(what) from filtered"),
    # 17 functions, operators, casts
    (17, "select f_sql(1)"),
    (17, "select f_definer(1)"),
    (17, "select f_plpgsql(1)"),
    (17, "select * from f_dynamic('select email::text from customers')"),
    (17, "select * from f_table()"),
    (17, "select e from orders, f_table() t(e)"),
    (17, "select f_atomic()"),
    (17, "select f_row(c) from customers c"),
    (17, "select c.f_row from customers c"),
    (17, "select a_mails(id) from customers where id = 1"),
    (17, "select 0 <~> 1"),
    (17, "select 0 operator(public.<~>) 1"),
    (17, "select (row(1)::boxed)::text"),
    (17, "select concat(row(1)::boxed::text)"),
    (17, "select lower(row(1)::boxed)"),
    (17, "insert into sink (a) values (row(1)::boxed) returning a"),
    (17, "insert into defaulted (id) values (1) returning got"),
    (17, "select 1 where f_sql(1) > ''", "select string_agg(f_sql(id), ',') from orders"),
    (17, "select o.id, x from orders o, lateral f_sql(o.customer_id) x"),
    (17, "insert into triggered (a) values ('x') returning b"),
    (17, "insert into ruled values ('x')"),
    (17, "insert into copied values ('x')", "select a from sink"),
    (17, "select email from rows from (f_table()) as t(email)"),
    (17, "select f_default()"),
    (17, "select o.f_order from orders o"),
    (17, "select (o).f_order from orders o where id = 1"),
    (17, "select f_order from orders, lateral f_order(orders) limit 1"),
    (17, "insert into v_triggered (a) values ('x') returning b"),
    (17, "select e from v_function where id = 1"),
    (17, "select e from m_function"),
    (34, "select query from pg_stat_get_activity(null) where 1 = 0", "select email from customers"),
    # 18 code
    (18, "do $$ begin raise notice '%', (select email from customers where id = 1); end $$"),
    (18, "do $$ declare r record; begin for r in select * from customers loop raise warning '%', r; end loop; end $$"),
    (18, "create function mine() returns setof text language sql as 'select email::text from customers'", "select mine()"),
    (18, "create procedure pr() language plpgsql as 'begin raise notice ''%'', (select email from customers where id = 1); end'", "call pr()"),
    (18, "create view mine as select email from customers", "select * from mine"),
    (18, "create or replace view v_plain as select id, email from customers", "select * from v_plain"),
    (18, "create materialized view mm as select email from customers", "select * from mm"),
    (18, "create rule rr as on update to sink do also select email from customers", "update sink set b = 'x'"),
    # 19 SQL in strings
    (19, "select query_to_xml('select email from customers', true, false, '')"),
    (19, "select table_to_xml('customers', true, false, '')"),
    (19, "select schema_to_xml('public', true, false, '')"),
    (19, "select database_to_xml(true, false, '')"),
    (19, "begin", "declare cx cursor for select email from customers", "select cursor_to_xml('cx', 10, true, false, '')"),
    (19, "select * from ts_stat('select to_tsvector(email::text) from customers')"),
    (19, "select xpath('//email/text()', table_to_xml('customers', true, false, ''))"),
    # 20 roles
    (20, "set role gateway", "select email from customers"),
    (20, "set session authorization gateway", "select email from customers"),
    (20, "reset role", "select email from customers"),
    (20, "discard all", "select email from customers"),
    # 21 encodings and lexers
    (21, "set standard_conforming_strings = off", "select email from customers"),
    (21, "set client_encoding = 'SJIS'", "select email from customers"),
    # 22 lexer traps
    (22, "select/**/email/**/from/**/customers"),
    (22, "select\femail\ffrom\fcustomers"),
    (22, "select \"email\" from \"public\".\"customers\""),
    (22, "SELECT EMAIL FROM CUSTOMERS"),
    (22, "select 'from customers' || email::text from customers -- where"),
    (22, "select $a$x$a$ || email::text from customers"),
    (22, "select E'\\'' || email::text from customers"),
    (22, "select e.email from customers as e where e.id = 1 or 'customers c' = ''"),
    (22, "select ((((((((((email)))))))))) from customers"),
    (22, "table customers"),
    (22, "values ((select email from customers where id = 1))"),
    (22, "select U&\"em\\0061il\" from customers"),
    # 24 transforms
    (24, "select substr(email, 1, 12) from customers"),
    (24, "select reverse(email) from customers"),
    (24, "select encode(email::text::bytea, 'hex') from customers"),
    (24, "select encode(email::text::bytea, 'base64') from customers"),
    (24, "select md5(email) from customers"),
    (24, "select encode(sha256(email::text::bytea), 'hex') from customers"),
    (24, "select upper(email) from customers"),
    (24, "select substr(email, i, 1) from customers, generate_series(1, 12) i where id = 1 order by i"),
    (24, "select string_to_table(email, null) from customers where id = 1"),
    (24, "select regexp_matches(email, '(.*)@') from customers"),
    (24, "select translate(email, 'aeiou', 'aeiou') from customers"),
    (24, "select split_part(email, '@', 1) from customers"),
    (24, "select email::text::bytea from customers"),
    (24, "select quote_literal(email), format('%s', email) from customers"),
    (24, "select convert_to(ssn, 'UTF8') from customers"),
    (24, "select ascii(substr(ssn, i, 1)) - 48 from customers, generate_series(1, 11) i where id = 1 and substr(ssn, i, 1) <> '-' order by i"),
    (24, "select salary + 0 from customers"),
    (24, "select salary::text, salary::int, salary::float8 from customers"),
    (24, "select floor(salary), round(salary) from customers where id = 1"),
    (24, "select balance * 1, balance::numeric from customers"),
    (24, "select to_char(born, 'YYYY-MM-DD') from customers"),
    (24, "select extract(year from born), extract(month from born), extract(day from born), born from customers where id = 1"),
    (24, "select born + 0, age(born), seen at time zone 'utc' from customers"),
    (24, "select numrange(salary, salary + 1) from customers"),
    (24, "select host(address), address::text, family(address) from customers"),
    (24, "select token::text, replace(token::text, '-', '') from customers"),
    (24, "select profile->>'secret', profile from customers"),
    (24, "select jsonb_each_text(profile) from customers"),
    (24, "select tags[1], unnest(tags) from customers"),
    (24, "select array_to_string(tags, ''), array_append(tags, 'x') from customers"),
    (24, "select convert_from(raw, 'utf8'), encode(raw, 'escape') from customers"),
    (24, "select feeling, feeling::text from customers where id = 1"),
    (24, "select coalesce(email, ''), nullif(email, ''), greatest(email, '') from customers"),
    (24, "select case when true then email else '' end from customers"),
    (24, "select email collate \"C\" from customers"),
    (24, "select to_tsvector('simple', email) from customers"),
    # 25 whole rows
    (25, "select c from customers c"),
    (25, "select customers from customers"),
    (25, "select c::text from customers c"),
    (25, "select row_to_json(c) from customers c"),
    (25, "select to_jsonb(c) ->> 'email' from customers c"),
    (25, "select jsonb_path_query(to_jsonb(c), '$.email') from customers c"),
    (25, "select json_agg(c) from customers c"),
    (25, "select array_agg(c) from customers c"),
    (25, "select row(c.*) from customers c"),
    (25, "select (c).email from customers c"),
    (25, "select (c).* from customers c"),
    (25, "select email(c) from customers c"),
    (25, "select c.email from customers c"),
    (25, "select xmlforest(c.email) from customers c"),
    (25, "select xmlelement(name x, c.email) from customers c"),
    (25, "select json_build_object('a', email), json_object_agg(id, email) from customers group by email"),
    (25, "select json_populate_record(null::customers, to_json(c)) from customers c"),
    (25, "select hashtext(email), email from customers"),
    (25, "select (select c from customers c where id = 1)"),
    (25, "select (array_agg(c))[1] from customers c"),
    (25, "select format('%s', c) from customers c"),
    (25, "select concat(c) from customers c"),
    # 26 names that hide columns
    (26, "select c from customers as t(a, b, c)"),
    (26, "with t(a, b, c) as (select id, name, email from customers) select c from t"),
    (26, "select * from customers as t(id, name, note)"),
    (26, "select email as id, id as email from customers"),
    (26, "select * from customers join orders on orders.customer_id = customers.id"),
    (26, "select * from customers natural join v_plain"),
    (26, "select * from customers c join v_plain v using (id, email)"),
    (26, "select j.email from (customers c join orders o on o.customer_id = c.id) j(a, b, email)"),
    (26, "select j.* from (customers cross join orders) as j"),
    (26, "select note from customers union select email from customers"),
    (26, "select note from orders union all select email::text from customers"),
    (26, "(select email from customers) intersect (select email from customers)"),
    (26, "with recursive r(n, e) as (select 1, email::text from customers where id = 1 union all select n + 1, e from r where n < 3) select e from r"),
    (26, "with recursive t(id, email) as (select id, email::text from customers where id = 1 union all select id + 1000, email from t where id < 900) search depth first by email set o select o from t"),
    (26, "select x.e from customers c, lateral (select c.email as e) x"),
    (26, "select x.e from customers c cross join lateral (values (c.email)) x(e)"),
    (26, "select (select c.email) from customers c"),
    (26, "select (select max(email) from customers)"),
    (26, "select array(select email from customers)"),
    (26, "select s.q from (select c.email q from (select * from customers) c) s"),
    (26, "select email from customers group by email"),
    (26, "select distinct on (email) email from customers"),
    (26, "select first_value(email) over (order by id) from customers"),
    (26, "select lag(email) over w, lead(email) over w from customers window w as (order by id desc)"),
    (26, "select min(email), max(email), string_agg(email, ',') from customers"),
    (26, "select mode() within group (order by email) from customers where id = 1"),
    (26, "select percentile_disc(0.5) within group (order by salary) from customers where id = 1"),
    (26, "select sum(salary), avg(balance) from customers where id = 1"),
    (26, "select string_agg(email, ',') filter (where id = 1) from customers"),
    (26, "select * from json_to_recordset((select json_agg(c) from customers c)) as x(email text)"),
    (26, "select * from jsonb_to_record((select to_jsonb(c) from customers c where id = 1)) as x(email text)"),
    (26, "select * from xmltable('/a' passing (select xmlelement(name a, email) from customers where id = 1) columns e text path '.')"),
    (26, "select * from unnest((select array_agg(email::text) from customers))"),
    (26, "select email from (table customers) t"),
    (26, "select ctid, email from customers"),
    (26, "select email from only public.customers"),
    (26, "select public.customers.email from public.customers"),
    (26, "with x as materialized (select * from customers) select email from x"),
    (26, "with customers as (select * from customers) select email from customers"),
    (26, "select case when exists (select from customers c where c.id = 1) then (select email from customers where id = 1) end"),
    # 27 errors and notices
    (27, "select email::int from customers where id = 1"),
    (27, "select email::regclass from customers where id = 1"),
    (27, "select (email || '')::mood from customers where id = 1"),
    (27, "select email::text::inet from customers where id = 1"),
    (27, "select profile::text::int from customers where id = 1"),
    (27, "update customers set salary = -1, ssn = '000' where id = 1"),
    (27, "update customers set id = null where id = 1"),
    (27, "update customers set ssn = '000' where id = 1", "insert into customers (id, ssn) values (1, '000')"),
    (27, "select f_raise(1)"),
    (27, "select f_warn(1)"),
    (27, "select 1::leaky"),
    (27, "set client_min_messages = debug5", "select email from customers"),
    (27, "select set_config('a.b', email, false) from customers where id = 1", "show a.b"),
    (27, "select set_config('application_name', email, false) from customers where id = 1"),
    # 28 other channels
    (28, "listen ch", "select pg_notify('ch', email) from customers where id = 1"),
    (28, "listen c2", "comment on table sink is 'x'", "select pg_notify('c2', (select email::text from customers where id = 1))", "select 1"),
    (28, "create sequence sq", "select setval('sq', balance) from customers where id = 1", "select last_value from sq"),
    (28, "select pg_advisory_lock(balance) from customers where id = 1", "select classid::int8 << 32 | objid::int8 from pg_locks where locktype = 'advisory'"),
    # 29 EXPLAIN
    (29, "explain (verbose, costs off) select * from (values ((select email from customers where id = 1))) v", "explain analyze select email::int from customers where id = 1"),
    (29, "explain select * from customers where email > 'zebra-quart' and email < 'zebra-quartz-8'", "select email from customers where email like 'zebra%'"),
    # 30 laundering
    (30, "insert into sink (a) select email from customers", "select a from sink"),
    (30, "create table stolen as select * from customers", "select email from stolen"),
    (30, "select * into stolen2 from customers", "select email from stolen2"),
    (30, "update orders set note = c.email from customers c where c.id = customer_id", "select note from orders"),
    (30, "update customers set note = email where id = 1", "select note from customers"),
    (30, "update customers set (note, name) = (select email, ssn from customers where id = 1) where id = 1", "select note from customers"),
    (30, "insert into customers (id, note) select 100, email from customers where id = 1", "select note from customers"),
    (30, "insert into customers (id, email) values (1, 'x@y.z') on conflict (id) do update set note = customers.email", "select note from customers"),
    (30, "merge into orders o using customers c on c.id = o.customer_id when matched then update set note = c.email", "select note from orders"),
    (30, "with w as (insert into sink (a) select email from customers returning a) select a from w"),
    (30, "with w as (update customers set note = note where id = 1 returning *) select email from w"),
    (30, "with w as (delete from parents returning email) select email from w"),
    (30, "update customers set note = 'x' where id = 1 returning email"),
    (30, "update customers set note = 'x' where id = 1 returning *"),
    (30, "update customers c set note = 'x' where id = 1 returning c"),
    (30, "update customers set note = 'x' where id = 1 returning to_jsonb(customers)"),
    (30, "insert into customers (id, email) values (1, 'x@y.z') on conflict (id) do update set note = 'y' returning email"),
    (30, "delete from orders", "delete from customers where id = 1 returning card, ssn"),
    (30, "merge into customers c using (select 1 as x) s on c.id = s.x when matched then update set note = c.email", "select note from customers"),
    (30, "update sink set a = v.b from v_renamed v", "insert into sink (a) select b from v_renamed", "select a from sink"),
    (30, "create index on customers (id) where email > 'a'", "create table ix as select email from customers", "table ix"),
    # 31 DDL
    (31, "alter table customers rename to people", "select email from people"),
    (31, "alter table customers rename column email to harmless", "select harmless from customers"),
    (31, "create table heir () inherits (customers)", "alter table customers set schema other", "select email from other.customers"),
    (31, "alter table customers add column copy text generated always as (email || '') stored", "select copy from customers"),
    (31, "alter table customers alter column note type text using email", "select note from customers"),
    (31, "alter table customers add column stolen text", "update customers set stolen = email", "select stolen from customers"),
    (31, "alter view v_plain rename to harmless_view", "select email from harmless_view"),
    (31, "alter view v_plain rename column email to plain", "select plain from v_plain"),
    (31, "create table like_it (like customers including all)", "insert into like_it (id, email) select id, email from customers", "select email from like_it"),
    (31, "alter table events detach partition events_2020", "select email from events_2020"),
    (31, "create table adopting (id int, email text)", "alter table children no inherit parents", "select email from children"),
    # 34 catalogs
    (34, "select most_common_vals from pg_stats where tablename = 'customers'", "select histogram_bounds from pg_stats where tablename = 'customers'"),
    (34, "select stavalues1, stavalues2, stavalues3 from pg_statistic where starelid = 'customers'::regclass"),
    (34, "select most_common_vals from pg_stats_ext", "select histogram_bounds::text from pg_catalog.pg_stats"),
    (34, "select pg_mcv_list_items(stxdmcv) from pg_statistic_ext_data"),
    (34, "select * from pg_statistic"),
    (34, "begin", "select 'zebra'", "prepare pp as select 'canary'", "select statement from pg_prepared_statements", "rollback", "select email from customers"),
]

ORACLES = [
    (33, "select count(*) from customers where email = '{guess}'"),
    (33, "select count(*) from customers where email like '{guess}%'"),
    (33, "select name from customers where email = '{guess}'"),
    (33, "select 1 from customers where id = 2 and email >= '{guess}' and email <= '{guess}'"),
    (33, "select o.id from orders o join customers c on c.id = o.customer_id and c.email = '{guess}'"),
    (33, "select c.id from customers c join (values ('{guess}')) v(e) on v.e = c.email"),
    (33, "select id from customers where exists (select from customers x where x.email = '{guess}')"),
    (33, "select id from customers where '{guess}' in (select email from customers)"),
    (33, "select id from customers where email = any(array['{guess}'])"),
    (33, "select case when email = '{guess}' then 1 else 0 end from customers where id = 2"),
    (33, "select 1 / (case when email = '{guess}' then 0 else 1 end) from customers where id = 2"),
    (33, "select id from customers where id in (2, 10) order by (email = '{guess}'), id"),
    (33, "select (email = '{guess}') as x, count(*) from customers group by 1 order by 1"),
    (33, "select count(*) from customers group by name having max(email) = '{guess}'"),
    (33, "select count(*) filter (where email = '{guess}') from customers"),
    (33, "select bool_or(email = '{guess}') from customers"),
    (33, "select generate_series(1, (select count(*) from customers where email = '{guess}'))"),
    (33, "select id from customers limit (select count(*) from customers where email = '{guess}')"),
    (33, "select id from customers offset (select count(*) from customers where email = '{guess}')"),
    (33, "select c = row(1) from customers c where c::text like '%{guess}%'"),
    (33, "select 1 from customers c where to_jsonb(c) @> '{\"email\": \"{guess}\"}'"),
    (33, "select 1 from customers c where to_jsonb(c)::text like '%{guess}%'"),
    (33, "select id from v_plain where email = '{guess}'"),
    (33, "select count(*) from v_nested where c = upper('{guess}')"),
    (33, "select count(*) from m_mails where low = lower('{guess}')"),
    (33, "select id from customers where lower(email) = lower('{guess}')"),
    (33, "select id from customers where starts_with(email, '{guess}')"),
    (33, "select id from customers where email ~ '^{guess}$'"),
    (33, "select id from customers where position('{guess}' in email) > 0"),
    (33, "select id from customers where (email, id) = ('{guess}', 2)"),
    (33, "select id from customers where email in ('{guess}', 'x')"),
    (33, "select id from customers where email between '{guess}' and '{guess}'"),
    (33, "select id from customers except select id from customers where email = '{guess}' order by 1"),
    (33, "select 1 from customers where md5(email) = md5('{guess}')"),
    (33, "select rank() over (partition by (email = '{guess}') order by id) from customers order by id"),
    (33, "update customers set note = 'n2' where email = '{guess}'"),
    (33, "update orders set note = orders.note from customers c where c.id = customer_id and c.email = '{guess}'"),
    (33, "update orders set note = note where exists (select from customers where email = '{guess}')"),
    (33, "insert into customers (id, email) values (2, 'x@y.z') on conflict (id) do update set note = 'n2' where customers.email = '{guess}'"),
    (33, "merge into customers c using (select 2 as x) s on c.id = s.x and c.email = '{guess}' when matched then update set note = 'n2'"),
    (33, "explain (analyze, costs off, timing off, summary off) select * from customers where email = '{guess}'"),
    (33, "with x as (select count(*) n from customers where email = '{guess}') select n from x"),
    (33, "copy (select count(*) from customers where email = '{guess}') to stdout"),
    (33, "select count(*) from customers tablesample system (100) where email = '{guess}'"),
    (33, "select count(*) from only customers where email = '{guess}'"),
    (33, "select sum(case when customers.email = '{guess}' then 1 end) from public.customers"),
    (33, "select pg_typeof(1), count(*) from customers c where c.* is not null and (c).email = '{guess}'"),
    (33, "values ((select count(*) from customers where email = '{guess}'))"),
    (33, "select * from generate_series(1, 3) i where i <= (select count(*) from customers where email = '{guess}')"),
]
