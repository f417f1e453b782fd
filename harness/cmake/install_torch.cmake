# Part of `cmake --install`: of libtorch's folder exactly those libraries that the program needs, by what
# the files themselves say.
#   program, folder (to install into), torch_libraries (libtorch's folder)
string(REGEX REPLACE "([][+.*()^$?|\\\\])" "\\\\\\1" torch_regex "${torch_libraries}")
file(GET_RUNTIME_DEPENDENCIES EXECUTABLES "${program}"
  RESOLVED_DEPENDENCIES_VAR needed
  UNRESOLVED_DEPENDENCIES_VAR missing
  POST_INCLUDE_REGEXES "^${torch_regex}/"
  POST_EXCLUDE_REGEXES ".")
if(missing OR NOT needed)
  message(FATAL_ERROR "Installing libtorch: ${program} needs '${missing}', which was not found, and of "
                      "${torch_libraries} '${needed}'. Was that folder moved since the build?")
endif()
file(INSTALL DESTINATION "${folder}" TYPE SHARED_LIBRARY FOLLOW_SYMLINK_CHAIN FILES ${needed})
