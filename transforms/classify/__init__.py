"""ClassifySegments: which canonical action each run of steps is, with which parameters."""
