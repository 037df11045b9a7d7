// node-postgres with its cursors, COPY streams, a pool, and named statements.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';

const require = createRequire(process.env.MODULES + '/');
const pg = require('pg');
const Cursor = require('pg-cursor');
const { from: copyFrom, to: copyTo } = require('pg-copy-streams');

const to = JSON.parse(process.argv[2]);
const options = {
  host: to.host, port: to.port, user: to.user, password: to.password, database: to.database,
  ssl: to.ca ? { ca: readFileSync(to.ca), servername: 'localhost' } : false,
};
const seen = {};
const client = new pg.Client(options);
await client.connect();
await client.query('drop schema if exists interop_node cascade');
await client.query('create schema interop_node');
await client.query('create table interop_node.t (id int, name text, data jsonb, at timestamptz, raw bytea)');
for (let i = 0; i < 50; i++) {
  await client.query('insert into interop_node.t values ($1, $2, $3, $4, $5)',
    [i, `name ${i}`, { i }, new Date(0), Buffer.from([i])]);
}
seen.rows = (await client.query('select * from interop_node.t where id < $1 order by id', [3])).rows;
seen.several = (await client.query('select 1 as a; select 2 as b')).map((result) => result.rows);
seen.named = [];
for (let i = 0; i < 10; i++) {
  const result = await client.query({
    name: 'by-id', text: 'select name from interop_node.t where id = $1', values: [i], rowMode: 'array' });
  seen.named.push(result.rows[0][0]);
}
const cursor = client.query(new Cursor('select id from interop_node.t order by id'));
seen.cursor = (await cursor.read(7)).length + (await cursor.read(100)).length;
await cursor.close();
await pipeline(Readable.from(Array.from({ length: 2000 }, (_, i) => `${i + 100}\tcopied\n`)),
  client.query(copyFrom('copy interop_node.t (id, name) from stdin')));
let bytes = 0;
for await (const chunk of client.query(copyTo('copy (select id from interop_node.t order by id) to stdout'))) {
  bytes += chunk.length;
}
seen.copied = bytes;
await client.query('begin');
seen.error = await client.query('select 1/0').catch((error) => [error.code, error.message]);
seen.aborted = await client.query('select 1').catch((error) => error.code);
await client.query('rollback');
const heard = new Promise((resolve) => client.once('notification', (one) => resolve(one.payload)));
await client.query('listen interop_node');
await client.query(`select pg_notify('interop_node', 'hello')`);
seen.heard = await heard;
await client.query('drop schema interop_node cascade');
await client.end();
const pool = new pg.Pool({ ...options, max: 4, statement_timeout: 30000 });
seen.pool = await Promise.all(Array.from({ length: 40 }, async (_, i) =>
  (await pool.query('select $1::int + 1 as n', [i])).rows[0].n));
await pool.end();
console.log(JSON.stringify(seen));
