"""What every test may ask for.

Defined in tests/support/fixtures.py, loaded by conftest.py at the root of the tree.

`database_url`  (str) a migrated database of the test's own, cloned from a template; asyncpg and
psql take it `database`      (numdesk.storage.database.pool.Database) open on `database_url` `pool`
(asyncpg.Pool) open on the same database, for arranging and for looking at what was written
`empty_database_url` (str) a database without any migration `server`
(tests.support.server.TestServer) the PostgreSQL of this run: `await server.create_database(...)`

The server is started once for the whole run, xdist workers included, and lives in memory where
there is room, with fsync off. Tests marked `soak` are left out unless pytest is given `--soak`,
which also chooses the Hypothesis profile `soak` (5,000 examples instead of 100).
"""
