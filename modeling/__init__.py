"""Estimators, each a pure function of data frames, and the thin runner that feeds them from the warehouse."""
