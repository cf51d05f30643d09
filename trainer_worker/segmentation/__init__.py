"""trainType=segmentation: pictures with masks in, a model out that gives a probability for each pixel."""
