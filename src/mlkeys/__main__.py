# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""`python -m mlkeys` is the command `mlkeys`."""

from mlkeys._cli import main

if __name__ == "__main__":
    main()
