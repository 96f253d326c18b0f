"""The papers' networks that the shipped lifter is compared with, one file each; `table` lists them."""
