"""The scenarios by name: what happens in the simulated cluster. Every attack is one (see `attacks`); to add
another, write its module and add a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from kubestray.simulate.attacks import ATTACKS
from kubestray.simulate.scenarios import all_attacks, attack_chain, calm
from kubestray.simulate.scenarios.single import single
from kubestray.simulate.stage import Footprint, Scenario, Stage

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType(
    {
        "calm": Scenario("Nobody attacks; jobs, rollouts, load tests, bursts and the like only.", calm.plan),
        "attack-chain": Scenario(
            "Shell, binary, miner, new edges and theft, all within a day.", attack_chain.plan
        ),
        "all-attacks": Scenario("Every attack below, one after the other, within a day.", all_attacks.plan),
        **{name: single(name, kind) for name, kind in ATTACKS.items()},
    }
)
"""Name to scenario, in the order in which they are listed."""

__all__ = ["SCENARIOS", "Footprint", "Scenario", "Stage"]
