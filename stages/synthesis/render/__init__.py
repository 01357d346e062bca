"""From heads, light and a camera to pictures."""
