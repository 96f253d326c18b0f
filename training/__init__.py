"""Training of the lifter: data, virtual cameras, detector noise, losses, and the papers' methods compared."""
