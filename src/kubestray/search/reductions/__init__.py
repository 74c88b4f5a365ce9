"""What the aggregate functions of ``stats`` and its kin are made of; `search.statistics` has their table."""
