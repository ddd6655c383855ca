# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: BSD-2-Clause
"""Blocks of a page become commands, files and outputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import Command, File, NotRun, Unexplained, blocks_of, shows

PAGE = """
```{toctree}
other
```

```yaml
# group_vars/all.yml
a: 1
```

1. In a list:

   ```sh
   ls
   ```

   ```text
   all.yml
   ```

```console
id
```

<!-- not run: it needs the web for that -->
```sh
curl
```

```text
nothing
```

<!-- instead: true -->
```sh
false
```
"""


def test_the_first_line_and_the_remark_define_a_block(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE, encoding="utf-8")
    assert blocks_of(page) == [
        File(6, "group_vars/all.yml", "# group_vars/all.yml\na: 1\n"),
        Command(13, "ls\n", "all.yml\n", "sh"),
        Command(21, "id\n"),
        NotRun(26, "it needs the web for that"),
        Command(35, "true"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "```yaml\na: 1\n```",
        "```sh\nls # all\n```",
        "```sh\nmlkeys set keys.transit.yml a\nls\n```",
        "```sh\nKEY=$(python3 -c 'import getpass; print(getpass.getpass())')\nexport KEY\n```",
        "<!-- not run: it asks somebody -->\n```sh\nread -rs KEY\n```",
        "```text\nan output\n```",
        "```sh\nls\n```\n\n```\na\n```",
    ],
)
def test_an_unexplained_block_is_refused(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    with pytest.raises(Unexplained, match=r"page\.md:"):
        blocks_of(page)


@pytest.mark.parametrize(
    ("output", "shown", "same"),
    [
        ("vault:v1:abc=\n", "vault:v1:…", True),
        ("vault:v2:abc=\n", "vault:v1:…", False),
        ("a\nb\nc\n", "a\n…\nc\n", True),
        ("a\nc\n", "a\n…\nc\n", True),
        ("a\nb\nc\n", "a\n…\n", True),
        ("a\nb\n", "a\n", False),
        ("a\nb\n", "a…b\n", False),
        ("a (b)  \n", "a (b)\n", True),
    ],
)
def test_output_is_compared_with_the_page(output: str, shown: str, same: bool) -> None:
    assert shows(output, shown) is same
