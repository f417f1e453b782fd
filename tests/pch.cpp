// Has the header that tests/CMakeLists.txt precompiles for all tests.
