"""The commands: one file per noun; each offers `commands()` (a group) or `register(app)` (single commands)."""
