"""What is normal for an entity, learned from its own metrics as they come; see
docs/decisions/0011-stray.md.
"""
