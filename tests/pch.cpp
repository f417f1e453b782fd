// Owns the precompiled header that tests/CMakeLists.txt uses for all tests.
