"""Price elasticity and promotion lift from a panel of units and prices."""
