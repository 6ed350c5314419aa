"""The pages as operators and developers meet them: in a real Chromium, over a live server."""
