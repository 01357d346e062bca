"""Who the generated people are, and what each AU does to a face."""
