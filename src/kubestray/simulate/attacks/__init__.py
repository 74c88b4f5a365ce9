"""Attacks of a stated size, one module each. To add one, write its module and add a line here; it is then a
scenario of its own, and a part of ``all-attacks``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kubestray.simulate.attacks.beacon import BEACON
from kubestray.simulate.attacks.container_escape import CONTAINER_ESCAPE
from kubestray.simulate.attacks.dns_tunnel import DNS_TUNNEL
from kubestray.simulate.attacks.exfiltration import EXFILTRATION
from kubestray.simulate.attacks.exfiltration_slow import EXFILTRATION_SLOW
from kubestray.simulate.attacks.lateral_movement import LATERAL_MOVEMENT
from kubestray.simulate.attacks.lotl_shell import LOTL_SHELL
from kubestray.simulate.attacks.miner import MINER
from kubestray.simulate.attacks.new_binary import NEW_BINARY
from kubestray.simulate.attacks.new_image import NEW_IMAGE
from kubestray.simulate.attacks.reverse_shell import REVERSE_SHELL
from kubestray.simulate.attacks.scan import SCAN
from kubestray.simulate.attacks.scene import Kind
from kubestray.simulate.attacks.silence import SILENCE
from kubestray.simulate.attacks.sweep import SWEEP
from kubestray.simulate.attacks.writable_path import WRITABLE_PATH

ATTACKS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "exfiltration": EXFILTRATION,
        "exfiltration-slow": EXFILTRATION_SLOW,
        "miner": MINER,
        "reverse-shell": REVERSE_SHELL,
        "beacon": BEACON,
        "scan": SCAN,
        "sweep": SWEEP,
        "dns-tunnel": DNS_TUNNEL,
        "lateral-movement": LATERAL_MOVEMENT,
        "new-image": NEW_IMAGE,
        "new-binary": NEW_BINARY,
        "writable-path": WRITABLE_PATH,
        "lotl-shell": LOTL_SHELL,
        "container-escape": CONTAINER_ESCAPE,
        "silence": SILENCE,
    }
)
"""Name to kind, in the order in which they are listed."""
