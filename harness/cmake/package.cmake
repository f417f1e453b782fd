# Packages, by cpack: a .deb, which takes Debian's libraries from Debian; or, of a build with NIAH_BUNDLE_ALL, a
# .tar.gz and a .deb that need nothing of the system but its C library.
set(CPACK_PACKAGE_NAME niah)
# What is packed is the program alone: nobody should have to wait for the tests to compile.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
set(CPACK_PACKAGE_VENDOR "niah developers")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "long-context recall of language models")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"niah builds needle-in-a-haystack tests, runs hybrid linear-attention language
models on them or asks served ones, compares a checkpoint before and after its
fine-tune with QK-Restored ones, and draws reports.")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_RESOURCE_FILE_README ${CMAKE_SOURCE_DIR}/README.md)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_LIST_DIR}/cpack_config.cmake)
set(CPACK_NIAH_BUNDLE_ALL ${NIAH_BUNDLE_ALL})
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian_conventions.cmake)

if(NIAH_BUNDLE_ALL)
  set(CPACK_GENERATOR TGZ DEB)
else()
  set(CPACK_GENERATOR DEB)
endif()
set(CPACK_PACKAGE_FILE_NAME niah-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "niah developers <niah@localhost>")
set(CPACK_DEBIAN_PACKAGE_SECTION science)
# Half a gigabyte of libraries: gzip takes minutes.
set(CPACK_DEBIAN_COMPRESSION_TYPE zstd)
set(CPACK_THREADS 0)
if(NIAH_BUNDLE_ALL)
  # dpkg-shlibdeps would ask for the libraries' Debian packages, although they are brought along.
  execute_process(COMMAND getconf GNU_LIBC_VERSION OUTPUT_VARIABLE libc OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "glibc " "" libc "${libc}")
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6 (>= ${libc})")
else()
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
endif()
# PNGs are drawn with the system's fonts, https servers known by its certificates.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, fonts-dejavu-core")

if(NOT NIAH_WITH_TORCH)
  string(APPEND CPACK_DEBIAN_PACKAGE_DESCRIPTION "
This build is without libtorch: it has the commands that compute no model.")
  string(APPEND CPACK_PACKAGE_FILE_NAME -no-torch)
endif()
include(CPack)
