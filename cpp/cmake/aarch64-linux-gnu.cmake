# Builds for 64-bit ARM, such as a Jetson or a Raspberry Pi, on another machine with Debian's or
# Ubuntu's package g++-aarch64-linux-gnu:
#
#     cmake -S cpp -B build -DCMAKE_TOOLCHAIN_FILE=cpp/cmake/aarch64-linux-gnu.cmake
#
# With CMAKE_SYSROOT or CMAKE_FIND_ROOT_PATH set to a copy of the machine's files, libraries such as
# libpng are looked for there. The compiler of Ubuntu 22.04 makes programs for JetPack 6 and 7.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)

# Programs run here; headers and libraries of this machine are of no use.
list(APPEND CMAKE_FIND_ROOT_PATH /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# pkg-config would tell of this machine's libraries
set(ENV{PKG_CONFIG_LIBDIR} /usr/aarch64-linux-gnu/lib/pkgconfig)
