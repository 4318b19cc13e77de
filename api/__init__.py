"""A read-only REST API over the published marts."""
