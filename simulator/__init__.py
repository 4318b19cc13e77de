"""A retailer-fulfilled world with known truth, which writes partner-shaped files and, apart, the truth."""
