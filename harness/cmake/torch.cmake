# Finds libtorch: Torch_DIR if the user gives one, else the copy that docker/bootstrap.sh unpacked. Or
# takes it from an unpacked wheel of PyTorch's CUDA build (NIAH_TORCH_WHEEL, a folder that holds torch/).
# The wheel's own TorchConfig.cmake asks for NVIDIA's toolkit; but niah has no CUDA kernels to compile, so
# headers and libraries are enough. NVIDIA's own libraries are found where the program runs.
set(NIAH_TORCH_WHEEL "" CACHE PATH "Unpacked wheel of PyTorch to build against, in place of libtorch")

add_library(niah_torch INTERFACE)
# libtorch's headers bring a header-only fmt of their own: with it every file would compile all of fmt
# again, a quarter of its time. So a folder that holds only the system's fmt comes first. The two do not
# clash: the fmt that libtorch itself was built with is in an inline namespace of its own.
get_target_property(fmt_headers fmt::fmt INTERFACE_INCLUDE_DIRECTORIES)
if(NOT EXISTS ${fmt_headers}/fmt/format.h)
  message(FATAL_ERROR "The fmt that CMake found has no ${fmt_headers}/fmt/format.h")
endif()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated/fmt_only)
file(CREATE_LINK ${fmt_headers}/fmt ${CMAKE_BINARY_DIR}/generated/fmt_only/fmt SYMBOLIC)
target_include_directories(niah_torch SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/generated/fmt_only)
target_link_libraries(niah_torch INTERFACE niah_options fmt::fmt)

if(NIAH_TORCH_WHEEL)
  set(torch ${NIAH_TORCH_WHEEL}/torch)
  if(NOT EXISTS ${torch}/include/ATen/ATen.h)
    message(FATAL_ERROR "NIAH_TORCH_WHEEL=${NIAH_TORCH_WHEEL} holds no torch/include: is it an unpacked wheel?")
  endif()
  # By name, so that the program needs "libtorch.so" and no path of this machine. All of them are kept,
  # because no symbol refers to the libraries that register the CUDA kernels.
  target_link_libraries(niah_torch INTERFACE
    -L${torch}/lib -Wl,--no-as-needed -ltorch -ltorch_cpu -ltorch_cuda -lc10 -lc10_cuda -l:libgomp.so.1
    -Wl,--as-needed)
  target_link_options(niah_torch INTERFACE -Wl,--allow-shlib-undefined)
  target_compile_options(niah_torch INTERFACE -fopenmp)
  set(niah_torch_include ${torch}/include)
  set(niah_torch_libraries ${torch}/lib)
  list(APPEND CMAKE_BUILD_RPATH ${niah_torch_libraries})
  target_include_directories(niah_torch SYSTEM INTERFACE
    ${torch}/include ${torch}/include/torch/csrc/api/include)
  return()
endif()
if(NOT Torch_DIR AND DEFINED ENV{Torch_DIR})
  set(Torch_DIR $ENV{Torch_DIR})
endif()
if(NOT Torch_DIR)
  file(GLOB unpacked ${CMAKE_SOURCE_DIR}/.deps/libtorch-*/torch/share/cmake/Torch)
  if(unpacked)
    list(SORT unpacked COMPARE NATURAL ORDER DESCENDING)
    list(GET unpacked 0 Torch_DIR)
  endif()
endif()
if(NOT Torch_DIR)
  message(FATAL_ERROR "libtorch was not found. Run `bash docker/bootstrap.sh build`, which fetches it, "
                      "or give -DTorch_DIR=<libtorch>/share/cmake/Torch, "
                      "or build without models: cmake --preset no-torch")
endif()
set(Torch_DIR ${Torch_DIR} CACHE PATH "Folder of TorchConfig.cmake" FORCE)
find_package(Torch 2.5 REQUIRED)

target_link_libraries(niah_torch INTERFACE ${TORCH_LIBRARIES})
separate_arguments(torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(niah_torch INTERFACE ${torch_flags} -fopenmp)
list(GET TORCH_INCLUDE_DIRS 0 niah_torch_include)
target_include_directories(niah_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
# Our own parallel loops must run on the OpenMP runtime that libtorch brings: a second one would mean a
# second pool of threads.
get_filename_component(niah_torch_libraries "${TORCH_LIBRARY}" DIRECTORY)
file(GLOB torch_openmp ${niah_torch_libraries}/libgomp*.so* ${niah_torch_libraries}/libiomp5.so)
if(NOT torch_openmp)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
  set(torch_openmp OpenMP::OpenMP_CXX)
endif()
target_link_libraries(niah_torch INTERFACE ${torch_openmp})
