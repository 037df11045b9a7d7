import java.io.StringReader;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;
import org.postgresql.util.PSQLException;

/** JDBC: server-side prepared statements, batches, fetch sizes, COPY, and what GUIs ask. */
public class JdbcClient {
  static final Map<String, String> seen = new TreeMap<>();

  static List<String> all(ResultSet rows, String... columns) throws SQLException {
    List<String> found = new ArrayList<>();
    while (rows.next()) {
      StringBuilder line = new StringBuilder();
      for (String column : columns) line.append(rows.getString(column)).append('|');
      found.add(line.toString());
    }
    rows.close();
    return found;
  }

  public static void main(String[] arguments) throws Exception {
    String url = "jdbc:postgresql://" + arguments[0] + ":" + arguments[1] + "/" + arguments[4];
    Properties options = new Properties();
    options.setProperty("user", arguments[2]);
    options.setProperty("password", arguments[3]);
    options.setProperty("prepareThreshold", "2");
    options.setProperty("sslmode", "disable");
    if (arguments.length > 5 && !arguments[5].isEmpty()) {
      options.setProperty("sslmode", "verify-full");
      options.setProperty("sslrootcert", arguments[5]);
    }
    try (Connection connection = DriverManager.getConnection(url, options)) {
      try (Statement s = connection.createStatement()) {
        s.execute("drop schema if exists interop_jdbc cascade");
        s.execute("create schema interop_jdbc");
        s.execute("create table interop_jdbc.t (id int primary key, name text, amount numeric(10,2),"
            + " at timestamptz, tags text[], raw bytea)");
        s.execute("create index by_name on interop_jdbc.t (name)");
      }
      connection.setAutoCommit(false);
      try (PreparedStatement s = connection.prepareStatement(
               "insert into interop_jdbc.t values (?, ?, ?, ?, ?, ?)")) {
        for (int i = 0; i < 1000; i++) {
          s.setInt(1, i);
          s.setString(2, "name " + i);
          s.setBigDecimal(3, new java.math.BigDecimal(i).movePointLeft(2));
          s.setTimestamp(4, new Timestamp(0));
          s.setArray(5, connection.createArrayOf("text", new String[] {"a" + i, "b"}));
          s.setBytes(6, new byte[] {(byte) i});
          s.addBatch();
        }
        seen.put("batch", String.valueOf(s.executeBatch().length));
      }
      connection.commit();
      List<String> names = new ArrayList<>();
      try (PreparedStatement s = connection.prepareStatement(
               "select name, amount, at, tags from interop_jdbc.t where id = ?")) {
        for (int i = 0; i < 20; i++) {
          s.setInt(1, i);
          names.addAll(all(s.executeQuery(), "name", "amount", "tags"));
        }
      }
      seen.put("prepared", names.toString());
      try (Statement s = connection.createStatement()) {
        s.setFetchSize(50);
        int count = 0;
        ResultSet rows = s.executeQuery("select id from interop_jdbc.t order by id");
        while (rows.next()) count++;
        seen.put("fetched", String.valueOf(count));
      }
      Savepoint point = connection.setSavepoint();
      try (Statement s = connection.createStatement()) {
        s.execute("select 1/0");
      } catch (PSQLException error) {
        seen.put("error", error.getSQLState());
        connection.rollback(point);
      }
      connection.commit();
      connection.setAutoCommit(true);
      var copy = connection.unwrap(PGConnection.class).getCopyAPI();
      seen.put("copied in", String.valueOf(copy.copyIn(
          "copy interop_jdbc.t (id, name) from stdin", new StringReader("5000\tx\n5001\ty\n"))));
      var out = new java.io.StringWriter();
      copy.copyOut("copy (select id, name from interop_jdbc.t where id >= 5000) to stdout", out);
      seen.put("copied out", out.toString());
      try (Statement s = connection.createStatement()) {
        s.setQueryTimeout(1);
        s.execute("select pg_sleep(60)");
      } catch (PSQLException error) {
        seen.put("timeout", error.getSQLState());
      }
      try (PreparedStatement s = connection.prepareStatement(
               "update interop_jdbc.t set name = ? where id < 3 returning id")) {
        s.setString(1, "renamed");
        seen.put("returned", all(s.executeQuery(), "id").toString());
      }
      DatabaseMetaData meta = connection.getMetaData();
      seen.put("tables", all(meta.getTables(null, "interop_jdbc", "%", null),
                              "TABLE_NAME", "TABLE_TYPE").toString());
      seen.put("columns", all(meta.getColumns(null, "interop_jdbc", "t", "%"),
                               "COLUMN_NAME", "TYPE_NAME", "NULLABLE").toString());
      seen.put("keys", all(meta.getPrimaryKeys(null, "interop_jdbc", "t"), "COLUMN_NAME").toString());
      seen.put("indexes", all(meta.getIndexInfo(null, "interop_jdbc", "t", false, false),
                               "INDEX_NAME").toString());
      seen.put("schemas", String.valueOf(all(meta.getSchemas(), "TABLE_SCHEM").contains("interop_jdbc|")));
      seen.put("types", String.valueOf(all(meta.getTypeInfo(), "TYPE_NAME").size() > 50));
      seen.put("procedures", String.valueOf(
          all(meta.getFunctions(null, "pg_catalog", "lower"), "FUNCTION_NAME").size()));
      try (Statement s = connection.createStatement()) {
        s.execute("drop schema interop_jdbc cascade");
      }
    }
    StringBuilder json = new StringBuilder("{");
    for (var entry : seen.entrySet()) {
      if (json.length() > 1) json.append(", ");
      json.append('"').append(entry.getKey()).append("\": \"")
          .append(entry.getValue().replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n")
                      .replace("\t", "\\t")).append('"');
    }
    System.out.println(json.append("}"));
  }
}
