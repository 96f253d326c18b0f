"""Accuracy and speed, measured beside the way it is done without Kinelift, in one run."""
