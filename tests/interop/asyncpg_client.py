"""asyncpg: everything binary, everything prepared."""

import asyncio
import datetime
import decimal
import json
import ssl
import sys

import asyncpg


async def main(to):
    tls = False
    if to["ca"]:
        tls = ssl.create_default_context(cafile=to["ca"])
        tls.set_alpn_protocols(["postgresql"])
    seen = {}
    connection = await asyncpg.connect(host=to["host"], port=to["port"], user=to["user"],
                                       password=to["password"], database=to["database"], ssl=tls,
                                       direct_tls=bool(to["ca"]))
    await connection.execute("drop schema if exists interop_asyncpg cascade")
    await connection.execute("create schema interop_asyncpg")
    await connection.execute("create table interop_asyncpg.t (id int primary key, name text, "
                             "amount numeric, born date, at timestamptz, data jsonb, tags text[], "
                             "raw bytea, flag bool, span interval, key uuid)")
    utc = datetime.timezone.utc
    rows = [(i, f"name {i}", decimal.Decimal(i) / 4, datetime.date(2000, 1, 1 + i % 28),
             datetime.datetime(2026, 1, 1, tzinfo=utc), json.dumps({"i": i}), [f"a{i}", "b"],
             bytes([i % 256] * 3), i % 2 == 0, datetime.timedelta(seconds=i),
             f"00000000-0000-0000-0000-{i:012}") for i in range(500)]
    await connection.executemany(
        "insert into interop_asyncpg.t values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)", rows)
    seen["rows"] = [str(tuple(row)) for row in await connection.fetch(
        "select * from interop_asyncpg.t where id < $1 order by id", 5)]
    statement = await connection.prepare("select amount from interop_asyncpg.t where id = $1")
    seen["prepared"] = [str(await statement.fetchval(i)) for i in range(20)]
    async with connection.transaction():
        seen["cursor"] = [row[0] async for row in connection.cursor(
            "select id from interop_asyncpg.t order by id", prefetch=50)]
    try:
        async with connection.transaction():
            await connection.execute("update interop_asyncpg.t set name = 'x'")
            await connection.execute("select 1/0")
    except asyncpg.DivisionByZeroError as error:
        seen["error"] = error.sqlstate
    seen["unchanged"] = await connection.fetchval("select name from interop_asyncpg.t where id = 1")
    seen["copied in"] = await connection.copy_records_to_table(
        "t", schema_name="interop_asyncpg", columns=["id", "name"],
        records=[(i, "copied") for i in range(1000, 3000)])
    out = bytearray()

    async def keep(data):
        out.extend(data)

    seen["copied out"] = await connection.copy_from_query(
        "select id from interop_asyncpg.t order by id", output=keep, format="csv")
    seen["bytes out"] = len(out)
    try:
        await connection.fetch("select pg_sleep(60)", timeout=0.5)
    except asyncio.TimeoutError:
        seen["cancelled"] = await connection.fetchval("select 'and goes on'")
    heard = asyncio.Event()
    await connection.add_listener("interop_asyncpg", lambda *_: heard.set())
    await connection.execute("notify interop_asyncpg, 'hello'")
    await asyncio.wait_for(heard.wait(), 20)
    seen["types"] = [attribute.type.name for attribute in
                     (await connection.prepare("select * from interop_asyncpg.t")).get_attributes()]
    await connection.execute("drop schema interop_asyncpg cascade")
    await connection.close()
    async with asyncpg.create_pool(host=to["host"], port=to["port"], user=to["user"], min_size=2,
                                   max_size=4, password=to["password"], database=to["database"],
                                   ssl=tls) as pool:
        seen["pool"] = await asyncio.gather(*[pool.fetchval("select $1::int + 1", i)
                                              for i in range(40)])
    print(json.dumps(seen))


asyncio.run(main(json.loads(sys.argv[1])))
