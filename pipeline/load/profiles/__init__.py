"""Send rows per profile: look a profile up, then create, update or delete what the action needs."""
