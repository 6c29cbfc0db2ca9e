# drsformer_add_backend(NAME SOURCES ... LIBRARIES ...)
#
# Makes the module libdrsformer_NAME.so of these sources; or, where DRSFORMER_STATIC_BACKEND is NAME,
# links them into the library.
function(drsformer_add_backend NAME)
  cmake_parse_arguments(PARSE_ARGV 1 BACKEND "" "" "SOURCES;LIBRARIES")
  if(DRSFORMER_STATIC_BACKEND STREQUAL NAME)
    target_sources(drsformer PRIVATE ${BACKEND_SOURCES})
    target_link_libraries(drsformer PRIVATE ${BACKEND_LIBRARIES})
    return()
  endif()
  add_library(drsformer_${NAME} MODULE ${BACKEND_SOURCES})
  target_include_directories(drsformer_${NAME} PRIVATE
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/backends)
  target_link_libraries(drsformer_${NAME} PRIVATE
    $<BUILD_INTERFACE:drsformer_settings> drsformer_third_party ${BACKEND_LIBRARIES})
  if(NOT DRSFORMER_SANITIZE) # clang leaves the sanitizer's own symbols to the program
    target_link_options(drsformer_${NAME} PRIVATE -Wl,--no-undefined)
  endif()
  set_property(GLOBAL APPEND PROPERTY DRSFORMER_MODULES drsformer_${NAME})
endfunction()
