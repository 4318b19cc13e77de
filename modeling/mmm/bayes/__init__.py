"""The Bayesian comparison: PyMC-Marketing on the mix model's own inputs, once a month, in an environment of its own."""
