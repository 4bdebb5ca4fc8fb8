"""`numdesk topup` and `numdesk provider`: what an operator does about payments and the keys they
need."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import asyncpg
import msgspec
import pytest

from numdesk.cli import main
from numdesk.cli.topup_output import NEXT
from numdesk.domain.payments.topups import Doubt
from numdesk.kit.keyfile import KeyFile

SETUP = """
insert into customers (name, state, created_at) values ('Payer', 1, now());
insert into accounts (kind, owner, currency, live) select 'wallet', id, 'EUR', true from customers;
insert into topups (public_id, customer_id, dialect, provider, currency, amount, final_amount,
  discount_bp, policy, state, invoice_id,
                    created_at, expires_at)
  select 'inv_1', id, 'partner', 'cryptomus', 'EUR', 50000, 45000, 1000, '{}', 8, 'g', now(), now()
    from customers;
insert into topup_payments (topup_id, provider, payment_id, facts, heard_at, doubt)
  select id, provider, 'p',
    '{"payment_id": "p", "invoice_id": "g", "reference": "inv_1", "status": "paid", "gateway_status": "paid",
                              "amount": "450.00", "currency":
                                "EUR"}', now(), 'no_amounts' from topups;
"""


@pytest.fixture(autouse=True)
async def _on_this_database(
    database_url: str, pool: asyncpg.Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Points the command at the database of the test, which has a customer with a top-up that is
    held."""
    monkeypatch.setenv("NUMDESK_DATABASE_URL", database_url)
    monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))
    KeyFile.load_or_create(tmp_path / "secret.key", may_create=True)
    await pool.execute(SETUP)


async def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int | None = 0) -> str:
    """Runs a command and returns what it wrote."""
    assert await asyncio.to_thread(main, list(arguments)) == code or code is None
    written = capsys.readouterr()
    return written.out or written.err


class TestTopUp:
    async def test_shows_what_is_held_and_why(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The list names the invoice, the page about it the payment and the doubt."""
        (one,) = msgspec.json.decode(await run(capsys, "topup", "list", "--held", "--json"))
        assert (one["invoice"], one["state"], one["amount"], one["to_pay"]) == (
            "inv_1",
            "held",
            50_000,
            45_000,
        )
        shown = msgspec.json.decode(await run(capsys, "topup", "show", "inv_1", "--json"))
        assert [(payment["payment"], payment["doubt"]) for payment in shown["payments"]] == [
            ("p", "no_amounts")
        ]
        assert "no_amounts" in await run(capsys, "topup", "show", "inv_1")

    async def test_shows_the_gateways_word_the_money_and_what_to_do(
        self, capsys: pytest.CaptureFixture[str], pool: asyncpg.Pool
    ) -> None:
        """A payment of an odd status is listed with the word itself, what came of what was due, and
        the next step; doctor counts it."""
        facts = {
            "status": "unknown",
            "gateway_status": "under_review",
            "paid": "121",
            "due": "120",
            "payer_currency": "USDT",
        }
        await pool.execute(
            "update topup_payments set doubt = 'status', facts = facts || $1::text::jsonb",
            msgspec.json.encode(facts).decode(),
        )
        ((one,),) = [
            topup["payments"]
            for topup in msgspec.json.decode(await run(capsys, "topup", "list", "--held", "--json"))
        ]
        assert [one[name] for name in ("gateway_status", "paid", "due", "coin", "doubt")] == [
            "under_review",
            "121",
            "120",
            "USDT",
            "status",
        ]
        assert one["next"] == NEXT[Doubt.STATUS]
        for name in ("list --held", "show inv_1"):
            assert "under_review" in await run(capsys, "topup", *name.split())
        checks = msgspec.json.decode(await run(capsys, "doctor", "--json", code=None))["checks"]
        (found,) = [check for check in checks if check["name"] == "top-ups"]
        assert (found["state"], "1 payments wait for staff (1 status)" in found["text"]) == (
            "warn",
            True,
        )

    async def test_knows_what_to_do_about_every_doubt(self) -> None:
        """Whatever is doubted has a next step."""
        assert set(NEXT) == set(Doubt)

    async def test_writes_off_what_went_back(
        self, capsys: pytest.CaptureFixture[str], pool: asyncpg.Pool
    ) -> None:
        """A payment that was sent back waits for nobody and is in nobody's books."""
        assert "refunded" in await run(capsys, "topup", "write-off", "inv_1")
        assert (
            await pool.fetchval("select count(*) from topup_payments where doubt is not null") == 0
        )

    async def test_approves_for_what_somebody_says_it_is_worth(
        self, capsys: pytest.CaptureFixture[str], pool: asyncpg.Pool
    ) -> None:
        """Without a worth that can be told the command asks for one.

        With it the wallet has the credit.
        """
        assert "worth" in await run(capsys, "topup", "approve", "inv_1", code=2)
        assert "500.00 EUR credited, 500.00 EUR ordered" in await run(
            capsys, "topup", "approve", "inv_1", "--worth", "45000"
        )
        assert await pool.fetchval("select balance from accounts where kind = 'wallet'") == 50_000
        await run(capsys, "topup", "approve", "inv_1", "--worth", "45000", code=2)

    async def test_refuses(self, capsys: pytest.CaptureFixture[str], pool: asyncpg.Pool) -> None:
        """A refused payment brings nothing and waits for nobody."""
        assert "refused" in await run(capsys, "topup", "refuse", "inv_1")
        assert (
            await pool.fetchval("select count(*) from topup_payments where doubt is not null") == 0
        )
        assert await run(capsys, "topup", "list", "--held") == "No top-ups.\n"

    async def test_collects_what_is_owed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Nothing is owed, nothing is collected."""
        assert msgspec.json.decode(await run(capsys, "topup", "collect", "inv_1", "--json")) == {
            "invoice": "inv_1",
            "collected": 0,
        }

    @pytest.mark.parametrize(
        "given", ["show inv_9", "compare --days 0", "compare --gateway paypal", "list --limit 0"]
    )
    async def test_says_what_is_wrong(self, capsys: pytest.CaptureFixture[str], given: str) -> None:
        """A top-up, span or gateway that is not there is refused in one sentence."""
        assert (await run(capsys, "topup", *given.split(), code=2)).startswith("numdesk: ")

    @pytest.mark.parametrize("given", ["settle inv_1", "compare --gateway cryptomus"])
    async def test_says_where_the_gateways_of_a_sandbox_live(
        self,
        capsys: pytest.CaptureFixture[str],
        pool: asyncpg.Pool,
        monkeypatch: pytest.MonkeyPatch,
        given: str,
    ) -> None:
        """Beside a sandbox that listens elsewhere the command names the setting, not only that
        nobody answered."""
        await pool.execute("insert into settings (name, value) values ('mode', '\"sandbox\"')")
        monkeypatch.setenv("NUMDESK_LISTEN", "127.0.0.1:9")
        said = await run(capsys, "topup", *given.split(), code=2)
        assert "127.0.0.1:9" in said
        assert "NUMDESK_LISTEN" in said


class TestProvider:
    async def test_keeps_keys_sealed_and_uses_them(
        self,
        capsys: pytest.CaptureFixture[str],
        pool: asyncpg.Pool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """A key is read from standard input, is in the database only sealed, is listed without its
        value, and makes a gateway known."""
        for name, value in (("merchant", "m-1"), ("payment_key", "very-secret")):
            monkeypatch.setattr("sys.stdin", io.StringIO(f"{value}\n"))
            await run(capsys, "provider", "set", "cryptomus", name)
        kept = await pool.fetch("select sealed from provider_settings")
        assert len(kept) == 2
        assert all(b"very-secret" not in bytes(row["sealed"]) for row in kept)
        listed = await run(capsys, "provider", "list")
        assert "payment_key" in listed
        assert "very-secret" not in listed
        # Nobody answers there, so the comparison fails; but it is a gateway now, which it was not
        # without its keys.
        monkeypatch.setenv("NUMDESK_PROVIDER_CRYPTOMUS_BASE_URL", "http://127.0.0.1:9")
        assert "no gateway" not in await run(
            capsys, "topup", "compare", "--gateway", "cryptomus", code=2
        )
        await run(capsys, "provider", "unset", "cryptomus", "merchant")
        await run(capsys, "provider", "unset", "cryptomus", "merchant", code=2)
