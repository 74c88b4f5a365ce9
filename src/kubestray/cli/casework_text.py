"""Findings and incidents, told to a person in a terminal."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def print_line(document: Document) -> None:
    """Print a finding or incident in one line."""
    told = (document["opened"], document["severity"], f"{document['score']:.0f}", document["state"])
    print("  ".join((document["id"], *told, document["title"])))


def print_document(document: Document) -> None:
    """Print all that a person wants to know of a finding or incident first."""
    print(f"{document['kind']} {document['id']}: {document['title']}")
    print(f"  {document['sentence']}")
    print(f"  {document['severity']}, score {document['score']:.0f}, {document['state']}", end="")
    print(f"; since {document['first_seen']}, opened {document['opened']}, last {document['last_seen']}")
    if document["tactics"]:
        names = ", ".join(tactic["name"] for tactic in document["tactics"])
        print(f"  MITRE ATT&CK: {', '.join(document['techniques'])} ({names})")
    for step in document["steps"]:
        print(f"  {step['time']}  {step['detection']}, {step['entity']}: {step['message']}")
    for title, key in (("would not have been found", "would_not_have_fired"), ("what to do", "respond")):
        for said in document.get(key, ()):
            print(f"  {title}: {said}")
    for comment in document.get("comments", ()):
        print(f"  {comment['time']} {comment['actor']}: {comment['text']}")
