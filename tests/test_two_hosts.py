"""Two hosts, joined by ``torchrun``'s rendezvous: two network namespaces of this machine."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from conftest import ROOT, train_flags, with_commands

pytestmark = [pytest.mark.processes, pytest.mark.training]

FIRST, SECOND = "10.231.77.1", "10.231.77.2"  # seen by nobody outside the two namespaces


class Host:
    """A network namespace with one device.

    Args:
        name: of the namespace.
        device: its end of the cable.
        address: of that.
    """

    def __init__(self, name: str, device: str, address: str) -> None:
        self.name, self.device, self.address = name, device, address

    def start(self, *command: object, port: int) -> subprocess.Popen:
        """Start one worker of two with ``torchrun``."""
        torchrun = (
            f"torchrun --nnodes 2 --nproc_per_node 1 --rdzv_backend c10d --rdzv_id hosts "
            f"--rdzv_endpoint {FIRST}:{port} --local_addr {self.address} "
            # On the first host torchrun listens. It would know that by a name of the address.
            f"--rdzv_conf is_host={int(self.address == FIRST)}"
        )
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, *torchrun.split(), *map(str, command)],
            cwd=ROOT,
            env={**with_commands(), "GLOO_SOCKET_IFNAME": self.device},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise PermissionError(done.stderr.strip() or f"ip {' '.join(arguments)}")


@pytest.fixture
def hosts():
    """Two hosts with a cable between them, taken away afterwards."""
    if shutil.which("ip") is None:
        pytest.skip("there is no 'ip' to make network namespaces with")
    two = [
        Host(f"memtx{os.getpid()}{end}", f"mtx{os.getpid()}{end}", address)
        for end, address in zip("ab", (FIRST, SECOND))
    ]
    with ExitStack() as made:
        try:
            for host in two:
                ip("netns", "add", host.name)
                made.callback(ip, "netns", "delete", host.name)  # and its devices
            ip("link", "add", two[0].device, "type", "veth", "peer", "name", two[1].device)
            for host in two:
                ip("link", "set", host.device, "netns", host.name)
                ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", host.device)
                for device in (host.device, "lo"):
                    ip("-n", host.name, "link", "set", device, "up")
        except PermissionError as refused:
            pytest.skip(f"network namespaces are not allowed here: {refused}")
        yield two


def test_two_hosts_are_one_run(hosts, toy_data, tmp_path):
    """As README says it: one command a host; stopped and started again, too."""
    script = Path(sys.executable).with_name("fairseq-train")
    for updates in (3, 6):
        flags = train_flags(toy_data, tmp_path, "--max-update", updates, "--disable-validation")
        started = [host.start(script, *flags, port=29611) for host in hosts]
        try:
            outputs = [process.communicate(timeout=240)[0] for process in started]
        finally:
            for process in started:
                process.kill()
        for process, output in zip(started, outputs):
            assert process.returncode == 0, output[-4000:]
        output = max(outputs, key=len)  # that of the first worker, on either host
        assert "training on 2 devices" in output
        assert f"num_updates: {updates} >= max_update: {updates}" in output
    assert "@ 3 updates" in output, "the second time it went on"
    state = torch.load(tmp_path / "checkpoint_last.pt")
    assert state["optimizer_history"][-1]["num_updates"] == 6
