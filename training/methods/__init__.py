"""The papers' networks that the shipped lifter is compared with, one file each, chosen by name (`table`)."""
