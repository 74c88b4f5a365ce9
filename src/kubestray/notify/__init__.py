"""Tells other systems what became of findings and incidents: each change, at least once, in order."""
