"""Who is in a video, frame by frame: MediaPipe's landmarks of everybody."""
