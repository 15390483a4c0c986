"""The demo applications that the bundled sessions were recorded in."""
