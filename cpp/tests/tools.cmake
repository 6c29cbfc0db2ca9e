# drs-derain beside Python's Derainer, and the C structs beside those that ctypes declares.
if(TARGET drs-derain AND DRSFORMER_ONNXRUNTIME)
  add_test(NAME drs_derain
    COMMAND ${DRSFORMER_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/test_drs_derain.py)
  set(environment
    "DRS_DERAIN=$<TARGET_FILE:drs-derain>"
    "DRSFORMER_MODULES=${CMAKE_LIBRARY_OUTPUT_DIRECTORY}"
    "DRSFORMER_ORT_LIBRARY=${DRSFORMER_ORT_LIBRARY}")
  set_tests_properties(drs_derain PROPERTIES
    LABELS "tools" TIMEOUT 600 SKIP_RETURN_CODE 77 ENVIRONMENT "${environment}")
endif()

add_executable(drs_abi ${CMAKE_CURRENT_LIST_DIR}/abi.c)
target_include_directories(drs_abi PRIVATE ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(drs_abi PRIVATE drsformer_settings)
add_test(NAME abi COMMAND ${DRSFORMER_PYTHON}
  ${PROJECT_SOURCE_DIR}/examples/ctypes_derain.py --check $<TARGET_FILE:drs_abi>)
set_tests_properties(abi PROPERTIES LABELS "tools" TIMEOUT 60)
