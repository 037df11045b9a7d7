// pgx with masked columns: each of its ways to run a query, batches, COPY.
package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	var to struct {
		Host, User, Password, Database, Schema string
		Port                                   int
	}
	if err := json.Unmarshal([]byte(os.Args[1]), &to); err != nil {
		panic(err)
	}
	ctx := context.Background()
	connection := must(pgx.Connect(ctx, fmt.Sprintf("postgres://%s:%s@%s:%d/%s?sslmode=disable",
		url.PathEscape(to.User), url.PathEscape(to.Password), to.Host, to.Port, to.Database)))
	people := to.Schema + ".people"
	seen := map[string]any{}
	all := func(rows pgx.Rows, err error) string {
		found := ""
		rows = must(rows, err)
		for rows.Next() {
			found += fmt.Sprint(must(rows.Values())) + "\n"
		}
		if rows.Err() != nil {
			panic(rows.Err())
		}
		return found
	}
	for name, mode := range map[string]pgx.QueryExecMode{
		"cache statement": pgx.QueryExecModeCacheStatement, "cache describe": pgx.QueryExecModeCacheDescribe,
		"describe": pgx.QueryExecModeDescribeExec, "exec": pgx.QueryExecModeExec,
		"simple": pgx.QueryExecModeSimpleProtocol,
	} {
		for i := range 6 {
			seen[fmt.Sprint(name, i)] = all(connection.Query(ctx,
				"select id, email, card, salary::float8, born from "+people+" where id = $1", mode, i%3+1))
		}
	}
	batch := &pgx.Batch{}
	for i := range 6 {
		batch.Queue("select email, born from "+people+" where id = $1", i%3+1)
	}
	results := connection.SendBatch(ctx, batch)
	for i := range 6 {
		seen[fmt.Sprint("batch", i)] = all(results.Query())
	}
	if err := results.Close(); err != nil {
		panic(err)
	}
	for _, form := range []string{"text", "csv", "binary"} {
		var copied bytes.Buffer
		must(connection.PgConn().CopyTo(ctx, &copied,
			"copy (select * from "+people+" order by id) to stdout (format "+form+")"))
		seen["copied "+form] = hex.EncodeToString(copied.Bytes())
	}
	connection.Close(ctx)
	text, _ := json.Marshal(seen)
	fmt.Println(string(text))
}
