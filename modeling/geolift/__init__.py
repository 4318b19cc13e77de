"""Geo experiments: reading a panel, choosing a control on the pre-period, lift with one test for p and interval."""
