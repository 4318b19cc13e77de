"""Multi-touch attribution: rule models, exact Markov removal effects and Shapley values of weighted paths."""
