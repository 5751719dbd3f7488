"""The daemon: all parts put together, and what each of them does while it runs."""
