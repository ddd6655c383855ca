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
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

TITLE = "mlkeys"
#: How wide pages show it, in pixels, if they have the room: its letters are then as large as those of code.
WIDTH = 640


@dataclass(frozen=True)
class Screen:
    """One of the two terminals of the picture, which shows the one that its reader has the room for."""

    name: str
    columns: int
    #: More lines than these scroll, as in a terminal.
    rows: int


#: As wide as the table of `mlkeys status`.
WIDE = Screen("mlkeys", 78, 8)
#: As wide as the account of `mlkeys rotate`. On a telephone, the letters of the other one are too small to read.
PHONE = Screen("phone", 52, 7)
#: A picture that is narrower than this shows the screen of a telephone, in pixels.
NARROW = 480
#: Where the lines of a drawing begin. The screen of a telephone has no room for the title above them.
_TOP = 37

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
    target.write_text(_picture(list(_session())), encoding="utf-8")


def _session() -> Iterator[tuple[str, str]]:
    """Each command with its output. A failure of one is an error."""
    with tempfile.TemporaryDirectory(prefix="mlkeys-recording-") as folder:
        Path(folder, "inventory.yml").write_text(INVENTORY, encoding="utf-8")
        tools = Path(sys.executable).parent
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("BAO_", "VAULT_"))},
            "PATH": f"{tools}:{os.environ['PATH']}",
            "COLUMNS": str(WIDE.columns),
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


def _picture(session: list[tuple[str, str]]) -> str:
    """The session as one SVG with two drawings. The last command is on the wide one only: its table needs the width."""
    wide, phone = _drawing(session, WIDE), _drawing(session[:-1], PHONE)
    box = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
    width, height = (float(size) for size in box.findall(wide)[0])
    across = float(box.findall(phone)[0][0])
    phone = box.sub(f'viewBox="0 {_TOP} {across:g} {across * height / width:.1f}"', phone, count=1)
    terms = ("SPDX-FileCopyrightText: 2026 mlkeys contributors", "SPDX-License-Identifier: BSD-2-Clause")
    lines = [
        f'<svg viewBox="0 0 {width:g} {height:g}" width="{WIDTH}" xmlns="http://www.w3.org/2000/svg">',
        *(f"<!-- {term} -->" for term in terms),
        "<style>",
        f".{PHONE.name} {{ display: none }}",
        f"@media (max-width: {NARROW}px) {{ .{PHONE.name} {{ display: inline }} .{WIDE.name} {{ display: none }} }}",
        "</style>",
        *(line.rstrip() for drawn in (wide, phone) for line in drawn.splitlines()),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _drawing(session: list[tuple[str, str]], screen: Screen) -> str:
    """The session as an SVG whose lines appear one step after the other, all of it within about 20 seconds.

    The first command is there from the start: a picture that begins empty looks broken. Without motion, it shows the
    last lines.
    """
    console = Console(record=True, width=screen.columns, file=io.StringIO(), force_terminal=True, highlight=False)
    delays: list[float] = []
    clock = 0.0
    for shown, output in session:
        for text, style, seconds in ((f"$ {shown}", "bold", RUNNING), (output.strip("\n").rstrip(), "", READING)):
            lines = Text(text, style=style).wrap(console, screen.columns)
            for line in lines:
                line.rstrip()
                console.print(line)
            delays += [clock] * len(lines)
            clock += seconds
        console.print()
        delays.append(clock)
    # The fonts of the reader: a picture must not load any from elsewhere.
    layout = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    layout = layout.replace('class="rich-terminal"', f'class="{screen.name}"', 1)
    drawn = _scrolled(console.export_svg(title=TITLE, code_format=layout, unique_id=screen.name), delays, screen)
    chosen = f'.{screen.name}-matrix text[clip-path="url(#{screen.name}-line-'
    rules = "".join(
        f'{chosen}{number})"] {{ animation: appear 0.2s {delay:.1f}s both }}\n'
        for number, delay in enumerate(delays)
        if delay
    )
    motion = (
        f"@keyframes appear {{ from {{ opacity: 0 }} to {{ opacity: 1 }} }}\n"
        f"@media (prefers-reduced-motion: no-preference) {{\n"
        f"{rules}}}\n"
    )
    return drawn.replace("</style>", f"{motion}</style>", 1)


def _shift(lines: int, rows: int) -> float:
    """How far this many lines have moved up, in pixels, with the lowest ones of the letters above the first line."""
    return -((lines - rows) * _LINE + 2) if lines > rows else 0


def _scrolled(drawn: str, delays: list[float], screen: Screen) -> str:
    """The drawing as high as the terminal, whose lines move up when new ones appear below.

    Args:
        delays: when each line appears, in seconds; the last one is the end.
    """
    lines, end = len(delays) - 1, delays[-1]
    over = max(0, lines - screen.rows)
    (height,) = re.findall(r'viewBox="0 0 [\d.]+ ([\d.]+)"', drawn)
    # Those of the window and of its content; a line is lower.
    tall = re.compile(r'height="(\d{3,}[\d.]*)"')
    drawn = tall.sub(lambda found: f'height="{float(found[1]) - over * _LINE:.1f}"', drawn)
    drawn = drawn.replace(f' {height}"', f' {float(height) - over * _LINE:.1f}"', 1)
    shown = {delay: number for number, delay in enumerate(delays[:-1], 1)}
    steps = "".join(
        f"{100 * delay / end:.2f}% {{ transform: translateY({_shift(number, screen.rows):.1f}px) }} "
        for delay, number in shown.items()
    )
    rules = (
        f".{screen.name}-matrix {{ transform: translateY({_shift(lines, screen.rows):.1f}px) }}\n"
        f"@keyframes scroll-{screen.name} {{ {steps}}}\n"
        f"@media (prefers-reduced-motion: no-preference) {{\n"
        f".{screen.name}-matrix {{ animation: scroll-{screen.name} {end:.1f}s step-end both }}\n}}\n"
    )
    return drawn.replace("</style>", f"{rules}</style>", 1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
