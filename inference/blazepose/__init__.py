"""BlazePose, MediaPipe's networks that find people and their landmarks, on torch."""
