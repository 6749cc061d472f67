# Builds for arm64 where Debian's compiler and libraries for it are: in the Debian of its own that `./run cross` makes.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(PKG_CONFIG_EXECUTABLE aarch64-linux-gnu-pkg-config)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)
# Before the compiler's own copy of the C library, which gets no security updates.
set(CMAKE_EXE_LINKER_FLAGS_INIT -L/usr/lib/aarch64-linux-gnu)
