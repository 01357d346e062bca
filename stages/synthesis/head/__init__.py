"""One person's head: mesh, skin, hair, glasses."""
