# C++ beside Python, value for value, with each backend. The data is made once, and again where the
# package or a library has changed.
set(DRSFORMER_PARITY_DATA ${CMAKE_BINARY_DIR}/parity CACHE PATH
    "Where the data is kept; several builds may share it")
set(parity_data ${DRSFORMER_PARITY_DATA})
add_test(NAME parity_data
  COMMAND ${DRSFORMER_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/make_parity_data.py ${parity_data})
set_tests_properties(parity_data PROPERTIES
  LABELS "parity" FIXTURES_SETUP parity_data TIMEOUT 900 PROCESSORS 2)

add_executable(test_parity test_parity.cpp)
target_link_libraries(test_parity PRIVATE drsformer drsformer_settings drsformer_third_party)

# add_parity_test(NAME PROVIDER)
function(add_parity_test NAME PROVIDER)
  set(limit "")
  if(DRSFORMER_SANITIZE) # what is ours is small: large images would test the backend alone, and
    set(limit --most-pixels 3000) # OpenVINO compiles for each shape, which takes long
    if(PROVIDER STREQUAL openvino)
      set(limit --most-pixels 300)
    endif()
  endif()
  add_test(NAME parity_${NAME}
    COMMAND test_parity ${parity_data} --provider ${PROVIDER}
      --ort-library "${DRSFORMER_ORT_LIBRARY}" --table ${CMAKE_BINARY_DIR}/parity_${NAME}.md ${limit})
  set_tests_properties(parity_${NAME} PROPERTIES
    LABELS "parity" FIXTURES_REQUIRED parity_data TIMEOUT 900 PROCESSORS 2
    ENVIRONMENT "DRSFORMER_MODULES=${CMAKE_LIBRARY_OUTPUT_DIRECTORY};ORT_DISABLE_TELEMETRY=1")
endfunction()

if(DRSFORMER_ONNXRUNTIME)
  add_parity_test(onnxruntime cpu)
endif()
if(DRSFORMER_OPENVINO)
  add_parity_test(openvino openvino)
endif()
if(DRSFORMER_SANITIZE) # as in ../backends/tests: OpenVINO's TBB opens a library in a forbidden way
  target_sources(test_parity PRIVATE ${PROJECT_SOURCE_DIR}/backends/tests/without_deepbind.cpp)
  set_target_properties(test_parity PROPERTIES ENABLE_EXPORTS ON)
endif()
