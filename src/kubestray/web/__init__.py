"""The console: pages rendered here, over the same functions that the API answers with."""
