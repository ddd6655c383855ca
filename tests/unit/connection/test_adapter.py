# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of TLS are checked before the first request, and read only where a request can use them."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.adapter import check_files
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.errors import InvalidOption
from ansible_collections.mlkeys.transit.plugins.module_utils._connection.settings import Connection


@pytest.mark.parametrize("url", ["http://a.test", "https://a.test"])
def test_a_missing_file_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidOption, match="is not a readable file"):
        check_files(Connection(url, verify=str(tmp_path / "none.pem")))


def test_the_content_matters_where_a_server_uses_tls(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate", encoding="utf-8")
    check_files(Connection("http://a.test", verify=str(file)))
    check_files(Connection("https://a.test", verify=str(tmp_path)))
    for url in ("https://a.test", "HTTPS://a.test", "http://a.test,https://b.test"):
        with pytest.raises(InvalidOption, match="is not a readable file"):
            check_files(Connection(url, verify=str(file)))
