"""Masks on a real server: what a chain sees that may not reveal classified columns."""

import psycopg
import pytest

from masked import MaskLab

SQL = """
create table customers (id int primary key, name text not null, email text unique, card text,
                        phone text, salary numeric(10, 2), born date, ssn text not null);
insert into customers values
  (1, 'Ada', 'ada.lovelace@example.com', '4242 4242 4242 4242', '+44 20 7946 0958', 71234.50,
   '1815-12-10', '078-05-1120'),
  (2, 'Bob', 'bob@example.org', '4000 0566 5566 5556', '+1 212 555 0100', 52345.10, '1990-02-03',
   '219-09-9999'),
  (3, 'Cid', null, null, null, null, null, '457-55-5462');
create table orders (id int primary key, customer_id int references customers, total numeric,
                     note text);
insert into orders values (1, 1, 10.5, 'first'), (2, 1, 20, 'second'), (3, 2, 30, 'third');
create view mails as select id, email as mail, name from customers;
create view named as select id, name from customers;
create view mails_of_mails as select upper(mail) as shout from mails;
"""

PROTECTION = """
classification:
  "*.customers.email": pii.email
  "*.customers.card": pci.card
  "*.customers.phone": pii.phone
  "*.customers.salary": hr
  "*.customers.born": pii.born
  "*.customers.ssn": secret
masks:
  hr: round
  pii.born: year
"""


@pytest.fixture(scope="module")
def lab():
    made = MaskLab(SQL, PROTECTION)
    yield made
    made.remove()


@pytest.fixture
def reader(lab):
    with lab.connect("reader") as connection:
        yield connection


def test_psql_shows_masks_and_nothing_else(lab):
    done = lab.psql("reader", "select id, email, card, phone, salary, born, ssn from customers order by id")
    assert done.stdout.splitlines() == [
        "1|a***********@e******.com|**** **** **** 4242|+** ** **** **58|71000.00|1815-01-01|****",
        "2|b**@e******.org|**** **** **** 5556|+* *** *** **00|52000.00|1990-01-01|****",
        "3||||||****"], done.stderr + lab.output()[-3000:]


def test_who_may_reveal_sees_values(lab):
    with lab.connect("admin") as admin, lab.connect("clerk") as clerk:
        query = "select email, ssn from customers where id = 1"
        assert admin.execute(query).fetchone() == ("ada.lovelace@example.com", "078-05-1120")
        assert clerk.execute(query).fetchone() == ("ada.lovelace@example.com", "****")
