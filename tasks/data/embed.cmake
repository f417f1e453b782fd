# Turns files into C++ arrays, so that the program needs no data files at run time.
#   cmake -DOUTPUT=file.cpp -DINPUTS=name=path,name=path,... -P embed.cmake
# Each name becomes a function `std::string_view name()` of namespace niah::tasks::data.
set(code "#include \"tasks/data/embedded.h\"\n\nnamespace niah::tasks::data {\n")
string(REPLACE "," ";" pairs "${INPUTS}")
foreach(pair IN LISTS pairs)
  string(REGEX MATCH "^([^=]+)=(.*)$" matched "${pair}")
  set(name "${CMAKE_MATCH_1}")
  file(READ "${CMAKE_MATCH_2}" bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND code
         "static constexpr char k_${name}[] = {${bytes}};\n"
         "std::string_view ${name}() { return {k_${name}, sizeof(k_${name})}; }\n")
endforeach()
file(WRITE "${OUTPUT}" "${code}}  // namespace niah::tasks::data\n")
