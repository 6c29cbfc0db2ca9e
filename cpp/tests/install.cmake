# The library as its users get it: installed, found by CMake and by pkg-config, with no symbols that
# an older system lacks. A sanitizer's build is not for them, and a cross-built one does not run here.
option(DRSFORMER_TEST_AARCH64 "Test a build for aarch64 by qemu: minutes, and 25 MB from PyPI" OFF)
if(DRSFORMER_SANITIZE OR CMAKE_CROSSCOMPILING)
  return()
endif()

if(DRSFORMER_TEST_AARCH64 AND DRSFORMER_ONNXRUNTIME AND TARGET drs-derain)
  add_test(NAME aarch64
    COMMAND ${DRSFORMER_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/run_on_aarch64.py
      --work ${CMAKE_BINARY_DIR}/aarch64 --drs-derain $<TARGET_FILE:drs-derain>
      --modules ${CMAKE_LIBRARY_OUTPUT_DIRECTORY} --ort-library ${DRSFORMER_ORT_LIBRARY})
  set_tests_properties(aarch64 PROPERTIES
    LABELS "slow;aarch64" TIMEOUT 7200 PROCESSORS 2 SKIP_RETURN_CODE 77)
endif()

get_property(modules GLOBAL PROPERTY DRSFORMER_MODULES)
set(binaries drsformer ${modules})
if(TARGET drs-derain)
  list(APPEND binaries drs-derain)
endif()
list(TRANSFORM binaries REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE files)

if(BUILD_SHARED_LIBS)
  set(size "")
  if(CMAKE_BUILD_TYPE STREQUAL "Release" AND CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    set(size --size=307200) # 300 KB; other processors have longer code
  endif()
  add_test(NAME package_symbols
    COMMAND ${DRSFORMER_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/check_symbols.py
      --header ${PROJECT_SOURCE_DIR}/include/drsformer/derainer.h
      ${size} ${files})
  set_tests_properties(package_symbols PROPERTIES LABELS "package" TIMEOUT 60)
endif()

if(NOT DRSFORMER_ONNXRUNTIME) # they run a model with it
  return()
endif()
foreach(kind shared static)
  add_test(NAME package_${kind}
    COMMAND ${DRSFORMER_PYTHON} ${CMAKE_CURRENT_LIST_DIR}/test_install.py ${kind}
      --build ${CMAKE_BINARY_DIR} --work ${CMAKE_BINARY_DIR}/package/${kind}
      --cmake ${CMAKE_COMMAND} --ctool ${CMAKE_C_COMPILER} --cxxtool ${CMAKE_CXX_COMPILER}
      --ort-library ${DRSFORMER_ORT_LIBRARY})
  set_tests_properties(package_${kind} PROPERTIES
    LABELS "package" TIMEOUT 900 PROCESSORS 2 SKIP_RETURN_CODE 77)
endforeach()
