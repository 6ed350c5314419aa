"""The operations that need a token, in a module with a router for each group of them."""
