"""The console: panes, keys and theme over `dataspine.service`."""
