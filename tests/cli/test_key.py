"""`numdesk customer key` and `numdesk webhooks`: what an operator does about one customer's
programs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from numdesk.cli import main

Command = Callable[..., Any]


@pytest.fixture
def command(
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    """Runs a command in this process and returns its JSON, or its exit code and complaint."""
    monkeypatch.setenv("NUMDESK_DATABASE_URL", database_url)
    monkeypatch.setenv("NUMDESK_DATA", str(tmp_path))

    async def run(*arguments: str) -> object:
        code = await asyncio.to_thread(main, [*arguments, "--json"])
        said = capsys.readouterr()
        return msgspec.json.decode(said.out) if code == 0 else (code, said.err)

    return run


class TestKey:
    async def test_is_made_narrow_listed_and_revoked_alone(
        self, command: Command, pool: asyncpg.Pool
    ) -> None:
        """A leaked key ends without the others; what a key may do is shown as it was asked for."""
        customer = str((await command("customer", "add", "Ann"))["customer_id"])
        rules = [
            "--scopes",
            "READ,order",
            "--networks",
            "192.0.2.0/24",
            "--methods",
            "getbalance",
            "--expires",
            "2999-01-01",
        ]
        refused = await command("customer", "key", "add", customer, *rules)
        assert refused[0] == 2
        operation = refused[1].rstrip(".\n").rpartition(" ")[2].split(",")[0]
        rules[5] = operation
        made = await command("customer", "key", "add", customer, "--name", "shop", *rules)
        first, second = await command("customer", "key", "list", customer)
        assert made["token"].startswith(second["token"].rstrip("."))
        assert (second["name"], second["scopes"], second["networks"]) == (
            "shop",
            ["read", "order"],
            ["192.0.2.0/24"],
        )
        assert (second["methods"], second["expires_at"][:10]) == ([operation], "2999-01-01")
        assert await command("customer", "key", "revoke", str(first["key_id"])) == {
            "key_id": first["key_id"],
            "revoked": True,
        }
        assert await pool.fetch("select id from api_keys where revoked_at is null") == [
            (second["key_id"],)
        ]
        assert (await command("customer", "key", "revoke", str(first["key_id"])))[0] == 2

    @pytest.mark.parametrize(
        "rules",
        [
            ("--scopes", "everything"),
            ("--networks", "192.0.2.1/24"),
            ("--expires", "2001-01-01"),
            ("--expires", "soon"),
            ("--name", ""),
            ("--dialect", "nope"),
        ],
    )
    async def test_is_not_made_of_what_cannot_be_meant(
        self, command: Command, rules: tuple[str, ...]
    ) -> None:
        """A key that is wider than its maker meant is worse than none."""
        customer = str((await command("customer", "add", "Ann"))["customer_id"])
        code, said = await command("customer", "key", "add", customer, *rules)
        assert (code, said.startswith("numdesk: "), said.count("\n")) == (2, True, 1)

    async def test_needs_a_customer(self, command: Command) -> None:
        """The number of no customer is refused, with the command that lists them."""
        for words in (("key", "add", "99"), ("key", "list", "99"), ("credit", "99", "5")):
            assert await command("customer", *words) == (
                2,
                "numdesk: There is no customer 99; `numdesk customer list` shows all.\n",
            )


class TestWebhooks:
    async def test_are_listed_and_sent_again(self, command: Command, pool: asyncpg.Pool) -> None:
        """What was given up is seen, and is due again when the operator says so."""
        customer = (await command("customer", "add", "Ann"))["customer_id"]
        assert await command("webhooks", "list", str(customer)) == []
        assert (await command("webhooks", "replay-failed", str(customer)))[0] == 2
        await _give_up_deliveries(pool, customer)
        listed = await command("webhooks", "list", str(customer))
        assert [one["state"] for one in listed] == ["given_up"] * 2
        assert (await command("webhooks", "replay", str(customer), listed[0]["delivery"]))[
            "delivery"
        ] == listed[0]["delivery"]
        assert (await command("webhooks", "replay-failed", str(customer), "--since", "2000-01-01"))[
            "count"
        ] == 1
        assert await pool.fetchval("select count(*) from webhook_deliveries where state = 0") == 2
        assert (await command("webhooks", "replay", str(customer), "whd_99"))[0] == 2
        assert (await command("webhooks", "replay", str(customer), "x"))[0] == 2

    async def test_go_where_the_operator_says(self, command: Command, tmp_path: Path) -> None:
        """Where requests are signed, webhooks are signed with the customer's newest key.

        Elsewhere with a secret that is shown.
        """
        partner = str(
            (await command("customer", "add", "Ann", "--dialect", "partner"))["customer_id"]
        )
        key = await command("customer", "key", "add", partner, "--dialect", "partner")
        made = await command("webhooks", "set", partner, "partner", "https://93.184.216.34/hook")
        assert (made["url"], made["signed"]) == ("https://93.184.216.34/hook", True)
        assert key["secret_key"] not in str(made)
        assert await command("webhooks", "show", partner, "partner") == made
        other = str((await command("customer", "add", "Bob"))["customer_id"])
        assert (
            len(
                (await command("webhooks", "set", other, "smscode", "https://93.184.216.34/"))[
                    "secret"
                ]
            )
            == 64
        )
        (tmp_path / "secret").write_text("mine\n")
        changed = await command(
            "webhooks",
            "set",
            other,
            "smscode",
            "https://93.184.216.34/",
            "--secret-file",
            str(tmp_path / "secret"),
        )
        assert changed["secret"] == "mine"
        assert (await command("webhooks", "set", other, "smscode", ""))["url"] is None
        assert (await command("webhooks", "set", other, "partner", "https://93.184.216.34/"))[
            0
        ] == 2
        assert (await command("webhooks", "set", other, "smscode", "https://127.0.0.1/"))[0] == 2


class TestCustomer:
    async def test_is_found_by_the_id_that_the_api_shows(self, command: Command) -> None:
        """An applicant writes from an address and knows one id: staff finds and approves the
        customer by them."""
        made = await command("customer", "add", "Ann", "--dialect", "partner", "--pending")
        await command("customer", "add", "Bob")
        ann, bob = await command("customer", "list")
        assert (ann["dialects"], bob["ids"], ann["email"], ann["phone"]) == (
            ["partner"],
            [],
            None,
            None,
        )
        assert ann["ids"][0].startswith("partner_")
        assert await command("customer", "approve", ann["ids"][0]) == {
            "customer_id": made["customer_id"],
            "state": "active",
        }
        assert (await command("customer", "approve", "partner_0000000000000000"))[0] == 2

    async def test_sees_which_half_of_a_key_is_which(
        self,
        command: Command,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A new key is printed with its labels."""
        assert (
            await asyncio.to_thread(main, ["customer", "add", "Ann", "--dialect", "partner"]) == 0
        )
        first, public, secret = capsys.readouterr().out.splitlines()
        assert first == "Customer 1 was added. The key, shown once:"
        assert public.startswith("api_key     pk_")
        assert secret.startswith("secret_key  sk_")


async def _give_up_deliveries(pool: asyncpg.Pool, customer_id: int) -> None:
    """Arranges an endpoint and two events that it was not told of in the end."""
    await pool.execute(
        "insert into webhook_endpoints (customer_id, dialect, url, updated_at) values ($1, "
        "'smscode', 'https://example.com/', now())",
        customer_id,
    )
    await pool.execute(
        """insert into events (customer_id, dialect, kind, document, at)
             select $1, 'smscode', 'order.expired', '{}', now() from generate_series(1, 2)""",
        customer_id,
    )
    await pool.execute("update webhook_deliveries set state = 2, attempts = 10, ended_at = now()")
