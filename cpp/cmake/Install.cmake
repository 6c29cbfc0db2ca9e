# What `cmake --install` puts where. Everything finds its parts by paths relative to itself, so that
# the installed folder can be moved.
#
#     bin/drs-derain
#     include/drsformer/            the two headers
#     lib/libdrsformer.so.1         or libdrsformer.a
#     lib/drsformer/                the backend modules
#     lib/cmake/drsformer/          for find_package(drsformer)
#     lib/pkgconfig/drsformer.pc
#     share/doc/drsformer/          licences, docs/cpp.md, the examples
include(CMakePackageConfigHelpers)
set(DRSFORMER_MODULES_DIR ${CMAKE_INSTALL_LIBDIR}/drsformer)
set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/drsformer)

install(TARGETS drsformer EXPORT drsformerTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/drsformer/derainer.h include/drsformer/derainer.hpp
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/drsformer)

# A backend's own library is found beside its module or beside ours, besides the system's folders.
get_property(modules GLOBAL PROPERTY DRSFORMER_MODULES)
if(modules)
  set_property(TARGET ${modules} APPEND PROPERTY INSTALL_RPATH "$ORIGIN" "$ORIGIN/..")
  install(TARGETS ${modules} LIBRARY DESTINATION ${DRSFORMER_MODULES_DIR})
endif()

install(FILES ../LICENSE ../NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES third_party/nlohmann/LICENSE
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/third_party/nlohmann)
install(FILES third_party/onnxruntime/LICENSE
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/third_party/onnxruntime)

# ---- find_package(drsformer) ---------------------------------------------------------------------
install(EXPORT drsformerTargets NAMESPACE drsformer:: DESTINATION ${config_folder})
configure_package_config_file(cmake/drsformerConfig.cmake.in drsformerConfig.cmake
  INSTALL_DESTINATION ${config_folder}
  PATH_VARS DRSFORMER_MODULES_DIR)
write_basic_package_version_file(drsformerConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/drsformerConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/drsformerConfigVersion.cmake
  DESTINATION ${config_folder})

# ---- pkg-config ----------------------------------------------------------------------------------
file(RELATIVE_PATH up_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
file(RELATIVE_PATH down_to_lib ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_LIBDIR})
file(RELATIVE_PATH down_to_include ${CMAKE_INSTALL_PREFIX} ${CMAKE_INSTALL_FULL_INCLUDEDIR})
string(REGEX REPLACE "/$" "" up_to_prefix "${up_to_prefix}")
set(static_flag "")
set(static_libraries "")
if(NOT BUILD_SHARED_LIBS)
  set(static_flag " -DDRS_STATIC")
  set(static_libraries " -lstdc++ -lm -pthread -ldl") # whoever links it, needs these
endif()
configure_file(cmake/drsformer.pc.in drsformer.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/drsformer.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# ---- documents and examples ----------------------------------------------------------------------
install(FILES ../docs/cpp.md ../docs/glossary.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR}
  PATTERN "CMakeLists.txt" EXCLUDE PATTERN "__pycache__" EXCLUDE)
install(FILES examples/consumer/CMakeLists.txt
  DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples/consumer)
