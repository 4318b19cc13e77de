"""Incidents found in the marts, each with an owner, an action and what it is worth; told to people once."""
