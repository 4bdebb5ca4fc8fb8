"""Starts the real `numdesk serve --sandbox` as a process tree of its own, speaks its sandbox API,
and kills it as crashes do."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

#: A first start makes a cluster and seeds it; the machine may be busy.
READY_WITHIN_S = 90.0
STOPPED_WITHIN_S = 30.0
ASK_EVERY_S = 0.02
#: Longer than the server itself goes on with what a moved clock made due (a minute) before it
#: answers.
ANSWERED_WITHIN_S = 100.0
#: What needs no work is answered after so long, however busy the machine is.
ANSWERED_AT_ONCE_S = 60.0
MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - only looked for; the folder in it is made by mkdtemp
MEMORY_DISK_FREE_MIN = 3 * 1024**3
DIALECT = "smscode"
SANDBOX = "/sandbox/v1"


class ServerFailed(AssertionError):
    """The server did not do what a test needs before it can begin.

    The text ends with what the server wrote.
    """


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer of the sandbox and how to speak as them."""

    id: int
    base_url: str
    token: str
    balance: int

    @property
    def headers(self) -> dict[str, str]:
        """What every call of theirs carries."""
        return {"authorization": f"Bearer {self.token}"}


def make_folder() -> Path:
    """Makes a temporary folder on the fastest disk with room, open for the user that the database
    runs as."""
    place = None
    with contextlib.suppress(OSError):
        if shutil.disk_usage(MEMORY_DISK).free > MEMORY_DISK_FREE_MIN:
            place = MEMORY_DISK
    folder = Path(tempfile.mkdtemp(prefix="numdesk-e2e-", dir=place))
    folder.chmod(0o711)
    return folder


def copy_data(data: Path, folder: Path) -> None:
    """Copies the data folder of a stopped server, owners and all, which the standard library would
    not keep."""
    subprocess.run(["cp", "-a", f"{data}/.", str(folder)], check=True)  # noqa: S607 - cp is everywhere


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """Yields a port at which nobody listens and that nobody else is given meanwhile: a socket has
    it that never listens itself.

    On Linux a server of ours may listen there all the same; elsewhere it might not, and the port is
    only one that was free just now.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        if sys.platform != "linux":
            holder.close()
        yield port


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns our environment without settings of numdesk, and with `extra`.

    Nobody listens for operators unless that says so.
    """
    own = {
        name: value
        for name, value in psutil.Process().environ().items()
        if not name.startswith("NUMDESK_")
    }
    return {**own, "NUMDESK_OPS_LISTEN": "off", **(extra or {})}


def command(*arguments: str, after: str = "") -> list[str]:
    """Returns the command line of a numdesk command, run by a shell that first does `after`, such
    as "umask 000"."""
    own = [sys.executable, "-m", "numdesk", *arguments]
    return ["sh", "-c", f'{after}; exec "$@"', "sh", *own] if after else own


def run_command(
    *arguments: str,
    after: str = "",
    env: Mapping[str, str] | None = None,
    within_s: float = ANSWERED_WITHIN_S,
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end and returns what it wrote."""
    line = command(*arguments, after=after)
    return subprocess.run(
        line, env=environment(env), capture_output=True, text=True, check=False, timeout=within_s
    )


@contextlib.contextmanager
def serving(*, template: Path | None = None, **options: Any) -> Iterator[Server]:
    """Yields a running server, on a copy of a stopped one's data folder if there is one.

    Stops and removes it afterwards.
    """
    folder = make_folder()
    if template is not None:
        copy_data(template, folder)
    server = Server(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.close()


class Server:
    """One numdesk on a port and in a data folder of its own. Every method waits.

    Use a thread where that is in the way.
    """

    def __init__(
        self,
        data: Path,
        *,
        workers: int = 1,
        env: Mapping[str, str] | None = None,
        public: bool = False,
        after: str = "",
        output: int = -1,
    ) -> None:
        """Choose the port; nothing runs before `start`. A `public` one listens on every address.

        A shell first does what `after` says. `output` is a descriptor for what the server writes,
        instead of its file.
        """
        self.data = data
        self._after = after
        self._descriptor = output
        self._reserved = (
            contextlib.ExitStack()
        )  # until `close`, so also between a kill and the next start
        self.port = self._reserved.enter_context(reserved_port())
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.ops_port = self._reserved.enter_context(reserved_port())
        self.ops_url = f"http://127.0.0.1:{self.ops_port}"
        self.env = {"NUMDESK_OPS_LISTEN": f"127.0.0.1:{self.ops_port}", **(env or {})}
        self._workers = workers
        self._listen = (
            [f"0.0.0.0:{self.port}", "--public-sandbox"] if public else [f"127.0.0.1:{self.port}"]
        )
        self._output = data.with_name(data.name + ".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(
            base_url=self.base_url, timeout=ANSWERED_WITHIN_S, trust_env=False
        )

    @property
    def pid(self) -> int:
        """The process that was started."""
        assert self._process is not None, "the server was not started"
        return self._process.pid

    def start(self) -> float:
        """Starts the server and returns after how many seconds it was ready."""
        arguments = [
            "serve",
            "--sandbox",
            "--data",
            str(self.data),
            "--workers",
            str(self._workers),
            "--listen",
            *self._listen,
        ]
        started = time.monotonic()
        with self._output.open("ab") as output:
            to = output if self._descriptor < 0 else self._descriptor
            line = command(*arguments, after=self._after)
            self._process = subprocess.Popen(line, env=environment(self.env), stdout=to, stderr=to)
        return self.wait_ready(since=started)

    def wait_ready(self, *, since: float | None = None) -> float:
        """Waits until /readyz says yes and returns how many seconds that took (from `since`, a time
        of time.monotonic())."""
        began = time.monotonic() if since is None else since
        while time.monotonic() - began < READY_WITHIN_S:
            if self._process is None or self._process.poll() is not None:
                raise ServerFailed(
                    f"the server ended before it was ready:\n{self.output()[-3000:]}"
                )
            if self.is_ready():
                return time.monotonic() - began
            time.sleep(ASK_EVERY_S)
        raise ServerFailed(
            f"the server was not ready within {READY_WITHIN_S} s:\n{self.output()[-3000:]}"
        )

    def is_ready(self) -> bool:
        """Asks /readyz once."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWERED_AT_ONCE_S)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def is_running(self) -> bool:
        """Does the process that was started live?"""
        return self._process is not None and self._process.poll() is None

    def output(self) -> str:
        """Returns what the server wrote so far."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def stop(self) -> int:
        """Asks the server to stop, waits for it, and returns its exit code."""
        assert self._process is not None, "the server was not started"
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired as error:
            self.kill9()
            raise ServerFailed(
                f"the server did not stop within {STOPPED_WITHIN_S} s:\n{self.output()[-3000:]}"
            ) from error

    def close(self) -> None:
        """Stops the server if it runs, and removes what it left."""
        self._client.close()
        if self.is_running():
            self.stop()
        self._reserved.close()
        shutil.rmtree(self.data, ignore_errors=True)
        self._output.unlink(missing_ok=True)

    def kill9(self) -> None:
        """Kills every process of the server at once, except the database, which is left to notice
        by itself."""
        assert self._process is not None, "the server was not started"
        own = psutil.Process(self._process.pid)
        family = [own, *(child for child in own.children(recursive=True) if _is_numdesk(child))]
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        psutil.wait_procs(family[1:], timeout=10)

    def postmaster(self) -> int:
        """Returns the process id of the embedded PostgreSQL's first process."""
        return int((self.data / "postgres" / "postmaster.pid").read_text().splitlines()[0])

    def postmaster_or_none(self) -> int | None:
        """Returns that process id, None while nobody has written it."""
        with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
            return self.postmaster()
        return None

    def kill9_postgres(self) -> int:
        """Kills the embedded PostgreSQL's first process and returns its process id.

        The others of it end by themselves.
        """
        pid = self.postmaster()
        psutil.Process(pid).kill()
        return pid

    def restart(self) -> float:
        """Stops the server if it runs, starts it again, and returns after how many seconds it was
        ready."""
        if self.is_running():
            self.stop()
        return self.start()

    # ---- the sandbox API

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Calls the sandbox API and returns the JSON of its answer, which must be a success."""
        content = None if body is None else json.dumps(body).encode()
        answer = self._client.request(
            method, SANDBOX + path, content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def customer(self, *, balance: int | None = None, webhook_url: str | None = None) -> Customer:
        """Makes a fresh customer."""
        made = self.ask(
            "POST",
            "/customers",
            {"dialect": DIALECT, "balance": balance, "webhook_url": webhook_url},
        )
        return Customer(made["customer_id"], made["base_url"], made["token"], made["balance"])

    def message(self, to: str, text: str, *, sender: str = "Sandbox") -> int | None:
        """Lets a message arrive and returns its id."""
        return self.ask("POST", "/messages", {"to": to, "from": sender, "text": text})["message_id"]

    def advance(self, seconds: float) -> None:
        """Moves the clock, and with it everything that becomes due."""
        self.ask("POST", "/clock", {"advance_s": seconds})

    def faults(self, outcomes: Sequence[str]) -> None:
        """Scripts what the simulator's next calls meet."""
        self.ask("POST", "/faults", {"provider": "simulator", "next": list(outcomes)})

    def rate(self, value: int | None) -> None:
        """Sets the rupiah per dollar, or takes the rate away."""
        self.ask("POST", "/rates", {"pair": "USD/IDR", "rate": value})

    def inbox(self, name: str | None = None) -> list[dict[str, Any]]:
        """Returns what webhooks the sandbox's inbox received, oldest first."""
        query = "" if name is None else f"?name={name}"
        return self.ask("GET", f"/webhooks/inbox{query}")["items"]

    def inbox_url(self, name: str, query: str = "") -> str:
        """Returns the address of a box in the sandbox's inbox."""
        return f"{self.base_url}{SANDBOX}/webhooks/inbox/{name}{query}"

    def check_ledger(self) -> None:
        """Fails with the names of the rules that the ledger breaks."""
        report = self.ask("GET", "/ledger/check")
        broken = {name: check for name, check in report["checks"].items() if check["violations"]}
        assert report["ok"], f"the ledger breaks rules: {broken}"
        assert not broken, f"the ledger breaks rules: {broken}"


def _is_numdesk(process: psutil.Process) -> bool:
    """Is this one of our own, and not the database or a process that it made?"""
    with contextlib.suppress(psutil.Error):
        return process.name() != "postgres" and "numdesk" in process.cmdline()
    return False
