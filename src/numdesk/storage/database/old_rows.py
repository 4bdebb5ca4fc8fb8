"""Old rows of tables that only grow: how they are found, and how they are forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

#: Which rows are wanted, and which are given, where a number is the key.
WANTED: LiteralString = (
    "id <> all($3::text[]::bigint[]) and ($4::text[] is null or id = any($4::text[]::bigint[]))"
)
GIVEN: LiteralString = "id = any($1::text[]::bigint[])"


@dataclass(frozen=True, slots=True)
class Old:
    """Rows of one table that are forgotten when they are old.

    `due` finds and locks the keys, as text, of up to $2 rows from before $1 that nobody else is
    using, without those in $3, and only those in $4 when it is given. `forget` are the commands
    that then delete or empty the rows in $1. Ids rise with time, so the oldest rows of a table
    without an index on a time are those with the lowest ids.
    """

    due: LiteralString
    forget: tuple[LiteralString, ...]
    #: The setting with the last id that was looked at, for a table without an index on its time.
    mark: str | None = None


def by_id(table: LiteralString, is_old: LiteralString) -> Old:
    """Return the commands for a table with a number as key; `is_old` ends with the rows' order."""
    return Old(
        f"select id::text from {table} where {WANTED} and {is_old} limit $2 for update skip locked",
        (f"delete from {table} where {GIVEN}",),
    )


def by_columns(
    table: LiteralString, is_old: LiteralString, *, key: LiteralString, same: LiteralString
) -> Old:
    """Return the commands for a table with other columns as its `key`.

    `same` compares the columns of o with the JSON array k of one key.
    """
    text: LiteralString = f"jsonb_build_array({key})::text"
    wanted: LiteralString = f"{text} <> all($3) and ($4::text[] is null or {text} = any($4))"
    return Old(
        f"select {text} from {table} where {wanted} and {is_old} limit $2 for update skip locked",
        (f"delete from {table} o using unnest($1::text[]::jsonb[]) k where {same}",),
    )
