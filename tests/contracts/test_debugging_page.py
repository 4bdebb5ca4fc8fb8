"""The queries of docs/debugging.md run on the database as it is."""

import re

import asyncpg
from tests.contracts.test_docs import ROOT


async def test_every_query_of_the_page_runs(pool: asyncpg.Pool) -> None:
    """A renamed table or column is renamed on the page."""
    page = (ROOT / "docs" / "debugging.md").read_text("utf-8")
    queries = re.findall(r"`(select [^`]+)`", page)
    assert len(queries) >= 7
    for query in queries:
        await pool.fetch(query)
