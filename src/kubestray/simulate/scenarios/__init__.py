"""The scenarios by name: what an attacker does in the simulated cluster. To add one, write its module
and add a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kubestray.simulate.scenarios import attack_chain, calm, exfiltration
from kubestray.simulate.scenarios.base import Footprint, Scenario, Stage

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        "calm": Scenario("Nobody attacks; jobs, rollouts and bursts only.", calm.plan),
        "exfiltration": Scenario(
            "A shop workload has been sending data out for 45 minutes.", exfiltration.plan
        ),
        "attack-chain": Scenario(
            "Shell, binary, miner, scan and theft, all within a day.", attack_chain.plan
        ),
    }
)
"""Name to scenario, in the order in which they are listed."""

__all__ = ["SCENARIOS", "Footprint", "Scenario", "Stage"]
