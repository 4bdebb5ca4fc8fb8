"""Runs every bench, one after the other, and ends with one line for each promise: `bench NAME RATIO
GOAL`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    """Returns 0 when every bench ran, whatever it measured."""
    lines: list[str] = []
    broken = 0
    started = time.monotonic()
    for script in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        print(script.name, flush=True)
        with subprocess.Popen(
            [sys.executable, "-m", f"bench.{script.stem}"], stdout=subprocess.PIPE, text=True
        ) as running:
            assert running.stdout is not None
            for line in running.stdout:
                print(line, end="", flush=True)
                if line.startswith("bench "):
                    lines.append(line)
        broken += running.returncode != 0
    print(f"\nall benches in {time.monotonic() - started:.0f} s", flush=True)
    print("".join(lines), end="", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
