"""How much of a channel's effect runs through another variable."""
