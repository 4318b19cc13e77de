"""Customer segments: found by clustering, joined by a real key, each with its own response to media."""
