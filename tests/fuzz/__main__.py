# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz readers with atheris, which is guided by what each text runs through: `python -m tests.fuzz --seconds 600 hcl`.

A text that a reader cannot cope with stays in the folder of the results. Fix what it shows, and keep it, as small as
it can be, in `tests/fuzz/corpus`.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for each reader")
    parser.add_argument("--results", type=Path, default=Path(".cache/fuzz"))
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("readers", nargs="*", help="all of them if none is named")
    options = parser.parse_args()
    if options.one:
        fuzz(options.readers[0], options.seconds, options.results)
        return
    from tests.fuzz.readers import READERS

    failed = [name for name in options.readers or READERS if not run(name, options.seconds, options.results)]
    if failed:
        sys.exit(f"These readers need a fix: {', '.join(failed)}. The texts are in {options.results}.")


def run(name: str, seconds: int, results: Path) -> bool:
    """Whether a reader copes with all that is tried, in a process of its own: libFuzzer ends it."""
    print(f"{name}: {seconds} seconds", flush=True)  # noqa: T201
    arguments = ["--one", "--seconds", str(seconds), "--results", str(results), name]
    return subprocess.run([sys.executable, "-m", "tests.fuzz", *arguments], check=False).returncode == 0


def fuzz(name: str, seconds: int, results: Path) -> None:
    atheris: Any = importlib.import_module("atheris")
    packages = ["ansible_collections.mlkeys", "mlkeys", "ruamel.yaml", "yaml", "dotenv"]
    with atheris.instrument_imports(include=packages):
        from tests.fuzz.readers import READERS, corpus

    warnings.simplefilter("ignore")
    grown = results / name
    grown.mkdir(parents=True, exist_ok=True)
    words = results / f"{name}.words"
    words.write_text("".join(f'"{escaped(word)}"\n' for word in READERS[name].words), encoding="ascii")
    kept = {str(path.parent) for path in corpus(name)}
    settings = ["-max_len=4096", "-timeout=30", "-rss_limit_mb=2048", f"-max_total_time={seconds}", "-verbosity=0"]
    settings += ["-print_final_stats=1", f"-dict={words}", f"-artifact_prefix={results}/{name}-"]
    atheris.Setup([sys.argv[0], *settings, str(grown), *kept], READERS[name].read)
    atheris.Fuzz()


def escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    main()
