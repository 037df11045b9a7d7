"""psycopg 3: text and binary, prepared, server-side, pipelined, COPY in both formats."""

import json
import sys

import psycopg


def main(to):
    people = to["schema"] + ".people"
    seen = {}
    with psycopg.connect(host=to["host"], port=to["port"], user=to["user"], password=to["password"],
                         dbname=to["database"], autocommit=True, prepare_threshold=2) as connection:
        for binary in (False, True):
            cursor = connection.cursor(binary=binary)
            for i in range(8):  # prepared from the third on
                row = cursor.execute(f"select * from {people} where id = %s", (i % 3 + 1,)).fetchone()
                seen[f"row {binary} {i}"] = str(row)
            seen[f"where {binary}"] = str(cursor.execute(
                f"select id from {people} where email like %s order by id", ("a%",)).fetchall())
            seen[f"grouped {binary}"] = str(cursor.execute(
                f"select salary, count(*), min(born), array_agg(email order by id) from {people} "
                "group by 1 order by 1").fetchall())
            seen[f"rows {binary}"] = str(cursor.execute(
                f"select p::text, to_jsonb(p) from {people} p order by id").fetchall())
        with connection.pipeline():
            cursors = [connection.execute(f"select email, card from {people} where id = %s", (i,))
                       for i in (1, 2, 3)]
        seen["pipeline"] = str([cursor.fetchall() for cursor in cursors])
        with connection.transaction(), connection.cursor("server_side") as cursor:
            cursor.execute(f"select email from {people} order by id")
            seen["server side"] = str(cursor.fetchmany(2) + cursor.fetchall())
        for form in ("text", "csv", "binary"):
            with connection.cursor().copy(
                    f"copy (select * from {people} order by id) to stdout (format {form})") as copy:
                seen[f"copied {form}"] = b"".join(bytes(part) for part in copy).hex()
        with connection.cursor().copy(f"copy {people} (email, id) to stdout") as copy:
            seen["copied table"] = sorted(bytes(part).decode() for part in copy)
        seen["types"] = str([(column.name, column.type_code, column.type_display) for column in
                             connection.execute(f"select * from {people}").description])
    print(json.dumps(seen))


main(json.loads(sys.argv[1]))
