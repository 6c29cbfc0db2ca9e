# Compiler settings that every target of ours shares.
add_library(drsformer_settings INTERFACE)
target_compile_options(drsformer_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  # a fused multiply-add rounds once where Python's numpy rounds twice: bits would differ
  -ffp-contract=off
  -ffunction-sections -fdata-sections)
if(NOT BUILD_SHARED_LIBS)
  # symbols that are one in the whole program cannot be hidden, see OneObject.cmake
  target_compile_options(drsformer_settings INTERFACE
    $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-fno-gnu-unique>)
endif()
if(DRSFORMER_WERROR)
  target_compile_options(drsformer_settings INTERFACE -Werror)
endif()
if(DRSFORMER_SANITIZE)
  target_compile_options(drsformer_settings INTERFACE
    -fsanitize=${DRSFORMER_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
  target_link_options(drsformer_settings INTERFACE -fsanitize=${DRSFORMER_SANITIZE})
endif()
if(DRSFORMER_FUZZERS) # what was reached guides the fuzzers
  target_compile_options(drsformer_settings INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Other people's headers: their warnings are not ours to mend.
add_library(drsformer_third_party INTERFACE)
target_include_directories(drsformer_third_party SYSTEM INTERFACE
  ${PROJECT_SOURCE_DIR}/third_party)
