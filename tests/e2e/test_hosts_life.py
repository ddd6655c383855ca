# SPDX-FileCopyrightText: 2026 mlkeys contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to services of two hosts after they have started: rotations, upgrades, new ciphertexts, bad releases."""

from __future__ import annotations

import base64
import functools
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.machines import HOSTS, SECRETS, SHA, Site, changed, running_site, service
from tests.e2e.old_release import downgrade
from tests.e2e.test_hosts_month import CONTEXT, Network
from tests.support.hosts import missing_requirements

pytestmark = pytest.mark.skipif(bool(missing_requirements()), reason=missing_requirements())

APPROLE: dict[str, Any] = {"name": "gateways", "grant_hosts": True, "token_no_default_policy": True}
ROTATION: dict[str, Any] = {"vault_transit_rotate_key": "ml", "vault_transit_rotate_older_than": 0}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("life")) as made:
        yield made


def floor(site: Site) -> int:
    return int(site.bao.done("GET", "transit/keys/ml")["data"]["min_decryption_version"])


def started_with(site: Site, host: str, name: str) -> list[str]:
    """The versions in the record of a service, which is of root."""
    path = f"/run/mlkeys/{name}.versions"
    assert site.hosts[host].run("stat", "-c", "%U %a", path).stdout.split() == ["root", "644"]
    lines = site.hosts[host].run("cat", path).stdout.splitlines()
    return [line.removeprefix("version ") for line in lines if line.startswith("version ")]


def test_a_rotation_shows_what_services_run_on_and_waits_for_those_that_nobody_knows(site: Site) -> None:
    files = [{"dest": "/etc/filed.json", "shape": "json", "content": {"KEY": {"secret": "hf_token"}}}]
    services = [service("turned"), service("filed", mode="credential", files=files)]
    site.play(services, vault_transit_approles=[{**APPROLE, "secret_id_ttl": "10d"}])
    shown = site.play(services, playbook="status").stdout
    for name in HOSTS:
        assert f"warning: {name}: the secret ID of turned ends in 9 d (" in shown
    assert re.search(r"Replace it: ansible-playbook -i \S+ mlkeys.transit.site -e", shown)
    before = {name: running(site, name, "filed") for name in HOSTS}
    for name in HOSTS:
        assert started_with(site, name, "turned") == ["1"]
        assert site.got(name, "turned") == [SHA["openai_api_key"]]
    # As if an earlier release had started it.
    site.hosts["two"].run("rm", "/run/mlkeys/turned.versions")
    shown = site.play(services, playbook="rotate", status=2, **ROTATION).stdout
    assert "older versions: two: turned (nobody knows which version it started with)" in shown
    started = "one: filed (v1), one: turned (v1), two: filed (v1), two: turned (unknown)"
    assert f"Services run, started with: {started}." in shown
    for name in HOSTS:
        assert processes(site, name, "filed") == before[name] != []
        assert SECRETS["hf_token"] in json.loads(site.hosts[name].run("cat", "/etc/filed.json").stdout).values()
        assert site.hosts[name].run("pgrep", "-f", "bao agent", check=False).stdout == ""
    assert floor(site) == 1
    shown = site.play(services, playbook="rotate", vault_transit_rotate_restart=True, **ROTATION).stdout
    assert f"Services run, started with: {started.replace('v1', 'v2').replace('unknown', 'v2')}." in shown
    assert floor(site) == 2
    for name in HOSTS:
        assert started_with(site, name, "turned") == ["2"]
        assert len(site.got(name, "turned", 2)) == 2
        site.hosts[name].run(
            *(["systemctl", "stop", "turned"] if name == "one" else ["/etc/mlkeys/turned/service", "stop"])
        )
        assert "turned.versions" not in site.hosts[name].run("ls", "/run/mlkeys").stdout


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert true()


def exists(site: Site, host: str, path: str) -> bool:
    return site.hosts[host].run("test", "-e", path, check=False).returncode == 0


def rewrap(site: Site, host: str, name: str) -> None:
    """Put the ciphertext of the key's latest version on the host, in place of the one that is there."""
    path = site.hosts[host].files / f"upper/etc/mlkeys/{name}/agent.hcl"
    (old,) = re.findall(r"vault:v[0-9]+:[A-Za-z0-9+/=]+", path.read_text(encoding="utf-8"))
    answer = site.bao.done("POST", "transit/rewrap/ml", {"ciphertext": old, "context": CONTEXT})
    site.hosts[host].run("sed", "-i", f"s|{old}|{answer['data']['ciphertext']}|", f"/etc/mlkeys/{name}/agent.hcl")


def processes(site: Site, host: str, user: str) -> list[str]:
    return site.hosts[host].run("pgrep", "-u", user, "-xf", "sleep 3600", check=False).stdout.split()


def running(site: Site, host: str, user: str) -> list[str]:
    """The processes, once there are some: a service counts as started before its program does anything."""
    until(functools.partial(is_another, site, host, user, []))
    return processes(site, host, user)


def is_another(site: Site, host: str, user: str, before: list[str]) -> bool:
    """Whether the program runs, and not as these processes."""
    return processes(site, host, user) not in ([], before)


def test_a_service_of_root_gets_a_user_with_a_home(site: Site) -> None:
    """A unit may not look into homes, where the agent looks for its settings. The secret ID belongs to the user."""
    one = service("housed")
    site.play([{**one, "user": "root", "group": "root"}])
    for name in HOSTS:
        site.hosts[name].run("useradd", "--create-home", "resident")
    site.play([{**one, "user": "resident", "group": "resident"}])
    for name in HOSTS:
        assert len(running(site, name, "resident")) == 1
        assert processes(site, name, "root") == []
        assert site.hosts[name].run("stat", "-c", "%U", "/etc/mlkeys/housed/secret_id").stdout == "resident\n"
    site.play([{"name": "housed", "state": "absent"}])


def test_a_service_that_follows_its_ciphertext_restarts_once_it_can_decrypt_the_new_one(site: Site) -> None:
    network = Network(site.bao.addr)
    try:
        site.play([service("watched", watch=True)], vault_transit_host_url=network.address)
        before = {name: running(site, name, "watched") for name in HOSTS}
        for name in HOSTS:
            fetch = "s/^booted=.*/booted=0/; s/^free=.*/free=1000/; s/^settled=.*/settled=0/"
            site.hosts[name].run("sed", "-i", fetch, "/etc/mlkeys/watched/fetch")
        network.is_away = True
        latest = site.bao.done("POST", "transit/keys/ml/rotate", {})["data"]["latest_version"]
        for name in HOSTS:
            rewrap(site, name, "watched")
        # The server is away, so the programs run on while their hosts try to decrypt what is new.
        for name in HOSTS:
            until(functools.partial(exists, site, name, "/run/mlkeys/watched/.proof"))
        time.sleep(1)
        assert {name: processes(site, name, "watched") for name in HOSTS} == before
        network.is_away = False
        for name in HOSTS:
            until(functools.partial(is_another, site, name, "watched", before[name]))
        floor = {"min_decryption_version": latest, "min_encryption_version": latest}
        site.bao.done("POST", "transit/keys/ml/config", floor)
        site.bao.done("POST", "transit/keys/ml/trim", {"min_available_version": latest})
        for name in HOSTS:
            assert site.got(name, "watched", 2) == [SHA["openai_api_key"]] * 2
            assert started_with(site, name, "watched") == [str(latest)]
            assert len(running(site, name, "watched")) == 1
            assert site.hosts[name].run("pgrep", "-f", "bao agent", check=False).stdout == ""
        reboot = "pkill -KILL -u watched; pkill -KILL -f ^/bin/sh./etc/mlkeys/watched; rm -rf /run/mlkeys/watched*"
        site.hosts["two"].run("sh", "-c", f"{reboot}; /etc/mlkeys/watched/service start")
        until(functools.partial(is_another, site, "two", "watched", []))
        assert site.got("two", "watched", 3) == [SHA["openai_api_key"]] * 3
    finally:
        network.close()


ROLLING = """
- ansible.builtin.import_playbook: mlkeys.transit.site
"""


# Ends a run before it does something about a release that does not come up.
KILLING = {
    "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
    "ANSIBLE_CALLBACKS_ENABLED": "killing",
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "KILL_AFTER": "mlkeys.transit.vault_transit_host : Wait until the service is up",
}


def test_a_rolling_update_stops_at_the_first_bad_host_which_goes_back_to_its_last_release(site: Site) -> None:
    (site.folder / "rolling.yml").write_text(ROLLING, encoding="utf-8")
    good = service("rolled", files=[{"dest": "/etc/rolled.json", "shape": "json", "content": {"release": 1}}])
    # Another secret: the hosts can decrypt that of the last release until all of them have the new one.
    bad = service(
        "rolled",
        goes_on_as="false",
        environment={"KEY": "hf_token"},
        files=[{"dest": f"/etc/{name}.json", "shape": "json", "content": {"release": 2}} for name in ("rolled", "new")],
    )
    site.play([good])
    before = running(site, "two", "rolled")
    wrong = {**SECRETS, "openai_api_key": "sk-hosts-canary-wrong"}
    # As an option of the command line passes it.
    options: dict[str, Any] = {"vault_transit_host_serial": 1, "vault_transit_host_rollback": "true"}
    files = site.vars_files(wrong)
    done = site.play([bad], playbook="rolling", status=2, vault_transit_vars_files=files, **options).stdout
    assert "rolled is not up. It runs its last release again. Its program ended" in " ".join(done.split())
    # The other host was never touched.
    assert processes(site, "two", "rolled") == before != []
    assert len(running(site, "one", "rolled")) == 1
    assert site.got("one", "rolled")[-1] == SHA["openai_api_key"]
    for name in HOSTS:
        host = site.hosts[name]
        assert host.run("cat", "/etc/rolled.json").stdout.split() == ["{", '"release":', "1", "}"]
        assert host.run("ls", "/etc/new.json", check=False).returncode != 0
        assert "rolled.previous" not in host.run("ls", "/run/mlkeys").stdout
    site.hosts["two"].run("/etc/mlkeys/rolled/service", "restart")
    until(functools.partial(is_another, site, "two", "rolled", before))
    assert site.got("two", "rolled")[-1] == SHA["openai_api_key"]
    assert granted(site) == {"openai_api_key", "hf_token"}
    # A run that is interrupted before it knows how that ends leaves its way back to the next one.
    stuck = service("rolled", goes_on_as="sleep 3601", ready={"port": 39999}, files=bad["files"])
    late: dict[str, Any] = {"limit": "two", "playbook": "rolling", "vault_transit_host_start_timeout": 2}
    site.play([stuck], status=-9, env=KILLING, **late, **options)
    assert processes(site, "two", "rolled") == []
    done = site.play([stuck], status=2, **late, **options).stdout
    assert "rolled is not up. It runs its last release again. It is not ready after 2 sec" in " ".join(done.split())
    assert len(running(site, "two", "rolled")) == 1
    assert site.hosts["two"].run("ls", "/etc/new.json", check=False).returncode != 0
    # A bad one without a way back, after which the description is as it was: each host runs what is described again.
    site.play([stuck], status=2, **late)
    assert processes(site, "two", "rolled") == []
    site.play([good], limit="two", playbook="rolling")
    assert len(running(site, "two", "rolled")) == 1
    # One that works, on one host after the other.
    better = service("rolled", environment={"KEY": "hf_token"})
    first = " ".join(site.play([better], playbook="rolling", limit="one").stdout.split())
    assert "gateways keeps what it was granted before, because this run did not deploy two." in first
    assert granted(site) == {"openai_api_key", "hf_token"}
    predicted = changed(site.play([better], "--check", playbook="rolling"))
    assert granted(site) == {"openai_api_key", "hf_token"}
    assert predicted == changed(site.play([better], playbook="rolling"))
    assert granted(site) == {"hf_token"}
    assert changed(site.play([better], playbook="rolling")) == {"localhost": 0, "one": 0, "two": 0}


def test_no_secret_id_of_another_approle_is_left_unnoticed(site: Site) -> None:
    # By the playbook of this name, the former AppRole keeps its rights until all hosts are deployed.
    (site.folder / "rolling.yml").write_text(ROLLING, encoding="utf-8")
    approles = [APPROLE, {**APPROLE, "name": "others"}]
    site.play([service("moved")], limit="two", vault_transit_approles=approles)
    accessor = site.hosts["two"].run("cat", "/etc/mlkeys/moved/accessor").stdout
    another: dict[str, Any] = {
        "limit": "two",
        "playbook": "rolling",
        "vault_transit_approles": approles,
        "vault_transit_host_approle": "others",
    }
    # A release that does not come up has used one, which nothing on the host knows once it has gone back.
    bad = service("moved", goes_on_as="false")
    done = site.play([bad], status=2, vault_transit_host_rollback=True, **another)
    assert "moved is not up. It runs its last release again. Its program" in " ".join(done.stdout.split())
    assert len(running(site, "two", "moved")) == 1
    assert site.bao.request("LIST", "auth/approle/role/others/secret-id")[0] == 404
    assert site.hosts["two"].run("cat", "/etc/mlkeys/moved/accessor").stdout == accessor
    # One that needs no secret ID leaves that of the service until it is up.
    plain = {**bad, "mode": "plaintext"}
    done = site.play([plain], limit="two", playbook="rolling", status=2, vault_transit_host_rollback=True)
    assert "moved is not up. It runs its last release again. Its program" in " ".join(done.stdout.split())
    assert accessor in site.secret_ids()
    # One that comes up has no use for that of the former AppRole, whose name is not on the host.
    shown = " ".join(site.play([service("moved")], **another).stdout.split())
    assert f"had of another AppRole stays valid on the server. Its accessor is {accessor}. Destroy it" in shown
    assert accessor in site.secret_ids()
    # And then it goes, also if a run is interrupted after it has removed what names it.
    without = [service("moved", mode="plaintext")]
    site.play(without, status=-9, env=KILLING, vault_transit_host_rollback=True, **another)
    assert site.hosts["two"].run("ls", "/etc/mlkeys/moved/accessor", check=False).returncode != 0
    site.play(without, vault_transit_host_rollback=True, **another)
    assert site.bao.request("LIST", "auth/approle/role/others/secret-id")[0] == 404
    site.play([service("moved", state="absent")], **another)


def test_a_unit_that_has_failed_is_named_by_the_next_run_which_starts_it(site: Site) -> None:
    """Without systemd: `tests/e2e/test_hosts.py`."""
    # Its next start would need another secret ID, so that systemd does not try it.
    one: dict[str, Any] = {"limit": "one", "playbook": "site", "vault_transit_host_secret_id_kept": False}
    ends = service("ends", goes_on_as="sleep 3602")
    site.play([ends], **one)
    host = site.hosts["one"]
    host.run("sh", "-c", "pkill -KILL -u ends; until systemctl --quiet is-failed ends; do sleep 0.1; done")
    for args, said in ((["--check"], "A real run starts what has ended."), ([], "What had ended runs again.")):
        printed = site.play([ends], *args, status=2, **one).stdout
        assert '"ends was ended by signal 9. It was started at ' in printed
        done = " ".join(printed.split())
        assert re.search(r"ends was ended by signal 9\. It was started at \w{3} 20[0-9-]{8} [0-9:]{8} ", done)
        assert f"To see its log on one: journalctl --lines 20 --unit ends {said}" in done
    assert site.got("one", "ends", 2) == [SHA["openai_api_key"]] * 2
    assert changed(site.play([ends], **one))["one"] == 0
    # One that has begun no more has not ended by itself, and is started with another secret ID.
    assert host.run("systemctl", "restart", "ends", check=False).returncode != 0
    shown = host.run("systemctl", "show", "--property=ActiveState,NRestarts", "ends").stdout.split()
    assert sorted(shown) == ["ActiveState=failed", "NRestarts=0"]
    assert site.log("one", "ends").count("ends has used up its secret ID. Run the role again.") == 1
    assert changed(site.play([ends], **one))["one"] > 0
    assert site.got("one", "ends", 3) == [SHA["openai_api_key"]] * 3
    # Nor has one that somebody has stopped.
    host.run("systemctl", "stop", "ends")
    assert changed(site.play([ends], **one))["one"] > 0
    site.play([{"name": "ends", "state": "absent"}], **one)


def granted(site: Site) -> set[str]:
    """The secrets that the policy of the hosts allows to decrypt."""
    policy = site.bao.done("GET", "sys/policies/acl/gateways")["data"]["policy"]
    return {name for name in SECRETS if base64.b64encode(name.encode()).decode() in policy}


# Says when it begins and when it ends.
ENDS = 'sh -c \'date "+began at %s.%N"; sleep 3600 & trap "kill $!; date +\\"ended at %s.%N\\"; exit" TERM; wait\''


def gap(site: Site, host: str) -> float:
    """The seconds before its last start in which the program did not run. It has never run twice."""
    starts = len(site.got(host, "moved"))
    until(lambda: site.log(host, "moved").count("began at") >= starts)
    shown = re.findall(r"(began|ended) at ([\d.]+)", site.log(host, "moved"))
    assert [word for word, _time in shown] == ["began", "ended"] * (len(shown) // 2) + ["began"]
    (_word, ended), (_word, began) = shown[-2:]
    return float(began) - float(ended)


def test_a_service_of_an_earlier_release_moves_to_this_one_with_one_restart(site: Site) -> None:
    moved = service("moved", goes_on_as=ENDS)
    site.play([moved])
    for name in HOSTS:
        downgrade(site, name, "moved", moved["command"])
    for name in HOSTS:
        until(functools.partial(is_another, site, name, "moved", []))
        assert site.hosts[name].run("pgrep", "-u", "moved", "-fc", "bao agent").stdout.strip() == "1"
    starts = {name: len(site.got(name, "moved", 2)) for name in HOSTS}
    site.play([moved], playbook="hosts")
    for name in HOSTS:
        assert len(running(site, name, "moved")) == 1
        assert site.hosts[name].run("pgrep", "-u", "moved", "-af", "bao agent", check=False).stdout == "", name
        assert len(site.got(name, "moved", starts[name] + 1)) == starts[name] + 1
        assert site.got(name, "moved")[-1] == SHA["openai_api_key"]
        assert started_with(site, name, "moved")
        # All that the next start needs was in place before the program ended: it was away for a restart and no longer.
        ended = re.findall(r"ended at ([\d.]+)", site.log(name, "moved"))[-1]
        places = "/etc/mlkeys/moved /etc/systemd/system/moved.service"
        later = site.hosts[name].run("sh", "-c", f"find {places} -type f -newerct @{ended}", check=False).stdout.split()
        assert later == ["/etc/mlkeys/moved/started"]
        upgrade = gap(site, name)
        restart = "systemctl restart moved" if name == "one" else "/etc/mlkeys/moved/service restart"
        site.hosts[name].run("sh", "-c", restart)
        assert len(site.got(name, "moved", starts[name] + 2)) == starts[name] + 2
        # Each takes half a second, unless this machine is busy.
        assert upgrade < gap(site, name) + 5
    # Without systemd, a supervisor may start it while a restart is on its way.
    at_once = "for each in restart start restart start start restart; do /etc/mlkeys/moved/service $each & done; wait"
    site.hosts["two"].run("sh", "-c", f"/etc/mlkeys/moved/service stop; {at_once}")
    assert len(running(site, "two", "moved")) == 1
