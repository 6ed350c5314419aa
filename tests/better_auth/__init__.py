"""The service against a real Better Auth."""
