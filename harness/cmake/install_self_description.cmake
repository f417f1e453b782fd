# Part of `cmake --install`: manual pages and completions, which the program writes of itself. At this time and
# not at that of the build, so that a build for another machine, and one of the program alone, end without it.
#   program, prefix (with DESTDIR)
function(niah_write_what_it_says file)
  execute_process(COMMAND "${program}" ${ARGN} OUTPUT_VARIABLE text ERROR_VARIABLE complaint RESULT_VARIABLE failed)
  if(failed)
    list(JOIN ARGN " " words)
    message(FATAL_ERROR "Installing ${file}: `${program} ${words}` ended with ${failed}: ${complaint}. Does the "
                        "program run on this machine?")
  endif()
  message(STATUS "Writing: ${prefix}/${file}")
  file(WRITE "${prefix}/${file}" "${text}")
  file(CHMOD "${prefix}/${file}" FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
endfunction()

niah_write_what_it_says(share/bash-completion/completions/niah completion bash)
niah_write_what_it_says(share/zsh/site-functions/_niah completion zsh)
niah_write_what_it_says(share/fish/vendor_completions.d/niah.fish completion fish)
niah_write_what_it_says(share/man/man1/niah.1 man)
execute_process(COMMAND "${program}" man --list OUTPUT_VARIABLE commands COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[^\n]+" commands "${commands}")
foreach(command ${commands})
  niah_write_what_it_says(share/man/man1/niah-${command}.1 man ${command})
endforeach()
