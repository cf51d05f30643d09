"""A third trainType, for tests only: one number a picture, its mean brightness. It shows what adding one takes."""
