"""SQLAlchemy over psycopg 3: reflection, the ORM, streaming, two-phase savepoints."""

import json
import sys

import sqlalchemy as sa
from sqlalchemy import orm


class Base(orm.DeclarativeBase):
    metadata = sa.MetaData(schema="interop_sqlalchemy")


class Team(Base):
    __tablename__ = "team"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(50), unique=True)
    people: orm.Mapped[list["Person"]] = orm.relationship(back_populates="team")


class Person(Base):
    __tablename__ = "person"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    name: orm.Mapped[str]
    data: orm.Mapped[dict] = orm.mapped_column(sa.JSON)
    team_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey(Team.id), index=True)
    team: orm.Mapped[Team] = orm.relationship(back_populates="people")


def main(to):
    tls = {"sslmode": "verify-full", "sslrootcert": to["ca"]} if to["ca"] else {
        "sslmode": "disable"}
    url = sa.URL.create("postgresql+psycopg", to["user"], to["password"], to["host"], to["port"],
                        to["database"])
    engine = sa.create_engine(url, connect_args=tls, pool_size=3)
    seen = {}
    with engine.begin() as connection:
        connection.execute(sa.text("drop schema if exists interop_sqlalchemy cascade"))
        connection.execute(sa.schema.CreateSchema("interop_sqlalchemy"))
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        for t in range(3):
            session.add(Team(name=f"team {t}", people=[
                Person(name=f"person {t}.{p}", data={"p": p}) for p in range(40)]))
        session.commit()
        seen["joined"] = [list(row) for row in session.execute(
            sa.select(Team.name, sa.func.count(Person.id)).join(Team.people).group_by(Team.name)
            .order_by(Team.name))]
        seen["loaded"] = [len(team.people) for team in session.scalars(
            sa.select(Team).options(orm.selectinload(Team.people)).order_by(Team.id))]
        try:
            with session.begin_nested():
                session.add(Team(name="team 0"))
                session.flush()
        except sa.exc.IntegrityError as error:
            seen["refused"] = error.orig.sqlstate
        seen["after"] = session.scalar(sa.select(sa.func.count()).select_from(Team))
        seen["streamed"] = len(list(session.execute(
            sa.select(Person.id).execution_options(stream_results=True, yield_per=20))))
        person = session.scalars(sa.select(Person).order_by(Person.id)).first()
        person.name = "renamed"
        session.commit()
        seen["renamed"] = session.scalar(sa.select(Person.name).where(Person.id == person.id))
    inspector = sa.inspect(engine)
    schema = "interop_sqlalchemy"
    seen["tables"] = sorted(inspector.get_table_names(schema))
    seen["columns"] = [(c["name"], str(c["type"]), c["nullable"])
                       for c in inspector.get_columns("person", schema)]
    seen["keys"] = [f["referred_table"] for f in inspector.get_foreign_keys("person", schema)]
    seen["indexes"] = [i["name"] for i in inspector.get_indexes("person", schema)]
    seen["unique"] = [u["name"] for u in inspector.get_unique_constraints("team", schema)]
    reflected = sa.MetaData()
    reflected.reflect(engine, schema=schema)
    seen["reflected"] = sorted(reflected.tables)
    Base.metadata.drop_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.schema.DropSchema("interop_sqlalchemy"))
    engine.dispose()
    print(json.dumps(seen))


main(json.loads(sys.argv[1]))
