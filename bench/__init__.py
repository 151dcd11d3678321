"""The bench suite: figures of this machine, as ratios to a reference that is measured in the same run."""
