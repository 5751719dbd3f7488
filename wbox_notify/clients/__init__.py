"""Clients of the wbox API, and of other services by way of Apprise."""
