# The manifest of an engine, and SHA-256. Built from the sources: their symbols are hidden in the
# library.
add_executable(test_manifest test_manifest.cpp)
foreach(source manifest manifest_checks manifest_values one_line readable sha256)
  target_sources(test_manifest PRIVATE ${PROJECT_SOURCE_DIR}/src/${source}.cpp)
endforeach()
target_include_directories(test_manifest PRIVATE
  ${CMAKE_CURRENT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(test_manifest PRIVATE drsformer_settings drsformer_third_party)
add_test(NAME manifest COMMAND test_manifest)
set_tests_properties(manifest PROPERTIES LABELS "unit" TIMEOUT 120)
