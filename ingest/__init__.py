"""Intake: partner files become raw rows, quarantined rows and one ledger row each, in one transaction."""
