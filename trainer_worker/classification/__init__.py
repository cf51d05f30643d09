"""trainType=classification: class folders in, a model out that gives each class's probability."""
