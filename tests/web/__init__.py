"""examples/web as its users meet it: built, with its own Better Auth, in Chromium, in front of a live service."""
