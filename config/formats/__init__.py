"""How pages show values: a package for each language, as Django wants it (FORMAT_MODULE_PATH)."""
