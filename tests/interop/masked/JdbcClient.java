import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;

/** JDBC: server-side prepare with binary transfer, fetch sizes, batches, COPY, and DatabaseMetaData as GUIs use it. */
public class JdbcClient {
  static final Map<String, String> seen = new TreeMap<>();
  static String schema;

  static String all(ResultSet rows) throws SQLException {
    ResultSetMetaData about = rows.getMetaData();
    StringBuilder found = new StringBuilder();
    for (int i = 1; i <= about.getColumnCount(); i++) {
      found.append(about.getColumnLabel(i)).append(' ').append(about.getColumnTypeName(i)).append(';');
    }
    while (rows.next()) {
      for (int i = 1; i <= about.getColumnCount(); i++) found.append(rows.getString(i)).append('|');
    }
    rows.close();
    return found.toString().replace(schema, "s").replaceAll("double_\\d+", "double");  // with its OID
  }

  public static void main(String[] arguments) throws Exception {
    String url = "jdbc:postgresql://" + arguments[0] + ":" + arguments[1] + "/" + arguments[4];
    schema = arguments[5];
    String people = schema + ".people";
    Properties options = new Properties();
    options.setProperty("user", arguments[2]);
    options.setProperty("password", arguments[3]);
    options.setProperty("prepareThreshold", "2");
    options.setProperty("sslmode", "disable");
    try (Connection connection = DriverManager.getConnection(url, options)) {
      StringBuilder prepared = new StringBuilder();
      try (PreparedStatement s = connection.prepareStatement(
               "select id, email, card, salary, born, at from " + people + " where id = ?")) {
        for (int i = 0; i < 12; i++) {  // binary once it is prepared by the server
          s.setInt(1, i % 3 + 1);
          prepared.append(all(s.executeQuery()));
        }
      }
      seen.put("prepared", prepared.toString());
      connection.setAutoCommit(false);
      try (PreparedStatement s = connection.prepareStatement("select email from " + people + " order by id")) {
        s.setFetchSize(1);
        for (int i = 0; i < 4; i++) seen.put("fetched " + i, all(s.executeQuery()));
      }
      connection.commit();
      connection.setAutoCommit(true);
      try (Statement s = connection.createStatement()) {
        seen.put("simple", all(s.executeQuery("select p.*, p::text from " + people + " p order by id")));
        boolean more = s.execute("select email from " + people + " where id = 1; select card from " + people
            + " where id = 2");
        seen.put("first of two", all(s.getResultSet()));
        seen.put("second of two", s.getMoreResults() ? all(s.getResultSet()) : "none");
      }
      var out = new java.io.StringWriter();
      var copy = connection.unwrap(PGConnection.class).getCopyAPI();
      copy.copyOut("copy (select * from " + people + " order by id) to stdout", out);
      seen.put("copied", out.toString());
      DatabaseMetaData meta = connection.getMetaData();
      seen.put("catalogs", all(meta.getCatalogs()));
      seen.put("schemas", all(meta.getSchemas(null, schema)));
      seen.put("table types", all(meta.getTableTypes()));
      seen.put("tables", all(meta.getTables(null, schema, "%", null)));
      seen.put("some tables", all(meta.getTables(null, schema, "p%", new String[] {"TABLE", "VIEW"})));
      seen.put("columns", all(meta.getColumns(null, schema, "%", "%")));
      seen.put("primary keys", all(meta.getPrimaryKeys(null, schema, "people")));
      seen.put("imported", all(meta.getImportedKeys(null, schema, "orders")));
      seen.put("exported", all(meta.getExportedKeys(null, schema, "people")));
      seen.put("crossed", all(meta.getCrossReference(null, schema, "people", null, schema, "orders")));
      seen.put("indexes", all(meta.getIndexInfo(null, schema, "people", false, true)));
      seen.put("rights", all(meta.getTablePrivileges(null, schema, "people")));
      seen.put("column rights", all(meta.getColumnPrivileges(null, schema, "people", "%")));
      seen.put("best row", all(meta.getBestRowIdentifier(null, schema, "people", 0, true)));
      seen.put("versions", all(meta.getVersionColumns(null, schema, "people")));
      seen.put("functions", all(meta.getFunctions(null, schema, "%")));
      seen.put("function columns", all(meta.getFunctionColumns(null, schema, "%", "%")));
      seen.put("procedures", all(meta.getProcedures(null, schema, "%")));
      seen.put("procedure columns", all(meta.getProcedureColumns(null, schema, "%", "%")));
      seen.put("types", String.valueOf(all(meta.getTypeInfo()).length() > 500));
      seen.put("user types", all(meta.getUDTs(null, schema, "%", null)));
      seen.put("client info", all(meta.getClientInfoProperties()));
      seen.put("keywords", meta.getSQLKeywords());
      seen.put("name length", String.valueOf(meta.getMaxColumnNameLength()));
      seen.put("isolation", String.valueOf(connection.getTransactionIsolation()));
      try (PreparedStatement s = connection.prepareStatement("select * from " + people)) {
        ResultSetMetaData about = s.getMetaData();  // it looks up what the columns are from
        StringBuilder columns = new StringBuilder();
        for (int i = 1; i <= about.getColumnCount(); i++) {
          columns.append(about.getColumnName(i)).append(' ').append(about.getColumnTypeName(i)).append(' ')
              .append(about.getPrecision(i)).append(' ').append(about.getScale(i)).append(';');
        }
        seen.put("described", columns.toString());
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
