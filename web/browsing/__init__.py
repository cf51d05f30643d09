"""What a person sees of the data roots: their folders, and small copies of the pictures in them."""
