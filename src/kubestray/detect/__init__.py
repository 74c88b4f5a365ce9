"""Content from YAML, its windows and schedule, and what a run of it gives."""
