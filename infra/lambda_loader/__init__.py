"""The loader: object-created events of the landing bucket become loaded files."""
