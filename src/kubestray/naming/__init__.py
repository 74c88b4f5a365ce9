"""What senders call things and what searches do: a mapping gives metrics and attributes further names."""
