"""When exchanges are open: sessions as versioned data, operators' overrides over them, and pure look-ups."""
