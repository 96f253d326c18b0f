"""Networks that turn landmarks into motion, one file each, chosen by name."""
