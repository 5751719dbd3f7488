"""What this program calls: the wbox API, and other services by way of Apprise."""
