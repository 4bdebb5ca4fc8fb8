"""Lets tables fail as a database in trouble would, or rows that nobody can write, and counts what
is written."""

from __future__ import annotations

import asyncpg


async def break_writes(pool: asyncpg.Pool, table: str, sqlstate: str) -> None:
    """Lets every write of a table fail with this SQLSTATE."""
    await pool.execute(
        f"""create or replace function out_of_order() returns trigger language plpgsql as
            $$ begin raise exception 'out of order' using errcode = '{sqlstate}'; end $$;
            create or replace trigger out_of_order before insert or update or delete on {table}
              for each statement execute function out_of_order()"""
    )


async def break_row(pool: asyncpg.Pool, table: str, row: int) -> None:
    """Lets every update of one row fail, as a trigger, a constraint or a fault of ours would."""
    await break_rows(pool, table, f"new.id = {row}", on="update")


async def break_rows(pool: asyncpg.Pool, table: str, condition: str, *, on: str) -> None:
    """Lets every write of this kind ("update", "delete or update") fail for the rows `new` or `old`
    of which a condition is true."""
    await pool.execute(
        f"""create or replace function out_of_order() returns trigger language plpgsql as $$ begin
              if {condition} then raise exception 'row is broken' using errcode = '23514'; end if;
              return case when tg_op = 'DELETE' then old else new end; end $$;
            create trigger out_of_order before {on}
              on {table} for each row execute function out_of_order()"""
    )


async def fix_writes(pool: asyncpg.Pool, table: str) -> None:
    """Undoes `break_writes` and `break_row`."""
    await pool.execute(f"drop trigger out_of_order on {table}")


async def count_writes(pool: asyncpg.Pool, table: str) -> None:
    """Begins to count the statements that insert into a table.

    `writes_counted` tells how many there were.
    """
    await pool.execute(
        f"""create sequence writes_counted;
            create function count_write() returns trigger language plpgsql as
              $$ begin perform nextval('writes_counted'); return null; end $$;
            create trigger count_write after insert
              on {table} for each statement execute function count_write()"""
    )


async def writes_counted(pool: asyncpg.Pool) -> int:
    """Returns how many statements have inserted into the table of `count_writes` since."""
    return await pool.fetchval(
        "select case when is_called then last_value else 0 end from writes_counted"
    )
