# drsformer_add_backend(NAME SOURCES ... LIBRARIES ...)
#
# Makes the module libdrsformer_NAME.so of these sources; or, where DRSFORMER_STATIC_BACKEND is NAME,
# links them into the library.
set(known_backends onnxruntime openvino tensorrt tensorrt_rtx)
if(DRSFORMER_STATIC_BACKEND AND NOT DRSFORMER_STATIC_BACKEND IN_LIST known_backends)
  message(FATAL_ERROR "DRSFORMER_STATIC_BACKEND is '${DRSFORMER_STATIC_BACKEND}'; expected one of "
                      "${known_backends}, or nothing")
endif()
string(TOUPPER "DRSFORMER_${DRSFORMER_STATIC_BACKEND}" option)
if(DRSFORMER_STATIC_BACKEND AND NOT ${option})
  message(FATAL_ERROR "DRSFORMER_STATIC_BACKEND is ${DRSFORMER_STATIC_BACKEND}, which is not built; "
                      "add -D${option}=ON")
endif()

function(drsformer_add_backend NAME)
  cmake_parse_arguments(PARSE_ARGV 1 BACKEND "" "" "SOURCES;LIBRARIES")
  if(DRSFORMER_STATIC_BACKEND STREQUAL NAME)
    # into the parts, so that their tests link too
    target_sources(drsformer_core PRIVATE ${BACKEND_SOURCES})
    target_include_directories(drsformer_core PRIVATE ${PROJECT_SOURCE_DIR}/backends)
    target_link_libraries(drsformer_core PRIVATE ${BACKEND_LIBRARIES})
    target_link_libraries(drsformer PRIVATE ${BACKEND_LIBRARIES})
    return()
  endif()
  add_library(drsformer_${NAME} MODULE ${BACKEND_SOURCES})
  target_include_directories(drsformer_${NAME} PRIVATE
    ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/backends)
  target_link_libraries(drsformer_${NAME} PRIVATE
    $<BUILD_INTERFACE:drsformer_settings> drsformer_third_party ${BACKEND_LIBRARIES})
  if(NOT DRSFORMER_SANITIZE) # clang leaves the sanitizer's own symbols to the program
    set(map ${CMAKE_CURRENT_BINARY_DIR}/${NAME}.map)
    file(WRITE ${map} "{\n  global:\n    drs_backend_${NAME};\n  local:\n    *;\n};\n")
    target_link_options(drsformer_${NAME} PRIVATE
      -Wl,--no-undefined -Wl,--gc-sections -Wl,--version-script=${map})
  endif()
  set_property(GLOBAL APPEND PROPERTY DRSFORMER_MODULES drsformer_${NAME})
endfunction()
