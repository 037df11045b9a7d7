"""SQLAlchemy: reflection, and reading through what it reflected."""

import json
import sys

import sqlalchemy as sa


def main(to):
    schema = to["schema"]
    url = sa.URL.create("postgresql+psycopg", to["user"], to["password"], to["host"], to["port"],
                        to["database"])
    engine = sa.create_engine(url, connect_args={"sslmode": "disable"})
    seen = {}
    inspector = sa.inspect(engine)
    seen["tables"] = sorted(inspector.get_table_names(schema))
    seen["views"] = sorted(inspector.get_view_names(schema))
    seen["definition"] = inspector.get_view_definition("mails", schema).replace(schema, "s")
    seen["sequences"] = sorted(inspector.get_sequence_names(schema))
    seen["enums"] = str(inspector.get_enums(schema)).replace(schema, "s")
    for table in seen["tables"] + seen["views"]:
        seen[f"columns of {table}"] = str([(c["name"], str(c["type"]), c["nullable"], c["default"],
                                            c["comment"]) for c in
                                           inspector.get_columns(table, schema)]).replace(schema, "s")
    for table in seen["tables"]:
        seen[f"about {table}"] = str([
            inspector.get_pk_constraint(table, schema), inspector.get_foreign_keys(table, schema),
            inspector.get_indexes(table, schema), inspector.get_unique_constraints(table, schema),
            inspector.get_check_constraints(table, schema), inspector.get_table_comment(table, schema),
        ]).replace(schema, "s")
    metadata = sa.MetaData(schema=schema)
    metadata.reflect(engine, views=True)
    people = metadata.tables[f"{schema}.people"]
    orders = metadata.tables[f"{schema}.orders"]
    with engine.connect() as connection:
        for _ in range(8):
            rows = connection.execute(sa.select(people).order_by(people.c.id)).all()
        seen["rows"] = str(rows)
        seen["joined"] = str(connection.execute(
            sa.select(people.c.email, sa.func.count(orders.c.id)).join_from(people, orders)
            .group_by(people.c.email).order_by(sa.func.count(orders.c.id), people.c.email)).all())
        seen["streamed"] = str(list(connection.execute(
            sa.select(people.c.card).order_by(people.c.id).execution_options(
                stream_results=True, yield_per=1))))
    engine.dispose()
    print(json.dumps(seen))


main(json.loads(sys.argv[1]))
