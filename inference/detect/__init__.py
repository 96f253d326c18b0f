"""Pose detection: MediaPipe's landmarks of everybody in every frame of a video."""
