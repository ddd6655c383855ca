# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""The app: the root of the construct tree, which can write its files."""

from __future__ import annotations

from pathlib import Path

from mlkeys._model.stack import Root, session


class App(Root):
    """The root of the construct tree. All stacks of an app are validated and written together.

    Args:
        targets: what to generate: `"ansible"`, `"terraform"`, or both (default).
    """

    def synth(self, outdir: str | Path = "mlkeys.out") -> None:
        """Validate the app and write its files.

        Under `mlkeys synth` and the other commands this does nothing: the command writes the files.

        Args:
            outdir: folder to write to, relative to the current directory. Default: `mlkeys.out`.

        Raises:
            AppInvalid: the app has problems; nothing was written.
        """
        if session.get() is None:
            from mlkeys._synthesis.project import write_app  # noqa: PLC0415  programs that only build need none of it

            write_app(self, Path(outdir))
