"""How the lifter's weights came to be: data, virtual cameras, detector noise, losses, training."""
