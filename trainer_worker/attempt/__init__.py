"""What a trainer is given for one attempt, and what it gives back."""
