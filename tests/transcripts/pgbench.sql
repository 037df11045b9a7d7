\set id random(1, 1000)
select :id + 1 as n, :id::text as t;
