# What `cmake --install` puts where. The folders below the prefix are fixed: the program finds its data in
# ../share/niah beside its own (harness/base/shipped_data.h) and its libraries in ../lib/niah, so that an
# installation can be moved as a whole.
set(private_libraries lib/niah)

option(NIAH_BUNDLE_ALL "Install every library that the program needs, but for the C library" OFF)
if(NIAH_BUNDLE_ALL AND NIAH_WITH_PNG)
  message(FATAL_ERROR "NIAH_BUNDLE_ALL=ON is for systems of which nothing is known, and a PNG takes fonts, which "
                      "librsvg finds by the system's configuration: without those it would draw pictures without "
                      "text. Give NIAH_WITH_PNG=OFF")
endif()

set(rpath $ORIGIN/../${private_libraries})
if(NIAH_WITH_TORCH)
  # PyTorch's CUDA build needs gigabytes of NVIDIA's libraries, which stay where they are; and a libtorch of
  # the system's own lies among all of its libraries.
  set(bundle_by_default ON)
  if(NIAH_TORCH_WHEEL OR niah_torch_libraries IN_LIST CMAKE_CXX_IMPLICIT_LINK_DIRECTORIES)
    set(bundle_by_default OFF)
  endif()
  option(NIAH_BUNDLE_TORCH "Install libtorch's libraries, too; else the program needs them where they are now"
         ${bundle_by_default})
  if(NIAH_BUNDLE_TORCH AND NIAH_TORCH_WHEEL)
    message(FATAL_ERROR "NIAH_BUNDLE_TORCH=ON cannot take along NVIDIA's libraries, which the PyTorch of "
                        "NIAH_TORCH_WHEEL=${NIAH_TORCH_WHEEL} needs; leave it OFF")
  endif()
  if(NOT NIAH_BUNDLE_TORCH)
    set(rpath ${niah_torch_libraries})
  endif()
else()
  # The same as where it is installed: CMake would keep room for it by empty entries, which stand for the
  # working directory.
  set_target_properties(niah PROPERTIES BUILD_WITH_INSTALL_RPATH ON)
endif()
set_target_properties(niah PROPERTIES INSTALL_RPATH "${rpath}")
# DT_RPATH, which also counts for what the libraries of lib/niah need in turn.
target_link_options(niah PRIVATE LINKER:--disable-new-dtags)

install(TARGETS niah RUNTIME DESTINATION bin)
set(documents share/doc/niah)
install(CODE "
  set(program \"$<TARGET_FILE:niah>\")
  set(prefix \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\")
  set(folder \"\${CMAKE_INSTALL_PREFIX}/${private_libraries}\")
  set(documents \"\${prefix}/${documents}\")
  set(torch_libraries \"${niah_torch_libraries}\")
  set(with_the_systems ${NIAH_BUNDLE_ALL})")
if((NIAH_WITH_TORCH AND NIAH_BUNDLE_TORCH) OR NIAH_BUNDLE_ALL)
  install(SCRIPT ${CMAKE_CURRENT_LIST_DIR}/bundle_libraries.cmake)
endif()
install(SCRIPT ${CMAKE_CURRENT_LIST_DIR}/install_self_description.cmake)

# Beside kjv.txt, which tasks/ installs where it made it.
install(DIRECTORY ${CMAKE_SOURCE_DIR}/models/zoo DESTINATION share/niah/models)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/configs DESTINATION share/niah)

install(FILES ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${documents})
install(FILES ${CMAKE_CURRENT_LIST_DIR}/copyright.txt DESTINATION ${documents} RENAME copyright)
set(data ${CMAKE_SOURCE_DIR}/tasks/data)
install(FILES ${data}/README.md ${data}/LICENSE-wonderwords DESTINATION ${documents}/data)
install(FILES ${data}/punkt/LICENSE DESTINATION ${documents}/data/punkt)
