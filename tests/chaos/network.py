"""Network namespaces: each node has a network of its own, which nft rules cut, in one direction or both.

Needs root, `ip` (iproute2) and `nft` (nftables); a firewall drops packets without a word, as a partition does.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final, Literal

import psutil

Way = Literal["both", "deaf", "mute"]
PREFIX: Final = "oxchaos"
HOOKS: Final[dict[str, tuple[str, ...]]] = {
    "both": ("input", "output"),
    "deaf": ("input",),
    "mute": ("output",),
}


def missing() -> str:
    """Why there can be no namespaces here, and what to do; "" if there can."""
    tools = [
        f"{tool} (apt-get install {package})"
        for tool, package in (("ip", "iproute2"), ("nft", "nftables"))
        if shutil.which(tool) is None
    ]
    if tools:
        return f"partitions need {' and '.join(tools)}"
    if os.geteuid() != 0:
        return "partitions need root, for network namespaces: run it as root (sudo make …)"
    probe = subprocess.run(
        ["ip", "netns", "add", f"{PREFIX}{os.getpid()}p"], check=False, capture_output=True, text=True
    )
    if probe.returncode:
        return f"partitions need network namespaces, which this machine refuses: {probe.stderr.strip()}"
    _ip("netns", "del", f"{PREFIX}{os.getpid()}p")
    return ""


@dataclass
class Network:
    """The network of one node; `number` is below 60 and its own. The node finds the host at `gateway`."""

    number: int

    @property
    def name(self) -> str:
        return f"{PREFIX}{os.getpid()}n{self.number}"

    @property
    def gateway(self) -> str:
        return f"10.231.{os.getpid() % 250}.{4 * self.number + 1}"

    @property
    def enter(self) -> list[str]:
        """What a command begins with to run inside; it keeps its pid."""
        return ["ip", "netns", "exec", self.name]

    def make(self) -> None:
        """Two ends of a wire, one in the namespace."""
        outer, inner = f"oxc{os.getpid() % 100000}h{self.number}", f"oxc{os.getpid() % 100000}g{self.number}"
        address = f"10.231.{os.getpid() % 250}.{4 * self.number + 2}/30"
        _ip("netns", "add", self.name)
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        _ip("link", "set", inner, "netns", self.name)
        _ip("addr", "add", f"{self.gateway}/30", "dev", outer)
        _ip("link", "set", outer, "up")
        for inside in (
            ("addr", "add", address, "dev", inner),
            ("link", "set", inner, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", self.name, *inside)

    def cut(self, way: Way) -> None:
        """Drop every packet: in both directions, or only what comes in (deaf), or goes out (mute)."""
        chains = "".join(
            f"chain {hook} {{ type filter hook {hook} priority 0; policy drop; }}\n" for hook in HOOKS[way]
        )
        subprocess.run(
            [*self.enter, "nft", "-f", "-"], input=f"table inet cut {{ {chains} }}", text=True, check=True
        )

    def mend(self) -> None:
        """Let everything through again."""
        subprocess.run([*self.enter, "nft", "flush", "ruleset"], check=True)

    def remove(self) -> None:
        """With it goes its wire."""
        _ip("netns", "del", self.name)


def remove_left_behind() -> None:
    """Networks of runs that were killed."""
    listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    for name in re.findall(rf"^{PREFIX}\d+n\d+", listed, re.MULTILINE):
        if not psutil.pid_exists(int(name.removeprefix(PREFIX).partition("n")[0])):
            _ip("netns", "del", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
