"""pgcli: all that it asks for when it starts and completes, and its backslash commands."""

import json
import sys

from pgcli.pgexecute import PGExecute
from pgspecial.main import PGSpecial


def main(to):
    schema = to["schema"]
    seen = {}
    client = PGExecute(database=to["database"], user=to["user"], password=to["password"],
                       host=to["host"], port=to["port"])
    special = PGSpecial()
    seen["path"] = str(client.search_path())
    seen["schemata"] = schema in client.schemata()
    mine = lambda rows: sorted(str(row) for row in rows if schema in str(row))  # noqa: E731
    for name in ("tables", "views", "table_columns", "view_columns"):
        seen[name] = mine(getattr(client, name)())
    seen["databases"] = len(list(client.databases()))
    seen["foreign keys"] = mine(client.foreignkeys())
    seen["functions"] = len(list(client.functions()))
    seen["datatypes"] = len(list(client.datatypes()))
    seen["casing"] = len(list(client.casing()))
    seen["view definition"] = client.view_definition(schema + ".mails")
    for command in (f"\\d {schema}.people", f"\\d+ {schema}.people", f"\\d {schema}.mails",
                    f"\\dt+ {schema}.*", f"\\dv {schema}.*", f"\\df {schema}.*", f"\\dn+ {schema}", "\\du", "\\l",
                    f"\\di {schema}.*", f"\\ds {schema}.*", "\\dT", "\\dx",
                    f"select * from {schema}.people order by id"):
        for title, rows, headers, status, *_ in client.run(command, pgspecial=special):
            seen[command.replace(schema, "s")] = str([title, list(rows or []), headers, status])
    print(json.dumps({key: json.loads(json.dumps(value).replace(schema, "s"))
                      for key, value in seen.items()}))


main(json.loads(sys.argv[1]))
