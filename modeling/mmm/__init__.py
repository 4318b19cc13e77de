"""Market mix model: ROI per channel with intervals, by exact collapsed sampling on a grid of transformations."""
