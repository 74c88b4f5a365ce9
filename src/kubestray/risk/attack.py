"""MITRE ATT&CK: which tactics a technique serves. Those techniques that show in metrics of containers.

Risk rules count tactics: an entity for which several are known is further along an attack than one with
many events of one kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TACTICS = {
    "initial-access": "TA0001",
    "execution": "TA0002",
    "persistence": "TA0003",
    "privilege-escalation": "TA0004",
    "defense-evasion": "TA0005",
    "credential-access": "TA0006",
    "discovery": "TA0007",
    "lateral-movement": "TA0008",
    "collection": "TA0009",
    "exfiltration": "TA0010",
    "command-and-control": "TA0011",
    "impact": "TA0040",
}

_TECHNIQUES = """
T1005 Data from Local System: collection
T1018 Remote System Discovery: discovery
T1021 Remote Services: lateral-movement
T1029 Scheduled Transfer: exfiltration
T1030 Data Transfer Size Limits: exfiltration
T1036 Masquerading: defense-evasion
T1041 Exfiltration Over C2 Channel: exfiltration
T1046 Network Service Discovery: discovery
T1048 Exfiltration Over Alternative Protocol: exfiltration
T1053 Scheduled Task/Job: execution persistence privilege-escalation
T1057 Process Discovery: discovery
T1059 Command and Scripting Interpreter: execution
T1068 Exploitation for Privilege Escalation: privilege-escalation
T1071 Application Layer Protocol: command-and-control
T1074 Data Staged: collection
T1078 Valid Accounts: initial-access persistence privilege-escalation defense-evasion
T1090 Proxy: command-and-control
T1095 Non-Application Layer Protocol: command-and-control
T1105 Ingress Tool Transfer: command-and-control
T1110 Brute Force: credential-access
T1133 External Remote Services: initial-access persistence
T1190 Exploit Public-Facing Application: initial-access
T1195 Supply Chain Compromise: initial-access
T1203 Exploitation for Client Execution: execution
T1204 User Execution: execution
T1210 Exploitation of Remote Services: lateral-movement
T1485 Data Destruction: impact
T1486 Data Encrypted for Impact: impact
T1489 Service Stop: impact
T1496 Resource Hijacking: impact
T1498 Network Denial of Service: impact
T1499 Endpoint Denial of Service: impact
T1525 Implant Internal Image: persistence
T1528 Steal Application Access Token: credential-access
T1543 Create or Modify System Process: persistence privilege-escalation
T1552 Unsecured Credentials: credential-access
T1562 Impair Defenses: defense-evasion
T1567 Exfiltration Over Web Service: exfiltration
T1568 Dynamic Resolution: command-and-control
T1570 Lateral Tool Transfer: lateral-movement
T1571 Non-Standard Port: command-and-control
T1572 Protocol Tunneling: command-and-control
T1573 Encrypted Channel: command-and-control
T1609 Container Administration Command: execution
T1610 Deploy Container: execution defense-evasion
T1611 Escape to Host: privilege-escalation
T1612 Build Image on Host: defense-evasion
T1613 Container and Resource Discovery: discovery
"""


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique by its name, and the tactics it serves."""

    name: str
    tactics: tuple[str, ...]


def _read(line: str) -> tuple[str, Technique]:
    told, tactics = line.split(": ")
    number, name = told.split(" ", 1)
    return number, Technique(name, tuple(tactics.split()))


TECHNIQUES = dict(map(_read, _TECHNIQUES.strip().splitlines()))


def known(techniques: Iterable[str]) -> list[Technique]:
    """Return what is known of techniques; one below another (``T1059.004``) serves the same tactics."""
    parents = dict.fromkeys(technique.partition(".")[0] for technique in techniques)
    return [TECHNIQUES[parent] for parent in parents if parent in TECHNIQUES]
