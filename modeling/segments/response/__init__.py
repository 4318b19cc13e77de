"""How each segment responds to each channel."""
