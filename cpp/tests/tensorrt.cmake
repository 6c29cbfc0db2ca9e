# The TensorRT modules against a double of CUDA and TensorRT, so without their headers and a GPU.
set(tensorrt ${PROJECT_SOURCE_DIR}/backends/tensorrt)
set(sources test_tensorrt_execution.cpp tensorrt_double/cuda_double.cpp tensorrt_double/double.cpp
  tensorrt_double/library_double.cpp)
foreach(source cuda execution gpu loaded_engine message_log model module)
  list(APPEND sources ${tensorrt}/${source}.cpp)
endforeach()
drsformer_add_test(tensorrt_execution SOURCES ${sources} LABELS unit)
target_include_directories(test_tensorrt_execution PRIVATE
  ${tensorrt} ${PROJECT_SOURCE_DIR}/backends)

# One clear error from the real modules on a machine without a GPU.
foreach(name tensorrt tensorrt_rtx)
  if(TARGET drsformer_${name})
    drsformer_add_test(${name}_module SOURCES test_tensorrt_module.cpp LABELS tensorrt
      ARGUMENTS $<TARGET_FILE:drsformer_${name}> ${name})
    set_tests_properties(${name}_module PROPERTIES SKIP_RETURN_CODE 77)
  endif()
endforeach()
