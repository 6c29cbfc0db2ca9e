# What the library shows: the functions that derainer.h declares, and nothing of the C++ library or
# of the JSON header, so that a program may have other versions of these.
set(header ${PROJECT_SOURCE_DIR}/include/drsformer/derainer.h)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${header})
file(STRINGS ${header} declarations REGEX "^DRS_API ")
list(TRANSFORM declarations REPLACE ".*[ *](drs_[a-z0-9_]+)\\(.*" "\\1")
list(JOIN declarations "\n" lines)
file(WRITE ${PROJECT_BINARY_DIR}/exports.txt "${lines}\n")
list(JOIN declarations ";\n    " lines)
file(WRITE ${PROJECT_BINARY_DIR}/exports.map "{\n  global:\n    ${lines};\n  local:\n    *;\n};\n")

# drsformer_hide_symbols(TARGET) hides the rest.
function(drsformer_hide_symbols TARGET)
  if(DRSFORMER_SANITIZE) # programs and libraries share a sanitizer's symbols
    return()
  endif()
  get_target_property(type ${TARGET} TYPE)
  if(type STREQUAL "SHARED_LIBRARY")
    target_link_options(${TARGET} PRIVATE -Wl,--no-undefined -Wl,--gc-sections
      -Wl,--version-script=${PROJECT_BINARY_DIR}/exports.map)
    set_property(TARGET ${TARGET} APPEND PROPERTY LINK_DEPENDS ${PROJECT_BINARY_DIR}/exports.map)
    return()
  endif()
  execute_process(COMMAND ${CMAKE_LINKER} --help OUTPUT_VARIABLE help ERROR_QUIET)
  if(NOT CMAKE_OBJCOPY OR NOT help MATCHES "force-group-allocation")
    message(STATUS "The static library keeps its inner symbols: they are hidden with GNU's ld and "
                   "objcopy only")
    return()
  endif()
  add_custom_command(TARGET ${TARGET} POST_BUILD VERBATIM
    COMMAND ${CMAKE_COMMAND} -DARCHIVE=$<TARGET_FILE:${TARGET}> -DAR=${CMAKE_AR}
      -DLINKER=${CMAKE_LINKER} -DOBJCOPY=${CMAKE_OBJCOPY} -DKEEP=${PROJECT_BINARY_DIR}/exports.txt
      -P ${PROJECT_SOURCE_DIR}/cmake/OneObject.cmake)
endfunction()
