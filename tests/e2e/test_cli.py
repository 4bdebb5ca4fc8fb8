"""The commands as an operator types them: beside a running server, on a stopped one, and where
something is in the way."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.serving import (
    ANSWERED_WITHIN_S,
    Server,
    copy_data,
    make_folder,
    reserved_port,
    run_command,
)

pytestmark = pytest.mark.xdist_group("e2e")

EXIT_REFUSED = 2


def told(*arguments: str, data: Path) -> Any:
    """Runs a command that must succeed and returns its JSON document."""
    done = run_command(*arguments, "--data", str(data), "--json")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Fails unless the command ended with 2 and one sentence on standard error that holds all the
    words."""
    assert done.returncode == EXIT_REFUSED, done
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("numdesk: ")
    assert lines[0].endswith(".")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in lines[0]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder of the test's own."""
    made = make_folder()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def port() -> Iterator[int]:
    """A port at which nobody listens."""
    with reserved_port() as number:
        yield number


@contextmanager
def old_postgres() -> Iterator[int]:
    """Yields the port of a server that greets like PostgreSQL 12 and does nothing else."""

    def frame(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack(">i", len(body) + 4) + body

    hello = frame(b"R", struct.pack(">i", 0))
    for name, value in {
        "server_version": "12.22",
        "client_encoding": "UTF8",
        "integer_datetimes": "on",
    }.items():
        hello += frame(b"S", f"{name}\0{value}\0".encode())
    hello += frame(b"K", struct.pack(">ii", 1, 1)) + frame(b"Z", b"I")

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if (
                    struct.unpack(">ii", connection.recv(8, socket.MSG_WAITALL))[1] == 80877103
                ):  # may we speak TLS?
                    connection.sendall(b"N")
                    connection.recv(8, socket.MSG_WAITALL)
                connection.recv(4096)
                connection.sendall(hello)
                connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


class TestServeRefuses:
    """`numdesk serve` where it cannot."""

    def test_a_port_in_use(self, sandbox: Server, folder: Path) -> None:
        """Another program's port is named, and nothing is made."""
        done = run_command(
            "serve", "--sandbox", "--listen", f"127.0.0.1:{sandbox.port}", "--data", str(folder)
        )
        assert_refused(done, f"127.0.0.1:{sandbox.port}", "in use")
        assert not (folder / "postgres").exists()

    def test_a_port_in_use_with_workers(self, sandbox: Server, folder: Path) -> None:
        """The same with several processes, which could share the port by accident."""
        done = run_command(
            "serve",
            "--sandbox",
            "--workers",
            "2",
            "--listen",
            f"127.0.0.1:{sandbox.port}",
            "--data",
            str(folder),
        )
        assert_refused(done, f"127.0.0.1:{sandbox.port}", "in use")

    def test_a_data_folder_in_use(self, sandbox: Server, port: int) -> None:
        """Two servers never share a data folder, and the sentence names the one that has it."""
        done = run_command(
            "serve", "--sandbox", "--listen", f"127.0.0.1:{port}", "--data", str(sandbox.data)
        )
        assert_refused(done, str(sandbox.data), "in use", str(sandbox.pid))
        assert sandbox.is_ready()

    def test_a_database_that_does_not_answer(self, folder: Path, port: int) -> None:
        """An unreachable database is named without its password."""
        with reserved_port() as nobodys:
            url = f"postgresql://desk:hush@127.0.0.1:{nobodys}/desk"
            done = run_command(
                "serve",
                "--listen",
                f"127.0.0.1:{port}",
                "--data",
                str(folder),
                env={"NUMDESK_DATABASE_URL": url},
            )
        assert_refused(done, "does not answer", "127.0.0.1")
        assert "hush" not in done.stderr

    def test_a_database_that_is_too_old(self, folder: Path, port: int) -> None:
        """A PostgreSQL older than what the SQL needs is refused by its version."""
        with old_postgres() as theirs:
            url = f"postgresql://desk@127.0.0.1:{theirs}/desk?sslmode=disable"
            done = run_command(
                "serve",
                "--listen",
                f"127.0.0.1:{port}",
                "--data",
                str(folder),
                env={"NUMDESK_DATABASE_URL": url},
            )
        assert_refused(done, "version 12", "15")

    def test_a_setting_that_cannot_be_used(self, folder: Path) -> None:
        """A mistake in the environment is named with what is allowed."""
        done = run_command("serve", "--data", str(folder), env={"NUMDESK_RATE_LIMITS": "maybe"})
        assert_refused(done, "NUMDESK_RATE_LIMITS", "on or off")

    @pytest.mark.parametrize(
        "arguments",
        [["--listen", "here"], ["--workers", "0"], ["--workers", "17"], ["--colour"]],
        ids=str,
    )
    def test_arguments_that_cannot_be_meant(self, folder: Path, arguments: list[str]) -> None:
        """A wrong argument ends with 2 and no traceback."""
        done = run_command("serve", "--data", str(folder), *arguments)
        assert done.returncode == EXIT_REFUSED
        assert "Traceback" not in done.stderr


def test_a_missing_key_file_is_refused_and_nothing_is_overwritten(
    seeded_data: Path, folder: Path, port: int
) -> None:
    """A server whose key file is gone does not make a new one, because nothing sealed could be
    opened with it."""
    copy_data(seeded_data, folder)
    (folder / "secret.key").rename(folder / "kept.key")
    done = run_command("serve", "--sandbox", "--listen", f"127.0.0.1:{port}", "--data", str(folder))
    assert_refused(done, "secret.key")
    assert not (folder / "secret.key").exists()


class TestBesideAServer:
    """Commands while the server runs."""

    def test_a_customer_is_added_credited_and_calls(self, sandbox: Server) -> None:
        """The token that was shown works at once, credit with one reference counts once, and the
        balance is their sum."""
        made = told("customer", "add", "Ann", "--credit", "1000", data=sandbox.data)
        customer = str(made["customer_id"])
        for _ in range(2):
            told(
                "customer", "credit", customer, "500", "--reference", "invoice 7", data=sandbox.data
            )
        headers = {"authorization": f"Bearer {made['token']}"}
        answer = httpx.get(
            f"{sandbox.base_url}/v1/balance",
            headers=headers,
            timeout=ANSWERED_WITHIN_S,
            trust_env=False,
        )
        assert answer.json() == {"success": True, "data": {"currency": "IDR", "balance": 1500}}

    def test_a_credit_for_nobody_is_refused(self, sandbox: Server) -> None:
        """A customer that never was is named."""
        done = run_command("customer", "credit", "2000000000", "5", "--data", str(sandbox.data))
        assert_refused(done, "2000000000")

    def test_numbers_loaded_twice_are_there_once(self, sandbox: Server, tmp_path: Path) -> None:
        """The same list again changes nothing, and a bad line is told by its number while the good
        ones are taken."""
        numbers = tmp_path / "numbers.csv"
        numbers.write_text(
            "msisdn,country\n" + "".join(f"62899{serial:07},ID\n" for serial in range(300))
        )
        first = told("stock", "load", str(numbers), data=sandbox.data)
        again = told("stock", "load", str(numbers), data=sandbox.data)
        assert (first["changed"], first["unchanged"], first["bad"]) == (300, 0, 0)
        assert (again["changed"], again["unchanged"], again["bad"]) == (0, 300, 0)
        numbers.write_text("msisdn,country\n628990000001,ID\nhello,ID\n628999999999,ID\n")
        done = run_command("stock", "load", str(numbers), "--data", str(sandbox.data), "--json")
        facts = json.loads(done.stdout)
        assert (done.returncode, facts["changed"], facts["unchanged"], facts["bad"]) == (1, 1, 1, 1)
        assert facts["errors"][0]["line"] == 3

    def test_the_ledger_is_checked(self, sandbox: Server) -> None:
        """The command proves what the sandbox API proves, in JSON and for people."""
        facts = told("ledger", "check", data=sandbox.data)
        assert facts["ok"] is True
        assert facts["checks"]
        assert all(check["violations"] == 0 for check in facts["checks"].values())
        done = run_command("ledger", "check", "--data", str(sandbox.data))
        assert done.returncode == 0
        assert "in order" in done.stdout

    def test_the_doctor_finds_a_healthy_server_well(self, sandbox: Server) -> None:
        """Nothing has to be mended at a server that just runs."""
        facts = told("doctor", data=sandbox.data)
        assert facts["ok"] is True
        assert facts["checks"]

    def test_help_names_every_command(self) -> None:
        """`numdesk --help` lists what there is."""
        done = run_command("--help")
        assert done.returncode == 0
        for name in (
            "serve",
            "migrate",
            "customer",
            "stock",
            "ledger",
            "doctor",
            "backup",
            "restore",
        ):
            assert name in done.stdout


def test_a_backup_comes_back_whole(sandbox: Server, tmp_path: Path, folder: Path) -> None:
    """What a running server is backed up as is served again elsewhere, with the same tokens, money,
    orders and secrets."""
    customer = sandbox.customer(balance=50_000, webhook_url=sandbox.inbox_url("backup"))
    with httpx.Client(
        base_url=sandbox.base_url,
        headers=customer.headers,
        timeout=ANSWERED_WITHIN_S,
        trust_env=False,
    ) as client:
        product = client.get("/v1/catalog/products?country_id=6&platform_id=1").json()["data"][0][
            "id"
        ]
        assert client.post("/v1/orders/create", json={"product_id": product}).status_code == 200
        before = [
            client.get(path).json()["data"] for path in ("/v1/balance", "/v1/orders", "/v1/webhook")
        ]
    file = tmp_path / "desk.backup"
    assert (
        told("backup", str(file), "--with-keys", data=sandbox.data)["bytes"] == file.stat().st_size
    )
    assert file.stat().st_mode & 0o077 == 0
    assert_refused(run_command("backup", str(file), "--data", str(sandbox.data)), "exists already")
    assert told("restore", str(file), data=folder)["key_file"] is True
    assert_refused(run_command("restore", str(file), "--data", str(folder)), "not empty")
    assert_refused(run_command("restore", __file__, "--data", str(folder)), "is not a backup")
    restored = Server(folder)
    try:
        restored.start()
        with httpx.Client(
            base_url=restored.base_url,
            headers=customer.headers,
            timeout=ANSWERED_WITHIN_S,
            trust_env=False,
        ) as client:
            after = [
                client.get(path).json()["data"]
                for path in ("/v1/balance", "/v1/orders", "/v1/webhook")
            ]
        restored.check_ledger()
    finally:
        restored.close()
    for data in (before, after):
        for order in data[1]:  # which clock is looked at decides what may be done by now
            (
                order.pop("can_cancel"),
                order.pop("can_replace"),
                order.pop("cancel_available_at"),
                order.pop("replace_available_at"),
            )
    assert after == before


def test_a_stop_lets_what_has_begun_come_to_its_end(start_server: Any) -> None:
    """SIGTERM ends with 0 in good time, although a supplier is just being asked, and the answer
    still arrives."""
    server = start_server(
        env={"NUMDESK_RATE_LIMITS": "off"}
    )  # looking takes as many requests as it takes
    customer = server.customer()
    answers: list[httpx.Response] = []
    with httpx.Client(
        base_url=server.base_url,
        headers=customer.headers,
        timeout=ANSWERED_WITHIN_S,
        trust_env=False,
    ) as client:
        product = client.get("/v1/catalog/products?country_id=6&platform_id=1").json()["data"][-1][
            "id"
        ]
        funds = client.get("/v1/balance").json()["data"]["balance"]
        server.faults(["reserve:slow"])

        def buy() -> None:
            answers.append(client.post("/v1/orders/create", json={"product_id": product}))

        buying = threading.Thread(target=buy)
        buying.start()
        while not _is_busy(server, customer.headers, funds=funds):
            assert buying.is_alive(), "the order was answered before anybody could look"
        assert server.stop() == 0
        buying.join()
    assert answers[0].status_code == 200
    server.start()


def _is_busy(server: Server, headers: dict[str, str], *, funds: int) -> bool:
    """Is money of this customer held for an order, which nobody sees before its supplier has
    answered?"""
    answer = httpx.get(
        f"{server.base_url}/v1/balance", headers=headers, timeout=ANSWERED_WITHIN_S, trust_env=False
    )
    return answer.json()["data"]["balance"] < funds
