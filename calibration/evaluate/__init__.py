"""What a lower precision costs: measured on images, by part of the network, on a GPU."""
