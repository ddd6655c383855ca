# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The app: the root of a tree that can write its files."""

from __future__ import annotations

from pathlib import Path

from mlkeys._model.stack import Root, session


class App(Root):
    """The root: everything that is made into files together.

    Args:
        targets: what the app is made for: Ansible projects, Terraform configurations, or both.
    """

    def synth(self, outdir: str | Path = "mlkeys.out") -> None:
        """Write the files. Under `mlkeys synth`, the command writes them, and this does nothing."""
        if session.get() is None:
            from mlkeys._synthesis.project import write_app  # noqa: PLC0415  programs that only build need none of it

            write_app(self, Path(outdir))
