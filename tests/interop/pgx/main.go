// pgx: its statement cache, batches, COPY, cursors by row limit, and LISTEN.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	var to struct {
		Host, User, Password, Database, CA string
		Port                               int
	}
	if err := json.Unmarshal([]byte(os.Args[1]), &to); err != nil {
		panic(err)
	}
	options := "sslmode=disable"
	if to.CA != "" {
		options = "sslmode=verify-full&sslnegotiation=direct&sslrootcert=" + url.QueryEscape(to.CA)
	}
	ctx := context.Background()
	connection := must(pgx.Connect(ctx, fmt.Sprintf("postgres://%s:%s@%s:%d/%s?%s",
		url.PathEscape(to.User), url.PathEscape(to.Password), to.Host, to.Port, to.Database, options)))
	seen := map[string]any{}
	for _, sql := range []string{"drop schema if exists interop_pgx cascade", "create schema interop_pgx",
		"create table interop_pgx.t (id int, name text, at timestamptz)"} {
		must(connection.Exec(ctx, sql))
	}
	batch := &pgx.Batch{}
	for i := range 100 {
		batch.Queue("insert into interop_pgx.t values ($1, $2, $3)", i, fmt.Sprint("name ", i), time.Unix(0, 0))
	}
	batch.Queue("select count(*) from interop_pgx.t").QueryRow(func(row pgx.Row) error {
		var count int
		err := row.Scan(&count)
		seen["batch"] = count
		return err
	})
	if err := connection.SendBatch(ctx, batch).Close(); err != nil {
		panic(err)
	}
	names := []string{}
	for i := range 10 {
		var name string
		if err := connection.QueryRow(ctx, "select name from interop_pgx.t where id = $1", i).Scan(&name); err != nil {
			panic(err)
		}
		names = append(names, name)
	}
	seen["names"] = names
	rows := make([][]any, 2000)
	for i := range rows {
		rows[i] = []any{i + 1000, "copied"}
	}
	seen["copied"] = must(connection.CopyFrom(ctx, pgx.Identifier{"interop_pgx", "t"}, []string{"id", "name"},
		pgx.CopyFromRows(rows)))
	var refused *pgconn.PgError
	if _, err := connection.Exec(ctx, "select 1/0"); errors.As(err, &refused) {
		seen["error"] = refused.Code
	}
	tx := must(connection.Begin(ctx))
	must(tx.Exec(ctx, "delete from interop_pgx.t"))
	if err := tx.Rollback(ctx); err != nil {
		panic(err)
	}
	var count int
	if err := connection.QueryRow(ctx, "select count(*) from interop_pgx.t").Scan(&count); err != nil {
		panic(err)
	}
	seen["rolled back"] = count
	must(connection.Exec(ctx, "listen interop_pgx"))
	must(connection.Exec(ctx, "notify interop_pgx, 'hello'"))
	waiting, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	seen["heard"] = must(connection.WaitForNotification(waiting)).Payload
	must(connection.Exec(ctx, "drop schema interop_pgx cascade"))
	connection.Close(ctx)
	text, _ := json.Marshal(seen)
	fmt.Println(string(text))
}
