# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Record a terminal session with the command mlkeys, as the SVG of the README and of the landing page.

The session is real: each command runs on a development server. Only what is random is replaced, the texts of
ciphertexts and fingerprints, so that a recording changes only when the output of a command does. Run it with
`nox -s recording`. `make docs` compares its result with the recording in the repository.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

#: As many as the table of `mlkeys status` needs, so that a telephone can show the letters as large as possible.
COLUMNS = 76
#: More lines than these scroll, as in a terminal.
ROWS = 8
TITLE = "mlkeys"
#: How wide pages show it, in pixels, if they have the room: its letters are then as large as those of code.
WIDTH = 640

#: What is shown as typed, and what the shell runs instead where a person would answer a question.
STEPS = (
    (
        "mlkeys set keys.transit.yml openai_api_key --key ml-api-key --create-key",
        "printf sk-FAKE-of-the-recording | {} 2>&1",
    ),
    ("head -n 2 keys.transit.yml | cut -c -72", "{}"),
    ("mlkeys run -- sh -c 'echo \"The program has a key of ${#OPENAI_API_KEY} characters.\"'", "{}"),
    ("mlkeys rotate -i inventory.yml --key transit/ml-api-key --now", "{}"),
    ("mlkeys status -i inventory.yml", "{}"),
)
INVENTORY = "all:\n  hosts:\n    localhost:\n      ansible_connection: local\n      vault_transit_host_paths: []\n"

# The seconds between the end of the output of one command and the next command, and until the output of a command.
READING, RUNNING = 2.2, 1.2

# The height of a line, in pixels of the drawing.
_LINE = 24.4

_RANDOM = re.compile(r"(vault:v\d+:)[\w+/=]+|(sha256:)[0-9a-f]+")
_STAND_IN = "bWxrZXlzIGtlZXBzIEFQSSBrZXlzIGVuY3J5cHRlZA+/"


def main(target: Path) -> None:
    """Write the recording to a file."""
    target.write_text(_drawing(list(_session())), encoding="utf-8")


def _session() -> Iterator[tuple[str, str]]:
    """Each command with its output. A failure of one is an error."""
    with tempfile.TemporaryDirectory(prefix="mlkeys-recording-") as folder:
        Path(folder, "inventory.yml").write_text(INVENTORY, encoding="utf-8")
        tools = Path(sys.executable).parent
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("BAO_", "VAULT_"))},
            "PATH": f"{tools}:{os.environ['PATH']}",
            "COLUMNS": str(COLUMNS),
            "ANSIBLE_LOCALHOST_WARNING": "0",
        }
        dev = [tools / "mlkeys", "dev"]
        server = partial(subprocess.run, cwd=folder, env=environment, check=True, capture_output=True)
        server([*dev, "--detach", "--state", "bao"])
        try:
            for variable, name in (("BAO_ADDR", "address"), ("BAO_TOKEN", "token")):
                environment[variable] = Path(folder, "bao", name).read_text(encoding="ascii").strip()
            for shown, run in STEPS:
                ran = subprocess.run(
                    ["/bin/bash", "-euo", "pipefail", "-c", run.replace("{}", shown)],
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if ran.returncode:
                    sys.exit(f"{shown} exits with {ran.returncode}:\n{ran.stdout}{ran.stderr}")
                yield shown, _without_chance(ran.stdout)
        finally:
            server([*dev, "--stop", "--state", "bao"])


def _without_chance(output: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        prefix = found[1] or found[2]
        length = len(found[0]) - len(prefix)
        return prefix + (_STAND_IN * (length // len(_STAND_IN) + 1))[:length]

    return _RANDOM.sub(replaced, output)


def _drawing(session: list[tuple[str, str]]) -> str:
    """The session as an SVG whose lines appear one step after the other, all of it within about 20 seconds.

    The first command is there from the start: a picture that begins empty looks broken. Without motion, it shows the
    last lines.
    """
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    delays: list[float] = []
    clock = 0.0
    for shown, output in session:
        for text, style, seconds in ((f"$ {shown}", "bold", RUNNING), (output.strip("\n").rstrip(), "", READING)):
            lines = Text(text, style=style).wrap(console, COLUMNS)
            for line in lines:
                line.rstrip()
                console.print(line)
            delays += [clock] * len(lines)
            clock += seconds
        console.print()
        delays.append(clock)
    # The fonts of the reader: a picture must not load any from elsewhere.
    layout = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    drawn = _scrolled(console.export_svg(title=TITLE, code_format=layout, unique_id=TITLE), delays)
    line = f'.{TITLE}-matrix text[clip-path="url(#{TITLE}-line-'
    rules = "".join(
        f'{line}{number})"] {{ animation: appear 0.2s {delay:.1f}s both }}\n'
        for number, delay in enumerate(delays)
        if delay
    )
    motion = (
        f"@keyframes appear {{ from {{ opacity: 0 }} to {{ opacity: 1 }} }}\n"
        f"@media (prefers-reduced-motion: no-preference) {{\n"
        f"{rules}}}\n"
    )
    terms = ("SPDX-FileCopyrightText: 2026 mlkeys contributors", "SPDX-License-Identifier: BSD-2-Clause")
    licence = "".join(f"<!-- {term} -->\n" for term in terms)
    drawn = drawn.replace("</style>", f"{motion}</style>", 1)
    lines = (line.rstrip() for line in drawn.replace(">\n", f">\n{licence}", 1).splitlines())
    return "\n".join(lines) + "\n"


def _shift(lines: int) -> float:
    """How far this many lines have moved up, in pixels, with the lowest ones of the letters above the first line."""
    return -((lines - ROWS) * _LINE + 2) if lines > ROWS else 0


def _scrolled(drawn: str, delays: list[float]) -> str:
    """The drawing as high as the terminal, whose lines move up when new ones appear below.

    Args:
        delays: when each line appears, in seconds; the last one is the end.
    """
    lines, end = len(delays) - 1, delays[-1]
    over = max(0, lines - ROWS)
    (height,) = re.findall(r'viewBox="0 0 [\d.]+ ([\d.]+)"', drawn)
    # Those of the window and of its content; a line is lower.
    tall = re.compile(r'height="(\d{3,}[\d.]*)"')
    drawn = tall.sub(lambda found: f'height="{float(found[1]) - over * _LINE:.1f}"', drawn)
    drawn = drawn.replace(f' {height}"', f' {float(height) - over * _LINE:.1f}" width="{WIDTH}"', 1)
    shown = {delay: number for number, delay in enumerate(delays[:-1], 1)}
    steps = "".join(
        f"{100 * delay / end:.2f}% {{ transform: translateY({_shift(number):.1f}px) }} "
        for delay, number in shown.items()
    )
    rules = (
        f".{TITLE}-matrix {{ transform: translateY({_shift(lines):.1f}px) }}\n"
        f"@keyframes scroll {{ {steps}}}\n"
        f"@media (prefers-reduced-motion: no-preference) {{\n"
        f".{TITLE}-matrix {{ animation: scroll {end:.1f}s step-end both }}\n}}\n"
    )
    return drawn.replace("</style>", f"{rules}</style>", 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
