"""Video to `Motion`: detection, tracking, lifting. No bpy here; it runs in a process of its own."""
