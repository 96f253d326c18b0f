"""Lifters: networks that turn landmarks into 3D motion, and their weights."""
