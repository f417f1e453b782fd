# Part of `cmake --install`: copies the libraries that the program needs, by what the files themselves say, with
# their licences.
#   program                 the built binary
#   folder                  where the libraries go
#   documents               where their licences go (with DESTDIR)
#   torch_libraries         libtorch's folder, empty without: what is needed of it is copied
#   with_the_systems        ON: also what is needed of the system, but for the C library
set(c_library "^(ld-linux.*|lib(c|m|mvec|dl|pthread|rt|resolv|util|anl|nsl|nss_.*))[.]so")
string(REGEX REPLACE "([][+.*()^$?|\\\\])" "\\\\\\1" torch_regex "${torch_libraries}")
if(with_the_systems)
  set(filters PRE_EXCLUDE_REGEXES "${c_library}")
else()
  set(filters POST_INCLUDE_REGEXES "^${torch_regex}/" POST_EXCLUDE_REGEXES ".")
endif()
file(GET_RUNTIME_DEPENDENCIES EXECUTABLES "${program}" ${filters}
  RESOLVED_DEPENDENCIES_VAR needed
  UNRESOLVED_DEPENDENCIES_VAR missing)
if(missing OR NOT needed)
  message(FATAL_ERROR "Installing the libraries of ${program}: '${missing}' was not found; found were '${needed}'. "
                      "Was a folder of libraries moved since the build?")
endif()
file(INSTALL DESTINATION "${folder}" TYPE SHARED_LIBRARY FOLLOW_SYMLINK_CHAIN FILES ${needed})

# The licence of a library of the system's: that of the Debian package that it is from.
function(niah_copy_licence library)
  file(REAL_PATH "${library}" file)
  # Since /lib is a link to /usr/lib, dpkg knows some files by the one name and some by the other.
  string(REGEX REPLACE "^/usr/" "/" other_name "${file}")
  foreach(name "${file}" "${other_name}")
    execute_process(COMMAND dpkg-query -S "${name}" OUTPUT_VARIABLE owner ERROR_QUIET RESULT_VARIABLE unknown)
    if(NOT unknown)
      break()
    endif()
  endforeach()
  string(REGEX REPLACE "[:,].*" "" package "${owner}")
  set(licence /usr/share/doc/${package}/copyright)
  if(unknown OR NOT EXISTS ${licence})
    message(FATAL_ERROR "Installing ${library}: its licence was looked for in /usr/share/doc of the Debian package "
                        "that it is from ('${package}') and was not found; without it the library cannot be passed on")
  endif()
  configure_file(${licence} "${documents}/libraries/${package}.copyright" COPYONLY)
endfunction()

foreach(library ${needed})
  if(NOT torch_libraries OR NOT library MATCHES "^${torch_regex}/")
    niah_copy_licence("${library}")
  endif()
endforeach()
if(torch_libraries)
  # A wheel has them beside torch/, in torch-VERSION.dist-info.
  cmake_path(GET torch_libraries PARENT_PATH torch)
  cmake_path(GET torch PARENT_PATH wheel)
  file(GLOB about "${wheel}/torch-*.dist-info")
  if(about) # else "/*LICENSE*" would be looked for on the whole machine
    file(GLOB_RECURSE licences RELATIVE "${about}" "${about}/*LICENSE*" "${about}/*NOTICE*")
  endif()
  if(NOT licences)
    message(WARNING "libtorch's licence is not in ${wheel}/torch-*.dist-info, so that it is not installed with its "
                    "libraries: do not pass on what is made of this build")
    return()
  endif()
  foreach(licence ${licences})
    configure_file("${about}/${licence}" "${documents}/libraries/libtorch/${licence}" COPYONLY)
  endforeach()
endif()
