"""How often is too often: the response to exposure frequency, its knee, and the money beyond it."""
