// node-postgres: text and binary results, named statements, a cursor, COPY.
import { createRequire } from 'node:module';

const require = createRequire(process.env.MODULES + '/');
const pg = require('pg');
const Cursor = require('pg-cursor');
const { to: copyTo } = require('pg-copy-streams');

const to = JSON.parse(process.argv[2]);
const people = `${to.schema}.people`;
const seen = {};
const client = new pg.Client({
  host: to.host, port: to.port, user: to.user, password: to.password, database: to.database, ssl: false });
await client.connect();
seen.rows = (await client.query(`select * from ${people} order by id`)).rows;
for (const binary of [false, true]) {
  const rows = [];
  for (let i = 0; i < 9; i++) {
    const result = await client.query({
      name: `by-id-${binary}`, text: `select id, email, card, salary from ${people} where id = $1`,
      values: [i % 3 + 1], binary, rowMode: 'array' });
    rows.push(result.rows[0].map(String), result.fields.map((field) => [field.name, field.dataTypeID]));
  }
  seen[`named ${binary}`] = rows;
}
const cursor = client.query(new Cursor(`select email from ${people} order by id`));
seen.cursor = [await cursor.read(1), await cursor.read(10)];
await cursor.close();
let copied = '';
for await (const chunk of client.query(copyTo(`copy (select * from ${people} order by id) to stdout csv header`))) {
  copied += chunk.toString();
}
seen.copied = copied;
seen.several = (await client.query(`select email from ${people} where id = 1; select card from ${people} where id = 2`))
  .map((result) => result.rows);
await client.end();
console.log(JSON.stringify(seen));
