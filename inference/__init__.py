"""The worker, from a video to a `Motion`: detection, tracking, lifting, solving.

It runs in a process of its own and never imports bpy.
"""
