-- The demo's sample data: a small shop. Made by rule, so that every demo has the same rows.

CREATE TABLE customers (
  id         integer PRIMARY KEY,
  name       text NOT NULL,
  email      text NOT NULL UNIQUE,
  card       text NOT NULL,
  city       text NOT NULL,
  notes      jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL
);

CREATE TABLE orders (
  id          integer PRIMARY KEY,
  customer_id integer NOT NULL REFERENCES customers,
  placed_at   timestamptz NOT NULL,
  status      text NOT NULL CHECK (status IN ('open', 'paid', 'shipped', 'returned')),
  total       numeric(10, 2) NOT NULL CHECK (total > 0)
);
CREATE INDEX orders_customer_id ON orders (customer_id);

-- What nobody but the shop's own service should ever read.
CREATE TABLE credentials (
  service text PRIMARY KEY,
  login   text NOT NULL,
  secret  text NOT NULL
);

INSERT INTO customers (id, name, email, card, city, notes, created_at)
SELECT n,
       first || ' ' || last,
       lower(first) || '.' || lower(last) || '.' || n || '@example.com',
       '4000 00' || lpad((n % 100)::text, 2, '0') || ' ' || lpad((n * 7919 % 10000)::text, 4, '0')
         || ' ' || lpad((n * 104729 % 10000)::text, 4, '0'),
       (ARRAY['Berlin', 'Lyon', 'Porto', 'Turin', 'Utrecht', 'Vienna'])[n % 6 + 1],
       jsonb_build_object(
         'language', (ARRAY['de', 'fr', 'pt', 'it', 'nl'])[n % 5 + 1],
         'vip', n % 17 = 0,
         'remark', CASE WHEN n % 9 = 0
                        THEN 'calls from +49 30 555' || lpad(n::text, 4, '0') || ', prefers e-mail'
                        ELSE '' END),
       timestamptz '2025-01-01 00:00:00+00' + n * interval '37 hours'
FROM (
  SELECT n,
         (ARRAY['Ada', 'Bruno', 'Carla', 'Diego', 'Elif', 'Farid', 'Greta', 'Hugo', 'Ines',
                'Jonas'])[n % 10 + 1] AS first,
         (ARRAY['Almeida', 'Bauer', 'Costa', 'Dubois', 'Eriksen', 'Ferri', 'Gruber', 'Haas',
                'Ivanov', 'Jansen', 'Keller', 'Lopez', 'Moreau'])[n % 13 + 1] AS last
  FROM generate_series(1, 200) AS n
) AS people;

INSERT INTO orders (id, customer_id, placed_at, status, total)
SELECT n,
       n * 31 % 200 + 1,
       timestamptz '2026-01-01 00:00:00+00' + n * interval '5 hours',
       (ARRAY['open', 'paid', 'shipped', 'shipped', 'returned'])[n % 5 + 1],
       (n * 37 % 20000 + 499) / 100.0
FROM generate_series(1, 1000) AS n;

INSERT INTO credentials (service, login, secret) VALUES
  ('payments', 'shop-live', 'demo-only-payments-secret'),
  ('mail', 'shop@mail.example.com', 'demo-only-mail-secret'),
  ('warehouse', 'shop', 'demo-only-warehouse-secret');

ANALYZE customers, orders, credentials;
