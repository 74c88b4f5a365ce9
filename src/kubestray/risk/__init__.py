"""From result rows to risk."""
