# The manifest of an engine, and SHA-256.
drsformer_add_test(manifest SOURCES test_manifest.cpp LABELS unit)
