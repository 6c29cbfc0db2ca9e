# The TensorRT modules against a double of CUDA and TensorRT, so without their headers and a GPU.
set(tensorrt ${PROJECT_SOURCE_DIR}/backends/tensorrt)
add_executable(test_tensorrt_execution
  test_tensorrt_execution.cpp
  tensorrt_double/cuda_double.cpp
  tensorrt_double/double.cpp
  tensorrt_double/library_double.cpp)
foreach(source cuda execution gpu loaded_engine message_log model module)
  target_sources(test_tensorrt_execution PRIVATE ${tensorrt}/${source}.cpp)
endforeach()
foreach(source manifest manifest_checks manifest_values one_line readable sha256)
  target_sources(test_tensorrt_execution PRIVATE ${PROJECT_SOURCE_DIR}/src/${source}.cpp)
endforeach()
target_include_directories(test_tensorrt_execution PRIVATE
  ${CMAKE_CURRENT_SOURCE_DIR} ${tensorrt} ${PROJECT_SOURCE_DIR}/backends
  ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(test_tensorrt_execution PRIVATE drsformer_settings drsformer_third_party)
add_test(NAME tensorrt_execution COMMAND test_tensorrt_execution)
set_tests_properties(tensorrt_execution PROPERTIES LABELS "unit" TIMEOUT 300)

# One clear error from the real modules on a machine without a GPU.
foreach(name tensorrt tensorrt_rtx)
  if(TARGET drsformer_${name})
    if(NOT TARGET test_tensorrt_module)
      add_executable(test_tensorrt_module test_tensorrt_module.cpp
        ${PROJECT_SOURCE_DIR}/src/readable.cpp ${PROJECT_SOURCE_DIR}/src/sha256.cpp)
      target_include_directories(test_tensorrt_module PRIVATE
        ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
      target_link_libraries(test_tensorrt_module PRIVATE
        drsformer_settings drsformer_third_party ${CMAKE_DL_LIBS})
    endif()
    add_test(NAME ${name}_module
      COMMAND test_tensorrt_module $<TARGET_FILE:drsformer_${name}> ${name})
    set_tests_properties(${name}_module PROPERTIES LABELS "${name}" SKIP_RETURN_CODE 77)
  endif()
endforeach()
