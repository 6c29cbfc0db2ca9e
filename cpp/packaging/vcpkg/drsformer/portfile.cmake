# An overlay port of the sources that it lies in:
#
#     vcpkg install drsformer --overlay-ports=cpp/packaging/vcpkg
get_filename_component(SOURCE_PATH "${CMAKE_CURRENT_LIST_DIR}/../../../.." ABSOLUTE)

vcpkg_check_features(OUT_FEATURE_OPTIONS FEATURE_OPTIONS
  FEATURES
    openvino DRSFORMER_OPENVINO
    tools DRSFORMER_TOOLS)

# A static library has a backend in it, so that a program needs no module beside it.
set(static_backend "")
if(VCPKG_LIBRARY_LINKAGE STREQUAL "static")
  set(static_backend onnxruntime)
endif()

vcpkg_cmake_configure(
  SOURCE_PATH "${SOURCE_PATH}/cpp"
  OPTIONS ${FEATURE_OPTIONS} -DDRSFORMER_STATIC_BACKEND=${static_backend})
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH lib/cmake/drsformer)
vcpkg_fixup_pkgconfig()
if("tools" IN_LIST FEATURES)
  vcpkg_copy_tools(TOOL_NAMES drs-derain AUTO_CLEAN)
endif()

file(REMOVE_RECURSE
  "${CURRENT_PACKAGES_DIR}/debug/include"
  "${CURRENT_PACKAGES_DIR}/debug/share"
  "${CURRENT_PACKAGES_DIR}/share/doc")
file(INSTALL "${CMAKE_CURRENT_LIST_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/${PORT}")
vcpkg_install_copyright(FILE_LIST
  "${SOURCE_PATH}/LICENSE"
  "${SOURCE_PATH}/NOTICE"
  "${SOURCE_PATH}/cpp/third_party/nlohmann/LICENSE"
  "${SOURCE_PATH}/cpp/third_party/onnxruntime/LICENSE")
