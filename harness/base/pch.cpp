// Has the header that CMakeLists.txt precompiles for builds that compile several files as one.
