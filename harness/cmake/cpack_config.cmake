# Read by cpack for each generator: refuses what would make a package that does not run.
if(CPACK_GENERATOR STREQUAL "DEB")
  find_program(shlibdeps dpkg-shlibdeps)
  if(NOT shlibdeps)
    message(FATAL_ERROR "A .deb needs dpkg-shlibdeps, which finds out on which packages it depends: install dpkg-dev")
  endif()
elseif(NOT CPACK_NIAH_BUNDLE_ALL)
  message(FATAL_ERROR "An archive of this build would lack the libraries that it needs of the system: make it of "
                      "cmake --preset portable")
endif()
