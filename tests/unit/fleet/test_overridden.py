# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places that files of a project declare, and no host of the run does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.mlkeys.transit.plugins.plugin_utils._controller.written import (
    Written,
    written,
    written_in_inventories,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.hosts import (
    FILES,
    FILES_OF_CONTROLLER,
    HOST_FILES,
    PATHS,
    SERVICES,
    SOURCES,
)
from ansible_collections.mlkeys.transit.plugins.plugin_utils._fleet.overridden import NAMES, overridden

RAW: dict[str, Any] = {
    PATHS: ["{{ root }}/srv", "/etc/app/"],
    FILES: [{"src": "x.j2", "dest": "/opt/x.env"}],
    SERVICES: [{"name": "gw"}],
    HOST_FILES: ["/keys/a.transit.yml", "{{ keys }}/a.transit.yml"],
    FILES_OF_CONTROLLER: [{"path": "/keys/b.transit.yml"}, {"store": "kv", "kv_path": "apps/b"}],
}
HOST = {"inventory_hostname": "a", **RAW, PATHS: ["/data/srv", "/etc/app/"]}


@pytest.mark.parametrize(
    ("name", "values", "missing"),
    [
        (PATHS, ["{{ root }}/srv", "/data/srv", "/data/srv/x", "/etc/app", "/opt/x.env"], ""),
        (PATHS, ["/data", "/data/srv2"], "/data, /data/srv2"),
        (PATHS, ["{{ other }}/srv"], "{{ other }}/srv"),
        (PATHS, ["{{ paths + ['/x'] }}"], "{{ paths + ['/x'] }}"),
        (PATHS, ["/data/srv/../x"], "/data/srv/../x"),
        (PATHS, ["/1", "/2", "/3", "/4", "/5"], "/1, /2, /3 and 2 more"),
        (FILES, [{"dest": "/opt/x.env"}, {"dest": "/etc/app/y"}, {}], ""),
        (FILES, [{"dest": "/opt/y.env"}], "/opt/y.env"),
        (SERVICES, [{"name": "gw"}, {"name": "old", "state": "absent"}], ""),
        (SERVICES, [{"name": "other"}], "other"),
        (HOST_FILES, ["/keys/a.transit.yml", "{{ keys }}/a.transit.yml", "/read/x.transit.yml"], ""),
        (HOST_FILES, ["/keys/b.transit.yml", "/etc/app/c.transit.yml"], "/keys/b.transit.yml, /etc/app/c.transit.yml"),
        (HOST_FILES, ["{{ other }}/a.transit.yml", "gone.transit.yml"], "{{ other }}/a.transit.yml, gone.transit.yml"),
        (FILES_OF_CONTROLLER, [{"path": "/keys/b.transit.yml"}, {"kv_path": "apps/b"}, {"path": "/read/x"}], ""),
        (FILES_OF_CONTROLLER, [{"path": "/keys/c.transit.yml"}, {"kv_path": "c"}], "/keys/c.transit.yml, secret/c"),
        (SOURCES, ["/read/sub", "/elsewhere"], "/elsewhere"),
    ],
)
def test_what_no_host_declares_is_named(name: str, values: list[Any], missing: str) -> None:
    found = list(
        overridden([Written("/site.yml", 3, name, values)], [RAW], [HOST], lambda path: path.startswith("/read/"))
    )
    assert [row["path"] for row in found] == ["/site.yml"] * bool(missing)
    assert not missing or f"line 3: {name} names {missing}, which no host" in found[0]["reason"]


def test_vars_files_in_the_folder_of_a_playbook_are_those_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "a.transit.yml").touch()
    (tmp_path / "group_vars").mkdir()
    paths = ["{{ playbook_dir }}/keys/a.transit.yml", "{{inventory_dir}}/keys/a.transit.yml", "keys/a.transit.yml"]
    for file in ("site.yml", "group_vars/all.yml"):
        one = Written(str(tmp_path / file), 1, HOST_FILES, paths)
        assert not list(overridden([one], [RAW], [HOST], lambda path: path == str(tmp_path / "keys" / "a.transit.yml")))
        assert list(overridden([one], [RAW], [HOST], lambda _path: False))


def test_variables_are_read_as_data_wherever_they_are(tmp_path: Path) -> None:
    play = """
- hosts: a
  vars:
    vault_transit_host_paths: &paths ["{{ root }}/x", !vault "y"]
    vault_transit_host_files:
      - {src: a.j2, dest: /srv/a, mode: [1]}
  tasks:
    - vars: {vault_transit_host_paths: *paths, again: *paths}
---
vault_transit_host_services: "{{ [] }}"
"""
    texts = {
        "site.yml": play,
        "group_vars/all": "vault_transit_host_paths: [/b]\n",
        "a.json": '{"vault_transit_host_paths": ["/c"]}',
        "README.md": "vault_transit_host_paths: [/no]\n",
        "roles/x/molecule/default/converge.yml": play,
        "broken.yml": "vault_transit_host_paths: [\n",
        "loop.yml": "a: &a [vault_transit_host_paths, *a]\n",
        "other.yml": "vault_transit_hosts: [a]\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = list(written([str(tmp_path / name) for name in (*texts, "gone.yml")], NAMES))
    assert sorted((str(Path(one.path).relative_to(tmp_path)), one.line, one.name, one.values) for one in found) == [
        ("a.json", 1, PATHS, ["/c"]),
        ("group_vars/all", 1, PATHS, ["/b"]),
        ("site.yml", 4, PATHS, ["{{ root }}/x", "y"]),
        ("site.yml", 5, FILES, [{"src": "a.j2", "dest": "/srv/a"}]),
        ("site.yml", 8, PATHS, ["{{ root }}/x", "y"]),
        ("site.yml", 10, SERVICES, ["{{ [] }}"]),
    ]


def test_inventories_of_other_formats_are_read_by_ansible(tmp_path: Path) -> None:
    texts = {
        "hosts.ini": '[a]\nx vault_transit_host_paths=\'["/x"]\'\n[a:vars]\nvault_transit_host_paths=["/a"]\n'
        "[all:vars]\n  vault_transit_host_services = {{ services }}\n[b:children]\nelsewhere\n",
        "folder/hosts": "y vault_transit_sources='[\"/y\"]'\n",
        "folder/data": "all:\n  vars:\n    vault_transit_sources: [/data]\n",
        "folder/more.yml": "all:\n  vars:\n    vault_transit_sources: [/more]\n",
        "folder/group_vars/all": "vault_transit_sources: [/vars]\n",
        "folder/README.md": "text\n",
        "printed.sh": """#!/bin/sh
echo '{"_meta": {"hostvars": {"z": {"vault_transit_host_files": [{"dest": "/z"}]}}}, "all": {"hosts": ["z"]}}'
""",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "printed.sh").chmod(0o755)
    (tmp_path / "link").symlink_to("hosts.ini")
    sources = [*(str(tmp_path / name) for name in ("link", "folder", "printed.sh", "gone")), "q,r"]
    found = written_in_inventories(sources, NAMES, ["elsewhere"], DataLoader())
    assert sorted((str(Path(one.path).relative_to(tmp_path)), one.line, one.name, one.values) for one in found) == [
        ("folder/hosts", 1, SOURCES, ["/y"]),
        ("hosts.ini", 2, PATHS, ["/a"]),
        ("hosts.ini", 2, PATHS, ["/x"]),
        ("hosts.ini", 6, SERVICES, ["{{ services }}"]),
        ("printed.sh", 0, FILES, [{"dest": "/z"}]),
    ]
    (tmp_path / "printed.sh").write_text("#!/bin/sh\nexit 3\n")
    with pytest.raises(AnsibleError, match=r"printed\.sh could not be read a second time"):
        list(written_in_inventories(sources, NAMES, ["elsewhere"], DataLoader()))
