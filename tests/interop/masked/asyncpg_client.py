"""asyncpg: everything binary and prepared, with its introspection of types."""

import asyncio
import json
import sys

import asyncpg


async def main(to):
    people = to["schema"] + ".people"
    seen = {}
    connection = await asyncpg.connect(host=to["host"], port=to["port"], user=to["user"],
                                       password=to["password"], database=to["database"], ssl=False)
    seen["rows"] = str([tuple(row) for row in await connection.fetch(
        f"select * from {people} order by id")])
    statement = await connection.prepare(f"select email, salary, born, card from {people} where id = $1")
    seen["prepared"] = str([tuple(await statement.fetchrow(i % 3 + 1)) for i in range(10)])
    seen["attributes"] = str([(a.name, a.type.name) for a in statement.get_attributes()])
    seen["cached"] = [str(await connection.fetchval(f"select email from {people} where id = $1", i))
                      for i in (1, 2, 3, 1, 2, 3)]
    seen["composite"] = str(await connection.fetchval(f"select p::text from {people} p where id = 1"))
    seen["array"] = str(await connection.fetchval(f"select array_agg(p::text order by id) from {people} p"))
    async with connection.transaction():
        seen["cursor"] = str([tuple(row) async for row in connection.cursor(
            f"select email from {people} order by id", prefetch=1)])
    out = bytearray()

    async def keep(data):
        out.extend(data)

    for form in ("csv", "binary", "text"):
        await connection.copy_from_query(f"select * from {people} order by id", output=keep, format=form)
    await connection.copy_from_table("people", schema_name=to["schema"], columns=["email"], output=keep)
    seen["copied"] = bytes(out).hex()
    await connection.close()
    print(json.dumps(seen))


asyncio.run(main(json.loads(sys.argv[1])))
