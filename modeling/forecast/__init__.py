"""Demand forecasts: candidates behind one interface, rolling-origin choice, calibrated intervals, coherence.

Estimators here take arrays or frames and return frames; they know no SQL, no warehouse and no scheduler.
"""
