"""How fast, with how much memory and how exactly a network runs on the machine at hand."""
