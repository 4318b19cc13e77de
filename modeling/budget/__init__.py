"""Budget planning: the best split of money over response curves, with the proof that it is the best."""
