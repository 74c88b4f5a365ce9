"""SPL, compiled: text → syntax (positions kept) → plan (columns known) → one sqlglot tree → rows."""
